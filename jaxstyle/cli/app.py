"""The command `jaxstyle`: its subcommands, and the place where errors become one line and an exit code.

Nothing here imports JAX, which takes a second or two, before a command needs it.
"""

import io
import os
import sys
from collections.abc import Iterator, Mapping
from importlib import import_module
from typing import Annotated, Any

import typer
from typer.main import get_command

import jaxstyle
from jaxstyle.cli.help import HelpGroup, examples
from jaxstyle.cli.messages import check_arguments, print_note, reword
from jaxstyle.cli.usage import usage_message
from jaxstyle.config import TERMS
from jaxstyle.errors import JaxStyleError

# The commands, each in the module of its name, and the first sentences of their help.
SUMMARIES = {
    "stylize": "Stylize CONTENT with STYLE.",
    "texture": "Make a texture in the style of STYLE, without a content picture.",
    "batch": "Stylize many pairs of pictures, from folders or a table.",
    "grid": "Stylize CONTENT with several settings, and show the results side by side.",
    "export": "Write a stylization as a function that runs without jaxstyle.",
    "bench": "Measure the time of an optimization step on this machine.",
    "info": "Print the versions, the device, the cache folder and the networks.",
    "cache": "Print the folder and the size of the cache of traced and compiled programs, or clear it.",
    "style": "Save styles, and describe saved ones.",
    "gram": "Explore Gram matrices: describe them, maximize an entry, sample new ones.",
    "weights": "List, verify, convert and fetch the weights of recognition networks.",
}


# Options whose names begin messages of the Python API.
_OPTIONS = (
    *("size", "steps", *(f"{name}_weight" for name in TERMS), "style_scale", "style_blend", "rotate_style"),
    *("style_representation", "regions", "normalization", "seed", "optimizer", "pooling", "precision"),
    *("init", "levels", "sampler", "strength", "height", "width"),
    *("colors", "content_layers", "style_layers", "tile_size", "dpi"),
)


class LazyCommands(Mapping[str, Any]):
    """The commands by name. Their modules, and with them JAX, are imported at the first access."""

    def __getitem__(self, name: str) -> Any:
        if name not in SUMMARIES:
            raise KeyError(name)
        return get_command(import_module(f"jaxstyle.cli.{name}").app)

    def __iter__(self) -> Iterator[str]:
        return iter(SUMMARIES)

    def __len__(self) -> int:
        return len(SUMMARIES)


class LazyGroup(HelpGroup):
    """The group of all commands."""

    def __init__(self, **settings: Any) -> None:
        super().__init__(**settings)
        self.commands = LazyCommands()  # type: ignore[assignment]  # it is only read

    def summaries(self) -> dict[str, str]:
        """The first sentences of the commands' help."""
        return SUMMARIES


app = typer.Typer(
    name="jaxstyle",
    cls=LazyGroup,
    context_settings={"max_content_width": 100},
    pretty_exceptions_enable=False,
    epilog=examples(
        "A photograph in the style of a painting:",
        "jaxstyle stylize photo.jpg painting.jpg -o out.png",
        "Every photograph in the style of every painting:",
        "jaxstyle batch --content photos --style paintings -o results",
        "What the options of a command change in the picture:",
        "jaxstyle stylize --help",
    ),
)


def _print_version(requested: bool) -> None:
    if requested:
        typer.echo(f"jaxstyle {jaxstyle.__version__}")
        raise typer.Exit


@app.callback()
def jaxstyle_command(
    version: Annotated[
        bool, typer.Option("--version", is_eager=True, callback=_print_version, help="Print the version and exit.")
    ] = False,
) -> None:
    """Neural style transfer by optimization, in JAX: give a photograph the style of a painting."""
    from jaxstyle.cli.jax_config import configure_jax

    configure_jax()


def run() -> int:
    """Run the command in `sys.argv`; returns 0, or the code of an error after printing one line on stderr."""
    # The log of JAX's plugins for GPUs and TPUs, which importing JAX sets. Errors also raise exceptions.
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    if isinstance(sys.stdout, io.TextIOWrapper):  # names of files that are not UTF-8 are printed as they are
        sys.stdout.reconfigure(errors="surrogateescape")
    try:
        check_arguments(sys.argv[1:])
        code = app(prog_name="jaxstyle", standalone_mode=False) or 0
        sys.stdout.flush()
        return code
    except JaxStyleError as error:
        return _fail(str(error), error.exit_code)
    except typer.TyperException as error:
        return _fail(usage_message(error), error.exit_code)
    except OSError as error:
        return _fail_to_print(error)
    except SystemExit as error:  # of typer, when the output is a closed pipe
        return error.code if isinstance(error.code, int) else 1
    except FloatingPointError as error:
        return _fail(f"{error}; JAX_DEBUG_NANS or JAX_DEBUG_INFS makes it an error", 1)
    except (MemoryError, RuntimeError) as error:  # JAX's errors are RuntimeErrors
        return _fail_by_device(error)


def _fail_by_device(error: MemoryError | RuntimeError) -> int:
    """The end of a command without enough memory or without a device; raises all other errors again."""
    from jaxstyle.environment import device
    from jaxstyle.optimization import memory_message

    if message := memory_message(error):
        return _fail(message, 1)
    try:
        device()
    except JaxStyleError as reason:
        return _fail(str(reason), reason.exit_code)
    raise error


def _fail_to_print(error: OSError) -> int:
    """The end of a command whose output cannot be printed, such as on a full disk; raises all other errors again."""
    if error.filename is not None:
        raise error
    sys.stdout = open(os.devnull, "w")  # noqa: SIM115 - Python flushes the old one at the end, and would fail again
    return _fail(f"the output cannot be printed ({error.strerror}); check where it goes", 1)


def _fail(message: str, code: int) -> int:
    print_note(f"error: {reword(' '.join(message.split()), _OPTIONS)}")
    return code
