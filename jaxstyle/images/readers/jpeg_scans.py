"""The structure of a JPEG: its segments and scans, and whether any are missing (ITU-T T.81, annexes A and B)."""

import math
import re
from collections.abc import Iterator
from dataclasses import dataclass

END = b"\xff\xd9"
JPEG_LS = 0xF7
FRAMES = set(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC} | {JPEG_LS}
_SCAN, _RESTART_INTERVAL = 0xDA, 0xDD
_WITHOUT_LENGTH = {0x01, *range(0xD0, 0xD9)}
# A marker may follow any number of bytes FF. These expressions begin with a single one, for fast searches.
_RESTART = re.compile(rb"\xff\xff*([\xd0-\xd7])")
_CODED_END = re.compile(rb"\xff\xff*[^\x00\xff\xd0-\xd7]")


@dataclass(frozen=True)
class Scan:
    """A scan, with what came before it.

    Attributes:
        header: the content of its segment.
        start: where its coded data begin.
        end: where they end.
        frame_header: the content of the segment of its frame.
        interval: MCUs between markers of restart, or 0.
    """

    header: bytes
    start: int
    end: int
    frame_header: bytes
    interval: int

    @property
    def components(self) -> bytes:
        """The names of the components."""
        return self.header[1 : 1 + 2 * self.header[0] : 2]


def read_segments(data: bytes) -> Iterator[tuple[int, bytes, int]]:
    """The markers with their segments and where these end, as far as they are whole, without the coded data between."""
    position = 2
    while (position := data.find(b"\xff", position)) >= 0 and position + 4 <= len(data):
        marker = data[position + 1]
        if marker in (0, 0xFF) or marker in _WITHOUT_LENGTH:  # in coded data, or padding
            position += 1 if marker == 0xFF else 2
            continue
        end = position + 2 + int.from_bytes(data[position + 2 : position + 4], "big")
        if marker == END[1] or end > len(data):
            return
        yield marker, data[position + 4 : end], end
        position = _coded_end(data, end) if marker == _SCAN else end


def read_scans(data: bytes) -> Iterator[Scan]:
    """The scans."""
    frame_header, interval = b"", 0
    for marker, content, end in read_segments(data):
        if marker in FRAMES:
            frame_header = content
        elif marker == _RESTART_INTERVAL:
            interval = int.from_bytes(content[:2], "big")
        elif marker == _SCAN and content:
            yield Scan(content, end, _coded_end(data, end), frame_header, interval)


def _coded_end(data: bytes, start: int) -> int:
    """Where coded data end: at a marker other than those of restart."""
    found = _CODED_END.search(data, start)
    return found.start() if found else len(data)


def pad_coded_data(data: bytes, filler: bytes) -> bytes:
    """Insert bytes where coded data end, before markers; decoders skip what they do not need."""
    pieces, position = [], 0
    for scan in read_scans(data):
        coded = _RESTART.sub(lambda match: filler + match[0], data[scan.start : scan.end])
        pieces += [data[position : scan.start], coded, filler]
        position = scan.end
    return b"".join([*pieces, data[position:]])


def has_all_restarts(data: bytes) -> bool:
    """Whether the markers of restart within each scan are as many as its size needs, in their order."""
    for scan in read_scans(data):
        if scan.interval:
            numbers = [found[0] - 0xD0 for found in _RESTART.findall(data, scan.start, scan.end)]
            expected = math.ceil(_count_mcus(scan) / scan.interval) - 1
            if len(numbers) < expected or any(number != index % 8 for index, number in enumerate(numbers)):
                return False
    return True


def _count_mcus(scan: Scan) -> int:
    """The number of units of coded data (A.2): blocks of a single component, or groups of blocks of several."""
    header = scan.frame_header
    height, width = (int.from_bytes(header[start : start + 2], "big") for start in (1, 3))
    sampling = {name: (hv >> 4, hv & 15) for name, hv in zip(header[6::3], header[7::3], strict=False)}
    most_h, most_v = (max(factors) for factors in zip(*sampling.values(), strict=True))
    if len(scan.components) == 1:
        h, v = sampling[scan.components[0]]
        return math.ceil(math.ceil(width * h / most_h) / 8) * math.ceil(math.ceil(height * v / most_v) / 8)
    return math.ceil(width / (8 * most_h)) * math.ceil(height / (8 * most_v))


def has_all_scans(data: bytes) -> bool:
    """Whether scans give every coefficient of every component to the last bit."""
    known: dict[int, set[int]] = {}
    components: set[int] = set()
    for scan in read_scans(data):
        components = set(scan.frame_header[6::3])
        first, last, bits = scan.header[-3:]
        if bits & 15 == 0:  # the lowest bit
            for name in scan.components:
                known.setdefault(name, set()).update(range(first, last + 1))
    return bool(components) and all(len(known.get(name, ())) == 64 for name in components)
