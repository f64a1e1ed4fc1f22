"""Color profiles (ICC) that are written into files."""

import struct
from functools import cache

import imagecodecs

_DATE = 24  # where a profile has the time of its creation: year, month, day, hour, minute, second


@cache
def srgb_profile() -> bytes:
    """A profile of sRGB, the same each time."""
    profile = bytearray(imagecodecs.cms_profile("srgb"))
    struct.pack_into(">6H", profile, _DATE, 2000, 1, 1, 0, 0, 0)
    return bytes(profile)
