"""Neural style transfer by optimization, in JAX."""

import sys
from types import ModuleType
from typing import Any

import lazy_loader

# JAX takes a second to import. The names of `__init__.pyi` are imported when they are used.
__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
__version__ = "0.1.0"


class _Package(ModuleType):
    """This package, in which `stylize` and `texture` are functions, although there are modules of these names."""

    def __setattr__(self, name: str, value: Any) -> None:
        if not (name in __all__ and isinstance(value, ModuleType)):  # as importing a module of the package does
            super().__setattr__(name, value)


sys.modules[__name__].__class__ = _Package
