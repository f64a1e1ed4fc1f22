"""Neural style transfer by optimization, in JAX."""

import sys
from types import ModuleType

__version__ = "0.1.0"


def __getattr__(name: str) -> object:
    """Import a name of `__init__.pyi` when it is used, because JAX takes a second to import."""
    _list_names()
    return globals()[name] if name == "__all__" else __getattr__(name)


def __dir__() -> list[str]:
    _list_names()
    return __dir__()


def _list_names() -> None:
    """Replace `__getattr__` and `__dir__` by those of lazy_loader, which takes a while to import, too."""
    import lazy_loader

    get, list_names, names = lazy_loader.attach_stub(__name__, __file__)
    globals().update(__getattr__=get, __dir__=list_names, __all__=names)


class _Package(ModuleType):
    """This package, in which `stylize` and `texture` are functions, although there are modules of these names."""

    def __setattr__(self, name: str, value: object) -> None:
        if not (name in ("stylize", "texture") and isinstance(value, ModuleType)):  # as importing the module does
            super().__setattr__(name, value)


sys.modules[__name__].__class__ = _Package
