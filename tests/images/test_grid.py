"""A grid of files, container x bits x kind x alpha x profile: all are read right. For TIFF see `test_tiff.py`."""

import io
from collections.abc import Iterator
from itertools import product

import imagecodecs
import numpy as np
import pytest
from PIL import Image, ImageCms
from support.grid import (
    ALPHA,
    EIGHT,
    GRAY,
    GRAY_PROFILE,
    HEIGHT,
    INKS,
    RGB,
    RGB_PROFILE,
    WIDTH,
    File,
    check,
    quantized,
    scaled,
    shown,
)
from support.pictures import cmyk, encoded, iccp, png

# PNG


def png_files(depth: int) -> Iterator[File]:
    for color_type, profile, interlaced in product((0, 2, 4, 6), (False, True), (False, True)):
        if color_type and depth < 8:
            continue
        values = RGB if color_type & 2 else GRAY
        samples, icc = quantized(values, depth), (RGB_PROFILE if color_type & 2 else GRAY_PROFILE) if profile else None
        alpha = quantized(ALPHA, depth) if color_type & 4 else None
        stored = samples if alpha is None else np.concatenate([samples, alpha], axis=-1)
        content = png(stored, color_type, depth, iccp(icc) if icc else b"", interlaced=interlaced)
        expected_alpha = None if alpha is None else scaled(alpha, depth)
        yield (
            f"{color_type} {depth} {profile} {interlaced}",
            content,
            shown(scaled(samples, depth), icc),
            expected_alpha,
        )


@pytest.mark.parametrize("depth", [1, 2, 4, 8, 16])
def test_png(tmp_path, depth):
    check(tmp_path, png_files(depth), 2e-3)


# Other containers


def netpbm_files() -> Iterator[File]:
    size = f"{WIDTH} {HEIGHT}".encode()
    for white, dtype in ((1, "u1"), (100, "u1"), (255, "u1"), (1000, ">u2"), (65535, ">u2")):
        for kind, values in (("5", GRAY), ("6", RGB)):
            samples = np.rint(values * white).astype(dtype)
            colors = shown(samples / white, None)
            yield (
                f"P{kind} {white}",
                f"P{kind}\n".encode() + size + f"\n{white}\n".encode() + samples.tobytes(),
                colors,
                None,
            )
            plain = " ".join(map(str, samples.ravel())).encode()
            header = f"P{int(kind) - 3} # a comment\n".encode() + size + f"\n{white}\n".encode()
            yield f"plain P{kind} {white}", header + plain, colors, None
    bits = GRAY[..., 0] > 0.5
    colors = shown(1.0 - bits[..., None], None)
    yield "P4", b"P4 " + size + b"\n" + np.packbits(bits, axis=1).tobytes(), colors, None
    yield "P1", b"P1 " + size + b"\n" + b"\n".join(b"".join(b"%d" % bit for bit in row) for row in bits), colors, None
    for kind, values in (("f", GRAY), ("F", RGB)):
        for order, sign in (("<", "-"), (">", "")):
            samples = values[::-1].astype(f"{order}f4").tobytes()
            yield (
                f"P{kind}",
                f"P{kind}\n".encode() + size + f"\n{sign}1.0\n".encode() + samples,
                shown(values, None),
                None,
            )
    samples = quantized(np.concatenate([RGB, ALPHA], axis=-1), 8)
    header = b"P7\nWIDTH 22\nHEIGHT 19\nDEPTH 4\nMAXVAL 255\nTUPLTYPE RGB_ALPHA\nENDHDR\n"
    yield "P7", header + samples.tobytes(), scaled(samples, 8)[..., :3], scaled(samples, 8)[..., 3:]


def test_netpbm(tmp_path):
    check(tmp_path, netpbm_files(), 1e-5)


def pillow_files(format_name: str, **options) -> Iterator[File]:
    gray, rgb, alpha = Image.fromarray(quantized(GRAY, 8)[..., 0]), Image.fromarray(EIGHT), quantized(ALPHA, 8)
    for profile in (False, True):
        chosen = options | ({"icc_profile": RGB_PROFILE} if profile else {})
        colors = shown(EIGHT / 255, RGB_PROFILE if profile else None)
        yield f"RGB {profile}", encoded(rgb, format_name, **chosen), colors, None
        if format_name in ("JPEG", "TIFF", "PNG", "JPEG2000"):
            chosen = options | ({"icc_profile": GRAY_PROFILE} if profile else {})
            colors = shown(np.asarray(gray)[..., None] / 255, GRAY_PROFILE if profile else None)
            yield f"L {profile}", encoded(gray, format_name, **chosen), colors, None
        if format_name != "JPEG":
            image = Image.fromarray(np.concatenate([EIGHT, alpha], axis=-1))
            yield f"RGBA {profile}", encoded(image, format_name, **options), RGB, scaled(alpha, 8)
    if format_name == "JPEG":
        colors = (1 - INKS[..., :3]) * (1 - INKS[..., 3:])
        yield "CMYK", encoded(cmyk(quantized(INKS, 8)), format_name, **options), colors, None


@pytest.mark.parametrize(
    ("format_name", "options", "tolerance"),
    [
        ("JPEG", {"quality": 100, "subsampling": 0}, 0.03),
        ("JPEG", {"quality": 100, "subsampling": 0, "progressive": True}, 0.03),
        ("WEBP", {"lossless": True, "exact": True}, 0.006),
        ("AVIF", {"quality": 100, "subsampling": "4:4:4"}, 0.08),
        ("TIFF", {}, 0.006),
        ("TIFF", {"compression": "tiff_lzw"}, 0.006),
    ],
)
def test_formats_that_pillow_writes(tmp_path, format_name, options, tolerance):
    check(tmp_path, pillow_files(format_name, **options), tolerance)


@pytest.mark.parametrize("bits", [8, 10, 12, 16])
def test_jpeg_2000(tmp_path, bits):
    files = []
    for values, alpha in product((GRAY, RGB), (None, ALPHA)):
        samples = quantized(values, bits)
        stored = samples if alpha is None else np.concatenate([samples, quantized(alpha, bits)], axis=-1)
        for container in ("jp2", "j2k"):
            content = imagecodecs.jpeg2k_encode(np.squeeze(stored), level=0, codecformat=container, bitspersample=bits)
            files.append((f"{stored.shape} {container}", content, shown(scaled(samples, bits), None), alpha))
    check(tmp_path, files, 0.006)


@pytest.mark.parametrize("bits", [8, 10, 12])
def test_avif(tmp_path, bits):
    files = []
    for alpha in (None, ALPHA):
        stored = quantized(RGB if alpha is None else np.concatenate([RGB, ALPHA], axis=-1), bits)
        content = imagecodecs.avif_encode(stored, level=100, bitspersample=bits, pixelformat="444")
        files.append((f"{bits}", content, RGB, alpha))
    check(tmp_path, files, 0.03 if bits == 8 else 0.01)


def test_jpeg_xl(tmp_path):
    plugin = pytest.importorskip("pillow_jxl")
    files = []
    for values, alpha in product((GRAY, RGB), (None, ALPHA)):
        stored = quantized(values if alpha is None else np.concatenate([values, alpha], axis=-1), 8)
        content = imagecodecs.jpegxl_encode(np.squeeze(stored), lossless=True)
        files.append((f"{stored.shape}", content, shown(scaled(stored, 8)[..., : values.shape[-1]], None), alpha))
    check(tmp_path, files, 3e-3)
    content = imagecodecs.jpegxl_encode(quantized(RGB, 16), lossless=True)
    # Encoders take 16 bits for sRGB or for linear light, and say so in the profile.
    profile = ImageCms.ImageCmsProfile(io.BytesIO(plugin.Decoder(num_threads=1)(content)[3]))
    colors = ImageCms.profileToProfile(Image.fromarray(EIGHT), profile, ImageCms.createProfile("sRGB"))
    check(tmp_path, [("16 bits", content, np.asarray(colors) / 255, None)], 0.02)


def test_heic(tmp_path):
    heif = pytest.importorskip("pillow_heif")
    files = []
    for bits, alpha in product((8, 16), (None, ALPHA)):
        stored = quantized(RGB if alpha is None else np.concatenate([RGB, ALPHA], axis=-1), bits)
        mode = ("RGB" if alpha is None else "RGBA") + (";16" if bits == 16 else "")
        path = tmp_path / "written.heic"
        heif.encode(mode, (WIDTH, HEIGHT), stored.tobytes(), path, quality=-1, chroma=444)
        files.append((mode, path.read_bytes(), RGB, alpha))
    check(tmp_path, files, 0.02)
