"""Pictures much larger than what is asked for, and JPEG of which a part is missing."""

import io
import itertools
import re
import tracemalloc

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from PIL import Image
from support.pictures import encoded, error_message, examples, saved

from jaxstyle.images import read_image, read_picture, read_shape, resize, strips
from jaxstyle.images.readers import open_source

WAVES = np.sin(np.mgrid[0:20:701j, 0:30:1001j]).transpose(1, 2, 0) * 0.4 + 0.5
WAVES = np.dstack([WAVES, WAVES.mean(-1)]).astype(np.float32)  # [701, 1001, 3]; blocks of no size fill it
LEVELS = np.rint(255 * WAVES).astype(np.uint8)


@pytest.mark.parametrize("size", [500, 249, 61, 30])
@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("a.png", {}),
        ("a.tif", {}),
        ("a.bmp", {}),
        ("a.jpg", {"quality": 97}),
        ("a.webp", {"lossless": True, "method": 0}),
    ],
)
def test_shrinking_in_two_steps_does_not_show(tmp_path, name, options, size):
    path = saved(tmp_path / name, Image.fromarray(LEVELS), **options)
    picture = read_image(path, size=size)
    assert picture.shape[:2] == read_shape(path, size=size)
    np.testing.assert_allclose(picture, resize(LEVELS / 255, *picture.shape[:2]), atol=0.015)


@pytest.mark.parametrize("orientation", range(1, 9))
def test_shrinking_rotated_pictures(tmp_path, orientation):
    exif = Image.Exif()
    exif[0x0112] = orientation
    path = saved(tmp_path / "a.jpg", Image.fromarray(LEVELS), quality=97, exif=exif)
    picture = read_image(path, size=61)
    assert picture.shape[:2] == read_shape(path, size=61)
    np.testing.assert_allclose(picture, resize(read_image(path), *picture.shape[:2]), atol=0.015)


def test_shrinking_transparent_pictures(tmp_path):
    levels = np.dstack([LEVELS, 255 * (LEVELS[..., 0] > 128)]).astype(np.uint8)
    levels[levels[..., 3] == 0] = 0  # black, which must not bleed into the edges
    levels[levels[..., 3] > 0] = (200, 100, 50, 255)
    picture = read_picture(saved(tmp_path / "a.png", Image.fromarray(levels)), size=61)
    np.testing.assert_allclose(picture.alpha, resize(levels[..., 3] / 255, *picture.alpha.shape), atol=0.02)
    visible = picture.alpha > 0.05
    np.testing.assert_allclose(picture.rgb[visible] * 255, np.broadcast_to([200, 100, 50], (visible.sum(), 3)), atol=1)


@pytest.mark.parametrize("name", ["a.png", "a.jpg"])
@pytest.mark.parametrize("alpha", [False, True])
@pytest.mark.parametrize("size", [None, 1001, 1300, 700, 400, 61])
def test_strips_do_not_show(tmp_path, monkeypatch, name, alpha, size):
    levels = np.dstack([LEVELS, LEVELS[::-1, :, 0]]) if alpha and name == "a.png" else LEVELS
    path = saved(tmp_path / name, Image.fromarray(levels))
    whole = read_picture(path, size=size)
    monkeypatch.setattr(strips, "_STRIP_VALUES", 40_000)
    picture = read_picture(path, size=size)
    atol = 0 if size in (None, 1001) else 2e-5
    np.testing.assert_allclose(picture.rgb, whole.rgb, atol=atol)
    assert (picture.alpha is None) == (whole.alpha is None)
    if whole.alpha is not None:
        np.testing.assert_allclose(picture.alpha, whole.alpha, atol=atol)


def test_a_few_transparent_rows_are_found_in_strips(tmp_path, monkeypatch):
    levels = np.dstack([LEVELS, np.full(LEVELS.shape[:2], 255, np.uint8)])
    levels[:20, :, 3] = 0
    monkeypatch.setattr(strips, "_STRIP_VALUES", 40_000)
    picture = read_picture(saved(tmp_path / "a.png", Image.fromarray(levels)), size=500)
    assert picture.alpha.shape == picture.rgb.shape[:2]
    assert picture.alpha[:6].max() < 0.1 and picture.alpha[14:].min() > 0.9


def test_jpeg_is_decoded_at_a_fraction_of_its_size():
    source = open_source(io.BytesIO(encoded(Image.fromarray(LEVELS), "JPEG")))
    shapes = {factor: source.decode(factor).values.shape[:2] for factor in (1, 2, 3, 5, 9)}
    assert shapes == {1: (701, 1001), 2: (351, 501), 3: (351, 501), 5: (176, 251), 9: (88, 126)}


@pytest.mark.parametrize(("size", "most"), [(64, 80e6), (1400, 140e6)])
def test_memory_for_a_smaller_copy(tmp_path, monkeypatch, size, most):
    monkeypatch.setattr(strips, "_STRIP_VALUES", 2**21)
    path = saved(tmp_path / "a.png", Image.new("RGB", (4000, 3000)))  # 36 MB decoded, 144 MB as floats
    tracemalloc.start()
    try:
        read_image(path, size=size)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < most, peak


def test_more_than_100_megapixels(tmp_path):
    path = saved(tmp_path / "a.jpg", Image.new("L", (12000, 9000), 99))
    assert read_shape(path) == (9000, 12000)
    np.testing.assert_allclose(read_image(path, size=64), np.full((48, 64, 3), 99 / 255), atol=1e-6)


# JPEG of which a part is missing


def jpeg(*, progressive: bool, **options) -> bytes:
    noise = np.random.default_rng(0).integers(0, 256, (75, 125, 3)).astype(np.uint8)
    return encoded(Image.fromarray(noise).resize((250, 150)), "JPEG", progressive=progressive, **options)


@pytest.mark.parametrize("progressive", [False, True])
@pytest.mark.parametrize("missing", [1, 2])
@pytest.mark.parametrize("size", [None, 60])
def test_a_jpeg_without_the_marker_of_its_end_is_whole(tmp_path, progressive, missing, size):
    (tmp_path / "whole.jpg").write_bytes(jpeg(progressive=progressive))
    (tmp_path / "a.jpg").write_bytes(jpeg(progressive=progressive)[:-missing])
    expected = read_image(tmp_path / "whole.jpg", size=size)
    np.testing.assert_array_equal(read_image(tmp_path / "a.jpg", size=size), expected)


@pytest.mark.parametrize("progressive", [False, True])
def test_a_jpeg_that_is_cut_short_is_refused(tmp_path, progressive):
    path, content = tmp_path / "a.jpg", jpeg(progressive=progressive)
    scans = [place for place in range(700, len(content)) if content[place : place + 2] == b"\xff\xda"]
    assert progressive == (len(scans) > 1)
    for length in (*scans, *np.linspace(700, len(content) - 4, 20).astype(int)):
        path.write_bytes(content[:length])
        assert "cut short" in error_message(path, read_image, path)


@pytest.mark.parametrize("progressive", [False, True])
def test_zeros_in_place_of_the_rest_of_a_jpeg(tmp_path, progressive):
    """As of a download that stopped, into a file of the full length."""
    path, content = tmp_path / "a.jpg", jpeg(progressive=progressive)
    for length in np.linspace(900, len(content) - 4, 9).astype(int):
        path.write_bytes(content[:length] + bytes(9000))
        assert "cut short" in error_message(path, read_image, path)
    path.write_bytes(content[:-2] + bytes(9000))
    assert read_image(path).shape == (150, 250, 3)


@pytest.mark.parametrize("end", [b"", b"\xff\xd9"])
def test_a_jpeg_of_one_color_that_is_cut_short_is_refused(tmp_path, end):
    content = encoded(Image.new("RGB", (167, 133), (200, 200, 200)), "JPEG", quality=5)
    for missing in range(7, 60, 4):
        (tmp_path / "a.jpg").write_bytes(content[: -missing - 2] + end)
        assert "cut short" in error_message(tmp_path / "a.jpg", read_image, tmp_path / "a.jpg")


@pytest.mark.parametrize("zeros", [0, 9000])
def test_zeros_in_place_of_the_rest_of_an_area_of_one_color(tmp_path, zeros):
    """Zeros also code such an area: here more than are in place of what differs from it in the last rows."""
    levels = np.zeros((96, 160, 3), np.uint8)
    levels[80:] = np.random.default_rng(0).integers(0, 256, (16, 160, 3))
    content = encoded(Image.fromarray(levels), "JPEG", optimize=True)
    start = content.index(b"\xff\xda") + 14
    for length in np.linspace(start, len(content) - 5, 20).astype(int):
        (tmp_path / "a.jpg").write_bytes(content[:length] + bytes(len(content) - length + zeros))
        assert "cut short" in error_message(tmp_path / "a.jpg", read_image, tmp_path / "a.jpg")


def test_what_follows_the_end_is_ignored(tmp_path):
    (tmp_path / "a.jpg").write_bytes(jpeg(progressive=False) + b"another picture of a phone" * 9)
    assert read_image(tmp_path / "a.jpg").shape == (150, 250, 3)


@pytest.mark.parametrize("interval", [0, 1, 3])
def test_a_jpeg_with_missing_data_and_an_end_is_refused(tmp_path, interval):
    """Wherever they are missing: decoders go on with gray, or at the next marker, without a word."""
    path, content = tmp_path / "a.jpg", jpeg(progressive=False, restart_marker_rows=interval)
    start = content.index(b"\xff\xda") + 14
    for length in np.linspace(start, len(content) - 9, 7).astype(int):
        path.write_bytes(content[:length] + b"\xff\xd9")
        assert "data are missing" in error_message(path, read_image, path)
    path.write_bytes(content[: len(content) // 2] + content[len(content) // 2 + 300 :])
    assert "data are missing" in error_message(path, read_image, path)


def test_missing_data_of_each_scan_of_a_jpeg(tmp_path):
    """A decoder goes on with the next scan."""
    path, content = tmp_path / "a.jpg", jpeg(progressive=True)
    ends = [place for place in range(700, len(content) - 1) if content[place] == 255 and content[place + 1] >= 0xC4]
    assert len(ends) > 10
    for end in (end for start, end in itertools.pairwise(ends) if content[start + 1] == 0xDA):
        path.write_bytes(content[: end - 20] + content[end:])
        assert "data are missing" in error_message(path, read_image, path)


@pytest.mark.parametrize("progressive", [False, True])
@pytest.mark.parametrize("count", [1, 8])
def test_missing_intervals_of_a_jpeg(tmp_path, progressive, count):
    content = jpeg(progressive=progressive, restart_marker_blocks=2)
    places = [place for place in range(len(content)) if content[place] == 255 and 208 <= content[place + 1] <= 215]
    (tmp_path / "a.jpg").write_bytes(content[: places[5]] + content[places[5 + count] :])
    assert "data are missing" in error_message(tmp_path / "a.jpg", read_image, tmp_path / "a.jpg")


@pytest.mark.parametrize("progressive", [False, True])
def test_fill_bytes_before_markers(tmp_path, progressive):
    """Any number of bytes FF may be before a marker (ITU-T T.81, B.1.1.2)."""
    content = jpeg(progressive=progressive, restart_marker_blocks=5)
    (tmp_path / "whole.jpg").write_bytes(content)
    start = content.index(b"\xff\xda")
    filled = content[:start] + re.sub(rb"\xff(?=[\xd0-\xda\xc4])", b"\xff\xff\xff", content[start:])
    (tmp_path / "a.jpg").write_bytes(filled)
    assert len(filled) > len(content) + 50
    np.testing.assert_array_equal(read_image(tmp_path / "a.jpg"), read_image(tmp_path / "whole.jpg"))


OPTIONS = {
    "quality": st.sampled_from([5, 50, 95]),
    "progressive": st.booleans(),
    "optimize": st.booleans(),
    "subsampling": st.sampled_from(["4:4:4", "4:2:2", "4:2:0"]),
    "restart_marker_blocks": st.sampled_from([0, 1, 2, 7]),
}
OPTIMIZED = {"quality": 50, "optimize": True, "subsampling": "4:2:2"}  # a bit codes that nothing changes


@settings(examples, max_examples=60)
# Data that end with 17 zeros; with 57, after the zero of a header; with one for blocks beyond the edge only.
@example((25, 41), 0, 0, False, OPTIMIZED | {"subsampling": "4:4:4"}, 2)
@example((64, 101), 0, 128, False, OPTIMIZED, 2)
@example((117, 39), 0, 255, False, OPTIMIZED, 2)
@given(
    st.tuples(st.integers(16, 120), st.integers(16, 120)),
    st.sampled_from([0, 0.3, 1]),
    st.integers(0, 255),
    st.booleans(),
    st.fixed_dictionaries(OPTIONS),
    st.integers(0, 2),
)
def test_whole_jpegs_are_read_as_their_decoder_gives_them(tmp_path, shape, noisy, level, is_gray, options, missing):
    levels, rows = np.full((*shape, 3), level, np.uint8), int(noisy * shape[0])
    levels[:rows] = np.random.default_rng(0).integers(0, 256, (rows, shape[1], 3))
    content = encoded(Image.fromarray(levels[..., 0] if is_gray else levels), "JPEG", **options)
    (tmp_path / "a.jpg").write_bytes(content[: len(content) - missing])
    expected = np.asarray(Image.open(io.BytesIO(content)).convert("RGB")) / np.float32(255)
    np.testing.assert_array_equal(read_image(tmp_path / "a.jpg"), expected)
