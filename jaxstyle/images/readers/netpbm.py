"""Reading PBM, PGM, PPM, PAM and PFM at all their depths (https://netpbm.sourceforge.net/doc/)."""

import re
from typing import BinaryIO

import numpy as np

from jaxstyle.images.readers.color import Space
from jaxstyle.images.readers.samples import Alpha, Samples, Source, check_floats, damaged, unsupported

MAGIC = re.compile(rb"P[1-7Ff]\s")
_TOKEN = re.compile(rb"(?:\s|#[^\n]*\n)*([^\s#]+)")
_MAX_HEADER = 2**16
_PAM_FIELDS = (b"WIDTH", b"HEIGHT", b"DEPTH", b"MAXVAL")


def open_netpbm(file: BinaryIO) -> Source:
    """Read the header."""
    head = file.read(_MAX_HEADER)
    kind = head[1:2].decode()
    if kind == "7":
        white: float
        width, height, channels, white, start = _pam_header(head)
    else:
        channels = 3 if kind in "36F" else 1
        count = 2 if kind in "14" else 3
        tokens, start = _tokens(head, count)
        width, height = int(tokens[0]), int(tokens[1])
        white = float(tokens[2]) if kind in "Ff" else int(tokens[2]) if count == 3 else 1
    if kind not in "Ff" and not 1 <= white <= 65535:
        raise damaged(f"the maximum is {white}")
    return Source(height, width, lambda factor: _decode(file, kind, (height, width, channels), white, start))


def _tokens(head: bytes, count: int) -> tuple[list[bytes], int]:
    """The first words of the header after the magic number, and where the samples begin."""
    tokens, position = [], 2
    for _ in range(count):
        match = _TOKEN.match(head, position)
        if match is None:
            raise damaged("the header is incomplete")
        tokens.append(match[1])
        position = match.end()
    return tokens, position + 1


def _pam_header(head: bytes) -> tuple[int, int, int, int, int]:
    end = head.index(b"ENDHDR\n")
    fields = dict(line.split(maxsplit=1) for line in head[3:end].splitlines() if line.strip() and line[:1] != b"#")
    width, height, channels, white = (int(fields[name]) for name in _PAM_FIELDS)
    if channels > 4:
        raise unsupported(f"has {channels} channels")
    return width, height, channels, white, end + 7


def _decode(file: BinaryIO, kind: str, shape: tuple[int, int, int], white: float, start: int) -> Samples:
    file.seek(start)
    data = file.read()
    height, width, channels = shape
    if kind in "Ff":
        order = "<" if white < 0 else ">"  # the sign of the scale; the scale itself has no use
        values = np.frombuffer(data, f"{order}f4", height * width * channels).reshape(shape)[::-1]
        check_floats(values)
        return Samples(values, Space.GRAY if channels == 1 else Space.RGB, high=1)
    if kind == "4":
        rows = np.frombuffer(data, np.uint8, height * (-(-width // 8))).reshape(height, -1)
        values = np.unpackbits(rows, axis=1, count=width)[..., None]
    elif kind in "123":
        values = _plain(data, kind).astype(np.uint16)[: height * width * channels].reshape(shape)
    else:
        values = np.frombuffer(data, np.uint8 if white < 256 else ">u2", height * width * channels).reshape(shape)
    if values.max() > white:
        raise damaged(f"samples go up to {values.max()}, and the header says {white}")
    low, high = (1, 0) if kind in "14" else (0, white)  # bits are black
    return Samples(
        values,
        Space.GRAY if channels <= 2 else Space.RGB,
        alpha=Alpha.STRAIGHT if channels in (2, 4) else Alpha.NONE,
        low=low,
        high=high,
        opaque=white,
    )


def _plain(data: bytes, kind: str) -> np.ndarray:
    """Samples that are written as decimal numbers; bits need no space between them."""
    data = re.sub(rb"#[^\n]*", b"", data)
    if kind == "1":
        return np.frombuffer(b"".join(data.split()), np.uint8) - ord("0")
    return np.array(data.split(), dtype=np.int64)
