# The public names, and the modules that define them: `__init__.py` imports a module when a name of it is used.

from .batch import stylize_batch
from .compilation import enable_cache
from .config import StyleConfig
from .errors import ConfigError, DivergedError, JaxStyleError, MemoryLimitError, PictureError, StyleError, WeightsError
from .images import read_image, write_image
from .networks import Network
from .optimization import Progress, content_loss, content_targets, style_loss
from .styles import Style, gram_matrix, load_style, save_style, style_targets
from .stylize import Stylized, measure_style, stylize
from .stylizer import Stylizer, make_stylizer
from .texture import texture
from .weights import load_network

__version__: str

__all__ = [
    "ConfigError",
    "DivergedError",
    "JaxStyleError",
    "MemoryLimitError",
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
    "enable_cache",
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
