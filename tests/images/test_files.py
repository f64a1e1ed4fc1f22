"""Reading files that are damaged or no pictures."""

import os
import re
import sys
import time
import warnings
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import BmpImagePlugin, Image
from support.pictures import (
    ADOBE_RGB,
    COLORS,
    encoded,
    error_message,
    examples,
    failing,
    rgb_profile,
    saved,
)

from jaxstyle.errors import PictureError
from jaxstyle.images import read_image

COLOR_PNG = encoded(Image.fromarray(COLORS), "PNG")
COLOR_JPEG = encoded(Image.fromarray(COLORS), "JPEG")


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (b"", "empty (0 bytes)"),
        (b"These are words,\nnot a picture", "holds text: 'These are words, not a picture'"),
        (b"<!DOCTYPE html><html><head>", "holds text: '<!DOCTYPE html>"),
        (b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 20 20\n", "a PDF or PostScript file"),
        (bytes(range(256)), "not a picture of a known format"),
        (COLOR_PNG[:20], "damaged"),
        (COLOR_PNG[: len(COLOR_PNG) // 2], "cut short"),
        (COLOR_JPEG[: len(COLOR_JPEG) // 2], "cut short"),
        (
            encoded(Image.new("1", (17000, 16000)), "PNG", compress_level=1),
            "has 17000x16000 pixels, too many to be safe",
        ),
    ],
)
def test_files_that_are_not_pictures(tmp_path, content, expected):
    path = tmp_path / "a.png"
    path.write_bytes(content)
    message = error_message(path, read_image, path)
    assert expected in message and re.search(r"; expected .+: ", message)


def test_missing_file_and_folders(tmp_path):
    assert "No such file" in error_message(tmp_path / "a.png", read_image, tmp_path / "a.png")
    assert "No such file" in error_message(tmp_path / "b" / "a.png", read_image, tmp_path / "b" / "a.png")
    assert "is a folder" in error_message(tmp_path, read_image, tmp_path)
    os.mkfifo(tmp_path / "pipe.png")
    assert "pipe" in error_message(tmp_path / "pipe.png", read_image, tmp_path / "pipe.png")
    (tmp_path / "loop.png").symlink_to(tmp_path / "loop.png")
    assert "cannot be read" in error_message(tmp_path / "loop.png", read_image, tmp_path / "loop.png")


def test_unreadable_file(tmp_path, monkeypatch):
    path = saved(tmp_path / "a.png", Image.fromarray(COLORS))
    monkeypatch.setattr(Path, "open", failing(PermissionError(13, "Permission denied")))
    assert "cannot be read (Permission denied)" in error_message(path, read_image, path)


@pytest.mark.parametrize(
    ("content", "module", "format_name", "extra"),
    [
        (b"\0\0\0\x18ftypheic\0\0\0\0mif1heic", "pillow_heif", "HEIC", "heic"),
        (b"\xff\x0a" + bytes(99), "pillow_jxl", "JPEG XL", "jxl"),
    ],
)
def test_formats_whose_package_is_missing(tmp_path, monkeypatch, content, module, format_name, extra):
    monkeypatch.setitem(sys.modules, module, None)  # as if it were not installed
    path = tmp_path / "a"
    path.write_bytes(content)
    message = error_message(path, read_image, path)
    assert f"{format_name} picture" in message and f"pip install 'jaxstyle[{extra}]'" in message


def test_formats_that_are_not_read_are_named(tmp_path):
    """Files that are whole are not called damaged, but by their names."""
    path = tmp_path / "a"
    for head, name in [
        (b"8BPS\0\1", "Photoshop"),
        (b"v/1\1", "OpenEXR"),
        (b"#?RADIANCE\n", "Radiance"),
        (b"DDS ", "DirectDraw"),
        (b"\0\0\1\0\1\0\x10\x10", "icon"),
        (b"<svg xmlns='http://www.w3.org/2000/svg'>", "SVG"),
        (b"\0\0\0\x18ftypcrx ", "raw"),
        (b"FUJIFILMCCD-RAW ", "raw"),
        (b"\0\0\0\x18ftypisom", "video"),
        (b"PK\3\4", "archive"),
    ]:
        path.write_bytes(head + bytes(99))
        message = error_message(path, read_image, path)
        assert name in message and "; expected a PNG" in message and "damaged" not in message


def test_unprintable_characters_in_file_names_are_escaped(tmp_path):
    with pytest.raises(PictureError) as caught:
        read_image(tmp_path / "two\nlines\udcff.png")
    assert str(caught.value).isprintable() and r"\udcff" in str(caught.value)


SAMPLES = [
    encoded(Image.fromarray(COLORS), kind, **options)
    for kind, options in [
        ("PNG", {"icc_profile": rgb_profile(ADOBE_RGB, 2.2)}),
        ("JPEG", {"exif": b"Exif\0\0II*\0\x08\0\0\0\x01\0\x12\x01\x03\0\x01\0\0\0\x06\0\0\0\0\0\0\0"}),
        ("GIF", {}),
        ("TIFF", {}),
        ("BMP", {}),
        ("WEBP", {}),
        ("PPM", {}),
        ("AVIF", {}),
        ("JPEG2000", {}),
    ]
]


@settings(examples, max_examples=300)
@given(st.sampled_from(SAMPLES), st.data())
def test_damaged_files_give_a_picture_or_an_error(tmp_path, content, data):
    damaged = bytearray(content)
    for _ in range(data.draw(st.integers(0, 4))):
        damaged[data.draw(st.integers(0, min(200, len(content) - 1)))] = data.draw(st.integers(0, 255))
    path = tmp_path / "a"
    path.write_bytes(damaged[: data.draw(st.integers(1, len(damaged)))])
    try:
        picture = read_image(path, size=32)
    except PictureError:
        error_message(path, read_image, path, size=32)
    else:
        assert max(picture.shape[:2]) == 32 and picture.min() >= 0 and picture.max() <= 1


def test_reading_in_threads_does_not_change_warning_filters(tmp_path, monkeypatch):
    path = saved(tmp_path / "a.bmp", Image.fromarray(COLORS))
    opened, before = BmpImagePlugin.BmpImageFile, list(warnings.filters)

    def open_slowly(*arguments, **options):
        time.sleep(0.003)  # the threads must overlap
        return opened(*arguments, **options)

    monkeypatch.setattr(BmpImagePlugin, "BmpImageFile", open_slowly)
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(lambda _: read_image(path), range(24)))
    assert warnings.filters == before
