"""A writer of TIFF in all layouts, by the specification (TIFF 6.0, and Adobe's technical notes on floats)."""

import struct
import zlib
from collections.abc import Iterator
from dataclasses import dataclass, field

import numpy as np
from support.pictures import packed

UNSIGNED, SIGNED, FLOAT = 1, 2, 3
NONE, DEFLATE, PACKBITS = 1, 8, 32773
WHITE_IS_ZERO, BLACK_IS_ZERO, RGB, PALETTE, INKS, YCBCR, CIELAB, ICCLAB = 0, 1, 2, 3, 5, 6, 8, 9
UNSPECIFIED, ASSOCIATED, UNASSOCIATED = 0, 1, 2


@dataclass(frozen=True)
class Layout:
    """How samples are stored; the numbers are those of the specification."""

    bits: int = 8
    sample_format: int = UNSIGNED
    photometric: int = BLACK_IS_ZERO
    extra: tuple[int, ...] | None = None  # ExtraSamples
    planar: bool = False
    tile: int | None = None  # the length of both sides
    rows_per_strip: int = 7
    compression: int = NONE
    predictor: int = 1
    order: str = "<"
    big: bool = False
    fill_order: int = 1
    tags: tuple[tuple[int, int, tuple[int, ...]], ...] = field(default=())  # number, type, values; instead of others


def tiff(*pages: tuple[np.ndarray, Layout], preamble: bytes = b"") -> bytes:
    """A file of pages: samples `[H, W, C]`, integers or floats, with their layouts; the preamble follows the header."""
    order, big = pages[0][1].order, pages[0][1].big
    mark = b"II" if order == "<" else b"MM"
    start = (16 if big else 8) + len(preamble)
    header = struct.pack(f"{order}HHHQ", 43, 8, 0, start) if big else struct.pack(f"{order}HI", 42, start)
    data = mark + header + preamble
    for number, (samples, layout) in enumerate(pages):
        data += _page(samples, layout, len(data), last=number == len(pages) - 1)
    return data


def _page(samples: np.ndarray, layout: Layout, start: int, *, last: bool) -> bytes:
    """A directory, its long values, and its strips or tiles, at this position of the file."""
    samples = samples.reshape(*samples.shape[:2], -1)
    height, width, channels = samples.shape
    segments = [_encode(block, layout) for block in _blocks(samples, layout)]
    entries = {
        256: (4, (width,)),
        257: (4, (height,)),
        258: (3, (layout.bits,) * channels),
        259: (3, (layout.compression,)),
        262: (3, (layout.photometric,)),
        266: (3, (layout.fill_order,)),
        277: (3, (channels,)),
        284: (3, (2 if layout.planar else 1,)),
        317: (3, (layout.predictor,)),
        339: (3, (layout.sample_format,) * channels),
    }
    if layout.extra is not None:
        entries[338] = (3, layout.extra)
    if layout.tile:
        entries |= {322: (4, (layout.tile,)), 323: (4, (layout.tile,))}
    else:
        entries[278] = (4, (layout.rows_per_strip,))
    place = 324 if layout.tile else 273
    lengths = tuple(len(segment) for segment in segments)
    entries[place] = (4, (0,) * len(segments))
    entries[325 if layout.tile else 279] = (4, lengths)
    size = len(_directory(entries, layout, start, last=last))
    entries[place] = (4, tuple(start + size + sum(lengths[:index]) for index in range(len(segments))))
    return _directory(entries, layout, start, last=last, end=start + size + sum(lengths)) + b"".join(segments)


def _directory(entries: dict, layout: Layout, start: int, *, last: bool, end: int = 0) -> bytes:
    word, count, width = ("Q", "Q", 8) if layout.big else ("I", "H", 4)
    entries = entries | {number: (kind, values) for number, kind, values in layout.tags}
    table = struct.pack(f"{layout.order}{count}", len(entries))
    long_values = b""
    after = start + len(table) + len(entries) * (12 + 2 * (width - 4)) + width
    for number, (kind, values) in sorted(entries.items()):
        code = {1: "B", 3: "H", 4: "I", 5: "I", 7: "B", 12: "d"}[kind]
        content = struct.pack(f"{layout.order}{len(values)}{code}", *values)
        items = len(values) // 2 if kind == 5 else len(values)
        if len(content) > width:
            place, content = after + len(long_values), content + bytes(len(content) % 2)
            long_values, content = long_values + content, struct.pack(f"{layout.order}{word}", place)
        table += struct.pack(f"{layout.order}HH{word}", number, kind, items) + content.ljust(width, b"\0")
    return table + struct.pack(f"{layout.order}{word}", 0 if last else end + end % 2) + long_values


def _blocks(samples: np.ndarray, layout: Layout) -> Iterator[np.ndarray]:
    """Strips or tiles, all of one plane after all of another if planes are apart."""
    planes = np.moveaxis(samples, -1, 0)[..., None] if layout.planar else [samples]
    rows = columns = layout.tile
    for plane in planes:
        height, width = plane.shape[:2]
        if not layout.tile:
            rows, columns = layout.rows_per_strip, width
        for row in range(0, height, rows):
            for column in range(0, width, columns):
                block = plane[row : row + rows, column : column + columns]
                if layout.tile:  # tiles at the edge are filled
                    block = np.pad(block, ((0, rows - len(block)), (0, columns - block.shape[1]), (0, 0)), mode="edge")
                yield block


def _encode(block: np.ndarray, layout: Layout) -> bytes:
    if layout.predictor == 2:
        block = block.copy()
        block[:, 1:] -= block[:, :-1].copy()  # modulo 2 to the number of bits
    if layout.predictor == 3:
        rows = block.astype(block.dtype.newbyteorder(">")).reshape(len(block), -1)
        size = rows.dtype.itemsize
        planes = np.ascontiguousarray(rows).view(np.uint8).reshape(len(rows), -1, size).swapaxes(1, 2)
        shuffled = planes.reshape(len(rows), -1)
        channels = block.shape[2]
        shuffled[:, channels:] -= shuffled[:, :-channels].copy()
        data = shuffled.tobytes()
    elif layout.bits in (8, 16, 32, 64):
        data = block.astype(block.dtype.newbyteorder(layout.order)).tobytes()
    else:
        data = b"".join(packed(row, layout.bits) for row in block)
    if layout.compression == DEFLATE:
        data = zlib.compress(data, 1)
    if layout.compression == PACKBITS:
        data = b"".join(bytes([len(data[i : i + 128]) - 1]) + data[i : i + 128] for i in range(0, len(data), 128))
    if layout.fill_order == 2:
        data = np.packbits(np.unpackbits(np.frombuffer(data, np.uint8)), bitorder="little").tobytes()
    return data
