"""Picture files and float arrays: reading, resizing and writing.

A picture is float32 sRGB in [0, 1], `[H, W, 3]`. Only this package imports Pillow, imagecodecs and tifffile.

Modules:
    reading: reading picture files, upright and in sRGB
    readers: the readers of picture formats
    strips: resizing what was read, in strips of rows
    resizing: resizing, shapes, and checks of arrays
    writing: writing picture files
    formats: the formats that are written
    quantization: floats to the levels of a file
    profiles: color profiles for files
    proofing: how a picture looks in print
    sheet: grids of pictures with titles and captions
    files: error messages with paths, and atomic writing of any file
    remote: files in object stores, by URL
"""

from jaxstyle.images.files import (
    check_regular_file,
    check_target,
    exists,
    file_identity,
    is_folder,
    is_same_file,
    list_folder,
    path_in_errors,
    real_path,
    resolve_target,
    write_atomically,
)
from jaxstyle.images.formats import FORMATS
from jaxstyle.images.proofing import print_proof, read_printer_profile
from jaxstyle.images.quantization import BITS
from jaxstyle.images.reading import KEEP, SRGB, Picture, read_image, read_picture, read_shape, target_shape
from jaxstyle.images.remote import PathLike, RemotePath, as_path, join_path
from jaxstyle.images.resizing import (
    MAX_PIXELS,
    MIN_SIDE,
    as_numpy,
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
from jaxstyle.images.writing import MAX_DPI, WRITABLE, check_format, check_writable, write_image

__all__ = [
    "BITS",
    "FORMATS",
    "GAP",
    "KEEP",
    "MAX_DPI",
    "MAX_PIXELS",
    "MIN_SIDE",
    "SRGB",
    "WRITABLE",
    "PathLike",
    "Picture",
    "RemotePath",
    "add_caption",
    "add_titles",
    "as_numpy",
    "as_path",
    "check_format",
    "check_picture",
    "check_regular_file",
    "check_same_proportions",
    "check_scaled_shape",
    "check_target",
    "check_writable",
    "draw_text",
    "exists",
    "file_identity",
    "fit_shape",
    "is_folder",
    "is_same_file",
    "join_path",
    "largest_side",
    "list_folder",
    "path_in_errors",
    "print_proof",
    "read_image",
    "read_picture",
    "read_printer_profile",
    "read_shape",
    "real_path",
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
