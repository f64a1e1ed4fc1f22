"""Options of a stylization, as the command, manifests and Python have them, and the settings that they mean.

Modules:
    stylization: `Options`, all options of a stylization
    network: those of the network
    file: those of the files of results
    described: what the help says of an option
    parsing: values of options
    settings: the parsed options
    paper: the size in pixels from that of the paper
"""

from jaxstyle.options.file import FILE
from jaxstyle.options.paper import (
    Paper,
    check_print_memory,
    check_print_shape,
    fit_paper,
    for_print,
    parse_paper,
    print_memory_error,
)
from jaxstyle.options.parsing import (
    MAX_SIZE,
    check_size,
    format_weighted,
    parse_layers,
    parse_numbers,
    parse_scales,
    parse_size,
)
from jaxstyle.options.settings import FileSettings, Settings
from jaxstyle.options.stylization import STYLE, Options

__all__ = [
    "FILE",
    "MAX_SIZE",
    "STYLE",
    "FileSettings",
    "Options",
    "Paper",
    "Settings",
    "check_print_memory",
    "check_print_shape",
    "check_size",
    "fit_paper",
    "for_print",
    "format_weighted",
    "parse_layers",
    "parse_numbers",
    "parse_paper",
    "parse_scales",
    "parse_size",
    "print_memory_error",
]
