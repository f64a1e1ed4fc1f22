"""The boxes of ISO base media files: the colors of AVIF, HEIC and JPEG 2000 (ISO/IEC 14496-12, 23008-12, 15444-1)."""

import struct
from collections.abc import Iterator
from dataclasses import dataclass, field

from jaxstyle.images.readers.color import Encoding, encoding_of_code_points


@dataclass(frozen=True)
class ColorBoxes:
    """What the boxes of a file say about its main picture.

    Attributes:
        encoding: the encoding of colors.
        bits: per sample.
    """

    encoding: Encoding = field(default_factory=Encoding)
    bits: int = 8


def read_heif_boxes(data: bytes) -> ColorBoxes:
    """The colors of the primary item of an AVIF or HEIC file; the default if they are not given.

    Raises:
        PictureError: if it has high dynamic range.
    """
    colors, bits = [], 8
    for kind, content in _primary_properties(data):
        if kind == b"colr":
            colors.append(content)
        elif kind == b"pixi" and len(content) > 5:
            bits = max(content[5:])
    return ColorBoxes(_encoding(colors), bits)


def read_jp2_boxes(data: bytes) -> Encoding:
    """The encoding of colors in a JPEG 2000 file; the default for a bare codestream."""
    header = dict(read_boxes(data)).get(b"jp2h", b"")
    content = dict(read_boxes(header)).get(b"colr", b"")
    return Encoding(profile=content[3:]) if content[:1] == b"\x02" else Encoding()  # a restricted profile


def read_boxes(data: bytes) -> Iterator[tuple[bytes, bytes]]:
    """The kind and content of each box."""
    position = 0
    while position + 8 <= len(data):
        size, kind = struct.unpack_from(">I4s", data, position)
        start = position + 8
        if size == 1 and position + 16 <= len(data):
            (size,) = struct.unpack_from(">Q", data, start)
            start += 8
        end = position + size if size else len(data)
        if end < start:
            return
        yield kind, data[start:end]
        position = end


def _primary_properties(data: bytes) -> Iterator[tuple[bytes, bytes]]:
    """The properties of the primary item. A file has others too: thumbnails, alpha, a gain map with its HDR version."""
    meta = dict(read_boxes(dict(read_boxes(data)).get(b"meta", b"")[4:]))
    properties = list(read_boxes(dict(read_boxes(meta.get(b"iprp", b""))).get(b"ipco", b"")))
    primary = meta.get(b"pitm", b"")
    item = int.from_bytes(primary[4:], "big")
    associations = (content for kind, content in read_boxes(meta.get(b"iprp", b"")) if kind == b"ipma")
    for content in associations:
        for index in _associated(content, item):
            if 1 <= index <= len(properties):
                yield properties[index - 1]


def _associated(content: bytes, item: int) -> list[int]:
    """The numbers of the properties of an item in an ipma box."""
    wide_items, wide_indices = content[0] > 0, content[3] & 1
    position = 8
    for _ in range(int.from_bytes(content[4:8], "big")):
        number, count = struct.unpack_from(">IB" if wide_items else ">HB", content, position)
        position += 5 if wide_items else 3
        size = 2 if wide_indices else 1
        indices = [
            int.from_bytes(content[start : start + size], "big") & (0x7FFF if wide_indices else 0x7F)
            for start in range(position, position + count * size, size)
        ]
        if number == item:
            return indices
        position += count * size
    return []


def _encoding(colors: list[bytes]) -> Encoding:
    """The encoding of colr boxes; code points of HDR count even beside a profile."""
    by_kind = {content[:4]: content[4:] for content in colors}
    encoding = Encoding()
    if len(code_points := by_kind.get(b"nclx", b"")) >= 4:
        encoding = encoding_of_code_points(*struct.unpack_from(">HH", code_points))
    profile = by_kind.get(b"prof") or by_kind.get(b"rICC")
    return Encoding(profile=profile) if profile else encoding
