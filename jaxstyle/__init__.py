"""Neural style transfer by optimization, in JAX."""

from jaxstyle.batch.stylize import stylize_batch
from jaxstyle.config import StyleConfig
from jaxstyle.errors import ConfigError, DivergedError, JaxStyleError, PictureError, StyleError, WeightsError
from jaxstyle.images.reading import read_image
from jaxstyle.images.writing import write_image
from jaxstyle.networks.network import Network
from jaxstyle.optimization.losses import content_loss, content_targets, style_loss
from jaxstyle.optimization.progress import Progress
from jaxstyle.styles.files import load_style, save_style
from jaxstyle.styles.measured import Style, style_targets
from jaxstyle.styles.statistics import gram_matrix
from jaxstyle.stylize import Stylized, measure_style, stylize
from jaxstyle.stylizer import Stylizer, make_stylizer
from jaxstyle.texture import texture
from jaxstyle.weights.store import load_network

__version__ = "0.1.0"

__all__ = [
    "ConfigError",
    "DivergedError",
    "JaxStyleError",
    "Network",
    "PictureError",
    "Progress",
    "Style",
    "StyleConfig",
    "StyleError",
    "Stylized",
    "Stylizer",
    "WeightsError",
    "content_loss",
    "content_targets",
    "gram_matrix",
    "load_network",
    "load_style",
    "make_stylizer",
    "measure_style",
    "read_image",
    "save_style",
    "style_loss",
    "style_targets",
    "stylize",
    "stylize_batch",
    "texture",
    "write_image",
]
