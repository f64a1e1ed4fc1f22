"""Neural style transfer by optimization, in JAX."""

from jaxstyle.batch import stylize_batch
from jaxstyle.config import StyleConfig
from jaxstyle.errors import ConfigError, DivergedError, JaxStyleError, PictureError, StyleError, WeightsError
from jaxstyle.images import read_image, write_image
from jaxstyle.networks import Network
from jaxstyle.optimization import Progress, content_loss, content_targets, style_loss
from jaxstyle.styles import Style, gram_matrix, load_style, save_style, style_targets
from jaxstyle.stylize import Stylized, measure_style, stylize
from jaxstyle.stylizer import Stylizer, make_stylizer
from jaxstyle.texture import texture
from jaxstyle.weights import load_network

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
