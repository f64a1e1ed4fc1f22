"""Reading HEIC, AVIF and JPEG 2000, with more than 8 bits per sample where the file has them."""

from typing import BinaryIO

import imagecodecs
import numpy as np

from jaxstyle.images.readers.boxes import read_heif_boxes, read_jp2_boxes
from jaxstyle.images.readers.color import Encoding, encoding_of_code_points
from jaxstyle.images.readers.extras import import_extra
from jaxstyle.images.readers.pillow import open_avif_image, open_jpeg2000_image, pillow_orientation, pillow_samples
from jaxstyle.images.readers.samples import Samples, Source, array_samples, unsupported


def open_avif(file: BinaryIO) -> Source:
    """Read the header of an AVIF.

    Raises:
        PictureError: if it has high dynamic range.
    """
    data = file.read()
    colors = read_heif_boxes(data)
    file.seek(0)
    image = open_avif_image(file)
    encoding = colors.encoding
    if profile := image.info.get("icc_profile"):
        encoding = Encoding(profile=profile)

    def decode(factor: int) -> Samples:
        if colors.bits <= 8:
            return pillow_samples(image, encoding)
        return array_samples(imagecodecs.avif_decode(data, index=0), encoding, 2**colors.bits - 1)

    return Source(image.height, image.width, decode, pillow_orientation(image))


def open_heic(file: BinaryIO) -> Source:
    """Read the header of a HEIC, which phones write.

    Raises:
        PictureError: if the package for it is missing, or the picture has high dynamic range.
    """
    heif = import_extra("pillow_heif", "HEIC", "heic")
    colors = read_heif_boxes(file.read())
    file.seek(0)
    image = heif.open_heif(file, convert_hdr_to_8bit=False, hdr_to_16bit=False)
    width, height = image.size  # upright: the library applies rotations
    encoding = colors.encoding
    if profile := image.info.get("icc_profile"):
        encoding = Encoding(profile=profile)
    elif encoding == Encoding() and (codes := image.info.get("nclx_profile")):  # also those within the coded picture
        encoding = encoding_of_code_points(codes["color_primaries"], codes["transfer_characteristics"])

    def decode(factor: int) -> Samples:
        bits = image.info["bit_depth"] if ";" in image.mode else 8
        return array_samples(np.asarray(image), encoding, 2**bits - 1, premultiplied=image.premultiplied_alpha)

    return Source(height, width, decode)


def open_jpeg2000(file: BinaryIO) -> Source:
    """Read the header of a JPEG 2000."""
    data = file.read()
    encoding = read_jp2_boxes(data)
    bits = _jpeg2000_bits(data)
    file.seek(0)
    image = open_jpeg2000_image(file)

    def decode(factor: int) -> Samples:
        if set(bits) == {8}:
            return pillow_samples(image, encoding)
        if len(set(bits)) > 1 or not 1 <= bits[0] <= 16:
            raise unsupported("has samples of different sizes, signed samples, or more than 16 bits")
        return array_samples(imagecodecs.jpeg2k_decode(data), encoding, 2 ** bits[0] - 1)  # also converts sYCC to RGB

    return Source(image.height, image.width, decode)


def _jpeg2000_bits(data: bytes) -> list[int]:
    """The bits of each component, 0 for signed ones, from the SIZ segment."""
    start = data.index(b"\xff\x4f\xff\x51")
    count = int.from_bytes(data[start + 40 : start + 42], "big")
    sizes = data[start + 42 : start + 42 + 3 * count : 3]
    return [0 if size & 128 else size + 1 for size in sizes]
