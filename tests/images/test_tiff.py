"""TIFF in all layouts, written by hand: bits x storage x interpretation x alpha x profile: read right, or refused."""

from collections.abc import Iterator
from itertools import cycle, product

import numpy as np
import pytest
from support import tiffs
from support.grid import (
    ACROSS,
    ALPHA,
    EIGHT,
    GRAY,
    GRAY_PROFILE,
    INKS,
    RGB,
    RGB_PROFILE,
    SHAPE,
    File,
    check,
    quantized,
    scaled,
    shown,
)
from support.pictures import error_message, srgb_encoded
from support.tiffs import Layout, tiff

from jaxstyle.images import read_picture

PLAIN = Layout(photometric=tiffs.RGB)
FORMATS = [(bits, tiffs.UNSIGNED) for bits in (1, 2, 4, 8, 10, 12, 14, 16, 32)]
FORMATS += [(bits, tiffs.FLOAT) for bits in (16, 32, 64)]


def storages(bits: int, sample_format: int) -> Iterator[dict]:
    """How the same samples can be stored, over and over."""
    predictors = {tiffs.UNSIGNED: 2 if bits in (8, 16, 32) else 1, tiffs.FLOAT: 3}
    compressed = {"compression": tiffs.DEFLATE, "predictor": predictors[sample_format]}
    compressions = ({}, compressed, {"compression": tiffs.PACKBITS}, {"compression": tiffs.DEFLATE})
    return cycle(
        compression | {"order": order, "big": big, "tile": tile}
        for compression, order, big, tile in product(compressions, "<>", (False, True), (None, 16))
    )


def tiff_files(bits: int, sample_format: int) -> Iterator[File]:
    storage, floats = storages(bits, sample_format), sample_format == tiffs.FLOAT
    for interpretation, planar, extra, profile in product(
        (tiffs.WHITE_IS_ZERO, tiffs.BLACK_IS_ZERO, tiffs.RGB), (False, True), (None, 0, 1, 2), (False, True)
    ):
        values = RGB if interpretation == tiffs.RGB else GRAY
        samples = quantized(values, bits, floats=floats)
        alpha = None if extra is None else quantized(ALPHA, bits, floats=floats)
        expected, expected_alpha = scaled(samples, bits), None
        if extra in (tiffs.ASSOCIATED, tiffs.UNASSOCIATED):
            expected_alpha = scaled(alpha, bits)
        if extra == tiffs.ASSOCIATED:
            if bits < 16 or interpretation == tiffs.WHITE_IS_ZERO:
                continue  # too coarse to compare; not defined
            samples = quantized(values * ALPHA, bits, floats=floats)
        if interpretation == tiffs.WHITE_IS_ZERO:
            samples = samples.max() - samples
        icc = (RGB_PROFILE if interpretation == tiffs.RGB else GRAY_PROFILE) if profile else None
        layout = Layout(
            bits,
            sample_format,
            interpretation,
            None if extra is None else (extra,),
            planar=planar,
            tags=((34675, 7, tuple(icc)),) if icc else (),
            **next(storage),
        )
        stored = samples if extra is None else np.concatenate([samples, alpha], axis=-1)
        yield str(layout)[:150], tiff((stored, layout)), shown(expected, icc), expected_alpha


@pytest.mark.parametrize(("bits", "sample_format"), FORMATS)
def test_tiff(tmp_path, bits, sample_format):
    check(tmp_path, tiff_files(bits, sample_format), 5e-3)


def palette_files() -> Iterator[File]:
    for bits, unit, extra in product((1, 2, 4, 8, 16), (1, 256, 257), (None, (tiffs.UNASSOCIATED,))):
        palette = np.linspace([0, 255, 10], [255, 0, 90], 2**bits).astype(int)
        if bits == 16 and unit > 1:  # all 16 bits of colors too
            palette = np.linspace([0, 65535, 10], [65535, 0, 9000], 2**bits).astype(int)
            unit = 1
        layout = Layout(bits, photometric=tiffs.PALETTE, extra=extra, tags=((320, 3, tuple(unit * palette.T.ravel())),))
        indices = quantized(GRAY, bits)
        stored = indices if extra is None else np.concatenate([indices, quantized(ALPHA, bits)], axis=-1)
        colors = palette[indices[..., 0]] / (255 if palette.max() < 256 else 65535)
        yield f"{bits} {unit} {extra}", tiff((stored, layout)), colors, extra and scaled(quantized(ALPHA, bits), bits)


def test_tiff_with_a_palette(tmp_path):
    check(tmp_path, palette_files(), 1e-3)


def other_tiff_files(bits: int) -> Iterator[File]:
    """Inks, luma and chroma, and L*a*b*."""
    white, dtype = 2**bits - 1, "u1" if bits == 8 else "u2"
    luma = RGB @ [0.299, 0.587, 0.114]
    chroma = [(RGB[..., 2] - luma) / 1.772, (RGB[..., 0] - luma) / 1.402]  # ITU-R BT.601
    ycc = np.stack([luma * white, *(c * white + (white + 1) / 2 for c in chroma)], axis=-1)
    lightness = 100 * ACROSS
    luminance = np.where(lightness > 8, ((lightness + 16) / 116) ** 3, lightness / 903.3)  # CIE 1976
    neutral = np.zeros(SHAPE)
    top, middle = (255, 128) if bits == 8 else (0xFF00, 0x8000)
    for planar, order in product((False, True), "<>"):
        options = {"planar": planar, "order": order}
        name = f"{bits} {options}"
        layout = Layout(bits, photometric=tiffs.INKS, **options)
        yield f"inks {name}", tiff((quantized(INKS, bits), layout)), (1 - INKS[..., :3]) * (1 - INKS[..., 3:]), None
        layout = Layout(bits, photometric=tiffs.YCBCR, tags=((530, 3, (1, 1)),), **options)
        yield f"YCbCr {name}", tiff((np.rint(ycc).clip(0, white).astype(dtype), layout)), RGB, None
        lab = np.stack([ACROSS * white, neutral, neutral], axis=-1)
        colors = shown(srgb_encoded(luminance)[..., None], None)
        yield (
            f"CIELab {name}",
            tiff((np.rint(lab).astype(dtype), Layout(bits, photometric=tiffs.CIELAB, **options))),
            colors,
            None,
        )
        lab = np.stack([ACROSS * top, neutral + middle, neutral + middle], axis=-1)
        yield (
            f"ICCLab {name}",
            tiff((np.rint(lab).astype(dtype), Layout(bits, photometric=tiffs.ICCLAB, **options))),
            colors,
            None,
        )


@pytest.mark.parametrize(("bits", "tolerance"), [(8, 0.011), (16, 2e-3)])
def test_tiff_of_other_interpretations(tmp_path, bits, tolerance):
    check(tmp_path, other_tiff_files(bits), tolerance)


@pytest.mark.parametrize("bits", [8, 16])
@pytest.mark.parametrize(
    ("lab", "rgb"),
    [((54.29, 80.80, 69.89), (1, 0, 0)), ((87.82, -79.27, 80.99), (0, 1, 0)), ((29.57, 68.30, -112.03), (0, 0, 1))],
)
def test_tiff_of_saturated_lab(tmp_path, bits, lab, rgb):
    """The primaries of sRGB in L*a*b* of D50."""
    unit = 2 ** (bits - 8)
    numbers = np.rint([lab[0] / 100 * (2**bits - 1), lab[1] * unit, lab[2] * unit]).astype(int) % 2**bits
    stored = np.broadcast_to(numbers, (*SHAPE, 3)).astype("u1" if bits == 8 else "u2")
    (tmp_path / "a.tif").write_bytes(tiff((stored, Layout(bits, photometric=tiffs.CIELAB))))
    np.testing.assert_allclose(read_picture(tmp_path / "a.tif").rgb[5, 5], rgb, atol=0.06)


def test_tiff_with_a_predictor_that_its_compression_does_not_have(tmp_path):
    layouts = (Layout(photometric=tiffs.RGB, compression=kind, tags=((317, 3, (2,)),)) for kind in (1, 32773))
    check(tmp_path, [(str(layout), tiff((EIGHT, layout)), EIGHT / 255, None) for layout in layouts], 1e-5)


@pytest.mark.parametrize("pages", [1, 2, 3])
def test_tiff_of_several_pages(tmp_path, pages):
    content = tiff(
        *[(EIGHT, PLAIN), (255 - EIGHT, PLAIN), (EIGHT[:4, :5], Layout(photometric=tiffs.RGB, big=False))][:pages]
    )
    check(tmp_path, [("pages", content, EIGHT / 255, None)], 1e-5)


@pytest.mark.parametrize(
    ("stored", "layout", "message"),
    [
        (np.zeros(SHAPE, np.int16), Layout(16, tiffs.SIGNED), "signed samples"),
        (np.zeros(SHAPE, np.uint32), Layout(24), "samples of 24 bits"),
        (EIGHT, Layout(photometric=tiffs.YCBCR), "subsampled chroma"),
        (EIGHT, Layout(photometric=32845), "photometric interpretation 32845"),
        (EIGHT, Layout(photometric=tiffs.INKS), "3 samples per pixel"),
        (EIGHT, Layout(photometric=tiffs.BLACK_IS_ZERO, extra=(0, 0)), "3 samples per pixel"),
        (
            np.zeros((*SHAPE, 4), np.uint8),
            Layout(photometric=tiffs.INKS, tags=((332, 3, (2,)),)),
            "4 samples per pixel",
        ),
        (quantized(RGB, 32, floats=True), Layout(32, 3, tiffs.CIELAB), "floats that are no gray values"),
        (EIGHT, Layout(photometric=tiffs.RGB, compression=34661), "compression 34661"),
        (EIGHT[..., :1], Layout(12, compression=tiffs.DEFLATE, tags=((317, 3, (2,)),)), "differences of 12 bits"),
        (2 * quantized(GRAY, 32, floats=True), Layout(32, 3), "float values from 0 to 2"),
        (EIGHT[..., :1], Layout(16, photometric=32803), "camera's raw file"),
        (EIGHT, Layout(photometric=tiffs.RGB, tags=((50706, 1, (1, 4, 0, 0)),)), "camera's raw file"),
        (EIGHT, Layout(photometric=tiffs.RGB, tags=((254, 4, (1,)),)), "thumbnail"),
        (EIGHT[..., :1], Layout(tags=((254, 4, (4,)),)), "transparency mask"),
    ],
)
def test_tiff_that_is_refused(tmp_path, stored, layout, message):
    path = tmp_path / "a.tif"
    path.write_bytes(tiff((stored, layout)))
    assert message in error_message(path, read_picture, path)


@pytest.mark.parametrize(
    "content",
    [
        tiff((EIGHT, PLAIN), (quantized(GRAY, 16), Layout(16, photometric=32803))),
        tiff((EIGHT, PLAIN), preamble=b"CR\2\0" + bytes(4)),  # Canon
    ],
)
def test_preview_before_raw_data_is_not_read(tmp_path, content):
    path = tmp_path / "a.raw"
    path.write_bytes(content)
    assert "camera's raw file" in error_message(path, read_picture, path)


@pytest.mark.parametrize("compression", [tiffs.NONE, tiffs.DEFLATE])
@pytest.mark.parametrize("lengths", [(0, 462, 330), (462, 0, 330), (462, 462), (462, 462, 9999)])
def test_tiff_without_some_of_its_strips(tmp_path, compression, lengths):
    path = tmp_path / "a.tif"
    path.write_bytes(tiff((EIGHT, Layout(photometric=tiffs.RGB, compression=compression, tags=((279, 4, lengths),)))))
    assert "cut short" in error_message(path, read_picture, path)


@pytest.mark.parametrize("layout", [PLAIN, Layout(photometric=tiffs.RGB, tile=16, compression=tiffs.PACKBITS)])
@pytest.mark.parametrize("missing", [1, 30, 900])
def test_tiff_cut_short(tmp_path, layout, missing):
    path = tmp_path / "a.tif"
    path.write_bytes(tiff((EIGHT, layout))[:-missing])
    assert "cut short" in error_message(path, read_picture, path)
