"""Colors of PNG by its chunks (PNG Specification, Third Edition), and of other formats with the same code points."""

import logging
import struct
import zlib

import imagecodecs
import numpy as np
import pytest
from PIL import Image
from support.pictures import (
    ADOBE_RGB,
    COLORS,
    chunk,
    encoded,
    error_message,
    from_adobe_rgb,
    iccp,
    packed,
    png,
    profile_with_code_points,
    rgb_profile,
    srgb_decoded,
    srgb_encoded,
)

from jaxstyle.images import read_image, read_picture, read_shape

SRGB = chunk(b"sRGB", b"\0")
PROFILE = iccp(rgb_profile(ADOBE_RGB, 2.2))
# From linear RGB of these primaries to that of sRGB, as in CSS Color 4
FROM_DISPLAY_P3 = np.array([[1.22494, -0.22494, 0], [-0.04206, 1.04206, 0], [-0.01964, -0.07864, 1.09828]])
FROM_BT_2020 = np.array([[1.66049, -0.58764, -0.07285], [-0.12455, 1.13290, -0.00835], [-0.01815, -0.10058, 1.11873]])
VALUES = COLORS / 255


def gama(gamma: float) -> bytes:
    return chunk(b"gAMA", struct.pack(">I", round(gamma * 100_000)))


def chrm(*numbers: float) -> bytes:
    return chunk(b"cHRM", struct.pack(">8I", *(round(number * 100_000) for number in numbers)))


def cicp(primaries: int, transfer: int) -> bytes:
    return chunk(b"cICP", bytes([primaries, transfer, 0, 1]))


ADOBE_CHRM = chrm(0.3127, 0.329, 0.64, 0.33, 0.21, 0.71, 0.15, 0.06)
P3_CHRM = chrm(0.3127, 0.329, 0.68, 0.32, 0.265, 0.69, 0.15, 0.06)


@pytest.mark.parametrize(
    ("chunks", "expected"),
    [
        (gama(1), srgb_encoded(VALUES)),
        (gama(0.5), srgb_encoded(VALUES**2)),
        (gama(0.45455), VALUES),  # what programs write for sRGB
        (gama(0), VALUES),
        (SRGB + gama(1), VALUES),
        (PROFILE + gama(1) + SRGB, from_adobe_rgb(COLORS)),
        (cicp(1, 13) + PROFILE + gama(1), VALUES),
        (cicp(1, 8), srgb_encoded(VALUES)),
        (cicp(1, 1), VALUES),
        (cicp(12, 13), srgb_encoded(srgb_decoded(VALUES) @ FROM_DISPLAY_P3.T)),
        (cicp(9, 13), srgb_encoded(srgb_decoded(VALUES) @ FROM_BT_2020.T)),
        (P3_CHRM, srgb_encoded(srgb_decoded(VALUES) @ FROM_DISPLAY_P3.T)),
        (gama(1) + P3_CHRM, srgb_encoded(VALUES @ FROM_DISPLAY_P3.T)),
        (gama(1 / 2.2) + ADOBE_CHRM + PROFILE, from_adobe_rgb(COLORS)),
        (iccp(b"damaged") + gama(1), srgb_encoded(VALUES)),
        (chunk(b"iCCP", b"damaged\0\0damaged") + gama(1), srgb_encoded(VALUES)),
        (chunk(b"cHRM", bytes(32)), VALUES),
        (chunk(b"cHRM", b"short") + chunk(b"gAMA", b"") + chunk(b"cICP", b"\1"), VALUES),
    ],
)
@pytest.mark.parametrize("depth", [8, 16])
def test_color_chunks(tmp_path, chunks, expected, depth):
    levels = COLORS if depth == 8 else COLORS.astype(np.uint16) * 257
    (tmp_path / "a.png").write_bytes(png(levels, 2, depth, chunks))
    np.testing.assert_allclose(read_image(tmp_path / "a.png"), expected, atol=2e-3)


@pytest.mark.parametrize(("depth", "unit"), [(8, 1), (16, 256)])
def test_narrow_range(tmp_path, depth, unit):
    levels = np.array([0, 16, 90, 235, 255])[np.arange(480).reshape(20, 24) % 5] * unit
    (tmp_path / "a.png").write_bytes(png(levels, 0, depth, chunk(b"cICP", bytes([1, 13, 0, 0]))))
    expected = np.clip((levels / unit - 16) / 219, 0, 1)
    np.testing.assert_allclose(read_image(tmp_path / "a.png")[..., 1], expected, atol=1e-6)


def test_gamma_of_gray_and_of_a_palette(tmp_path):
    gray = np.full((20, 24), 51, np.uint8)
    palette = chunk(b"PLTE", bytes([0, 0, 0, 51, 51, 51]))
    for content in (png(gray, 0, 8, gama(1)), png(gray // 51, 3, 1, gama(1) + palette)):
        (tmp_path / "a.png").write_bytes(content)
        np.testing.assert_allclose(read_image(tmp_path / "a.png"), 0.48453, atol=1e-4)


def test_whatever_is_not_pixels_may_be_long_or_damaged(tmp_path, capfd):
    noise = np.random.default_rng(0).bytes(1_500_000)
    chunks = chunk(b"tEXt", b"Comment\0" + b"x" * 9_000_000) + iccp(noise) + chunk(b"zTXt", b"k\0\0damaged")
    chunks += chunk(b"bKGD", b"") + chunk(b"PLTE", b"12") + chunk(b"eXIf", b"damaged") + chunk(b"sPLT", noise)
    (tmp_path / "a.png").write_bytes(png(COLORS, 2, 8, chunks))
    np.testing.assert_allclose(read_image(tmp_path / "a.png"), VALUES, atol=1e-6)
    assert capfd.readouterr() == ("", "")


def test_missing_end(tmp_path):
    (tmp_path / "a.png").write_bytes(png(COLORS, 2, 8)[:-12])
    np.testing.assert_allclose(read_image(tmp_path / "a.png"), VALUES, atol=1e-6)


def test_orientation_in_xmp(tmp_path):
    text = b'XML:com.adobe.xmp\0\0\0\0\0<rdf:Description tiff:Orientation="3"/>'
    (tmp_path / "a.png").write_bytes(png(COLORS, 2, 8, chunk(b"iTXt", text)))
    np.testing.assert_allclose(read_image(tmp_path / "a.png"), VALUES[::-1, ::-1], atol=1e-6)


@pytest.mark.parametrize(("depth", "color_type"), [(1, 0), (2, 3), (4, 3), (8, 0), (8, 2), (8, 4), (16, 2), (16, 6)])
def test_interlacing(tmp_path, capfd, depth, color_type):
    channels = {0: 1, 2: 3, 3: 1, 4: 2, 6: 4}[color_type]
    levels = np.random.default_rng(0).integers(0, min(2**depth, 2**16), (19, 29, channels))
    chunks = b""
    if color_type == 3:
        chunks = chunk(b"PLTE", bytes(range(100, 148))) + chunk(b"tRNS", bytes([255, 9, 80]))
    pictures = []
    for interlaced in (False, True):
        (tmp_path / "a.png").write_bytes(png(levels, color_type, depth, chunks, interlaced=interlaced))
        pictures.append(read_picture(tmp_path / "a.png"))
    np.testing.assert_array_equal(pictures[1].rgb, pictures[0].rgb)
    np.testing.assert_array_equal(pictures[1].alpha, pictures[0].alpha)
    assert capfd.readouterr() == ("", "")


@pytest.mark.parametrize("interlaced", [False, True])
def test_surplus_rows_are_read_without_a_line_of_the_decoder(tmp_path, capsys, monkeypatch, interlaced):
    monkeypatch.setattr(logging.root, "handlers", [])  # then Python prints what no handler takes
    plain, extra = png(COLORS, 2, 8, interlaced=interlaced), zlib.compress(packed(COLORS, 8) * 3)
    rows = zlib.decompress(plain[plain.index(b"IDAT") + 4 : -16])
    (tmp_path / "a.png").write_bytes(
        plain[: plain.index(b"IDAT") - 4] + chunk(b"IDAT", zlib.compress(rows + bytes(999)) + extra) + plain[-12:]
    )
    np.testing.assert_array_equal(read_image(tmp_path / "a.png"), (COLORS / 255).astype(np.float32))
    assert capsys.readouterr().err == ""


@pytest.mark.parametrize("depth", [1, 2, 4, 8])
def test_colors_beyond_the_palette_are_refused(tmp_path, depth):
    """Viewers show them black or transparent."""
    palette, indices = COLORS.reshape(-1, 3)[: 2**depth], np.arange(20 * 24).reshape(20, 24) % 2**depth
    for count in (2**depth, 2**depth - 1):
        path = tmp_path / f"{count}.png"
        path.write_bytes(png(indices, 3, depth, chunk(b"PLTE", palette[:count].tobytes())))
    np.testing.assert_array_equal(read_image(tmp_path / f"{2**depth}.png"), (palette[indices] / 255).astype(np.float32))
    assert f"color {2**depth - 1} of a palette with {2**depth - 1} color" in error_message(path, read_image, path)


def test_apple_png(tmp_path):
    content = png(COLORS, 2, 8)
    (tmp_path / "a.png").write_bytes(content[:8] + chunk(b"CgBI", bytes(4)) + content[8:])
    assert "Apple" in error_message(tmp_path / "a.png", read_image, tmp_path / "a.png")


# High dynamic range


@pytest.mark.parametrize(("transfer", "name"), [(16, "PQ"), (18, "HLG")])
def test_hdr_is_refused(tmp_path, transfer, name):
    path = tmp_path / "picture"
    hdr_profile = profile_with_code_points(9, transfer)
    image = Image.fromarray(COLORS)
    contents = [png(COLORS, 2, 8, cicp(9, transfer)), png(COLORS, 2, 8, iccp(hdr_profile))]
    contents += [encoded(image, kind, icc_profile=hdr_profile) for kind in ("TIFF", "JPEG", "WEBP", "AVIF")]
    for content in contents:
        path.write_bytes(content)
        assert f"HDR picture ({name}); expected standard dynamic range: export" in error_message(path, read_image, path)


@pytest.mark.parametrize("extension", ["avif", "heic"])
def test_code_points_of_avif_and_heic(tmp_path, extension):
    """Of the main picture: a thumbnail or a gain map has others."""
    path = tmp_path / f"a.{extension}"
    smooth = np.mgrid[40:200:20j, 40:200:24j, 0:1][[0, 1, 0], ..., 0].transpose(1, 2, 0).astype(np.uint8)
    smooth[..., 2] = 100

    def write(primaries: int, transfer: int) -> None:
        if extension == "avif":
            options = {"primaries": primaries, "transfer": transfer, "matrix": 0}
            path.write_bytes(imagecodecs.avif_encode(smooth, level=100, **options))
        else:
            heif = pytest.importorskip("pillow_heif")
            codes = {"color_primaries": primaries, "transfer_characteristics": transfer, "matrix_coefficients": 0}
            image = heif.from_pillow(Image.fromarray(smooth))
            image.save(path, quality=-1, chroma=444, full_range_flag=1, **codes)

    write(12, 13)
    expected = srgb_encoded(srgb_decoded(smooth / 255) @ FROM_DISPLAY_P3.T)
    np.testing.assert_allclose(read_image(path), expected, atol=0.03)
    write(9, 16)
    assert "HDR picture (PQ)" in error_message(path, read_picture, path)
    assert "HDR picture (PQ)" in error_message(path, read_shape, path)
