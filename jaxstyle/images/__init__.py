"""Picture files and float arrays: reading, resizing and writing.

A picture is float32 sRGB in [0, 1], `[H, W, 3]`. Only this package imports Pillow, imagecodecs and tifffile.

Modules:
    reading: reading picture files, upright and in sRGB
    readers: the readers of picture formats
    resizing: resizing, shapes, and checks of arrays
    writing: writing picture files
    formats: the formats that are written
    quantization: floats to the levels of a file
    profiles: color profiles for files
    proofing: how a picture looks in print
    sheet: grids of pictures with titles and captions
    files: error messages with paths, and atomic writing of any file
"""

from jaxstyle.images.files import (
    PathLike,
    check_regular_file,
    check_target,
    path_in_errors,
    resolve_target,
    write_atomically,
)
from jaxstyle.images.proofing import print_proof, read_printer_profile
from jaxstyle.images.quantization import BITS
from jaxstyle.images.reading import KEEP, SRGB, Picture, read_image, read_picture, read_shape, target_shape
from jaxstyle.images.resizing import (
    MIN_SIDE,
    check_picture,
    check_same_proportions,
    check_scaled_shape,
    fit_shape,
    largest_side,
    resize,
    resize_longest,
    rotate,
    rotated_shape,
    scaled_shape,
)
from jaxstyle.images.sheet import GAP, add_caption, add_titles, draw_text, tile_pictures
from jaxstyle.images.writing import MAX_DPI, WRITABLE, check_writable, write_image

__all__ = [
    "BITS",
    "GAP",
    "KEEP",
    "MAX_DPI",
    "MIN_SIDE",
    "SRGB",
    "WRITABLE",
    "PathLike",
    "Picture",
    "add_caption",
    "add_titles",
    "check_picture",
    "check_regular_file",
    "check_same_proportions",
    "check_scaled_shape",
    "check_target",
    "check_writable",
    "draw_text",
    "fit_shape",
    "largest_side",
    "path_in_errors",
    "print_proof",
    "read_image",
    "read_picture",
    "read_printer_profile",
    "read_shape",
    "resize",
    "resize_longest",
    "resolve_target",
    "rotate",
    "rotated_shape",
    "scaled_shape",
    "target_shape",
    "tile_pictures",
    "write_atomically",
    "write_image",
]
