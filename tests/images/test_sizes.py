"""Resizing against a naive Lanczos filter, and the sizes at which pictures are read."""

import contextlib
import re

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import ExifTags, Image
from support.pictures import COLORS, encoded, error_message, examples, saved

from jaxstyle.errors import ConfigError, PictureError
from jaxstyle.images import MIN_SIDE, check_same_proportions, fit_shape, read_image, read_picture, read_shape, resize


@given(st.integers(1, 10**5), st.integers(1, 10**5), st.integers(1, 10**5))
def test_fit_shape_keeps_proportions(height, width, longest):
    new_height, new_width = fit_shape(height, width, longest)
    assert max(new_height, new_width) == longest and min(new_height, new_width) >= 1
    scale = longest / max(height, width)
    assert abs(new_height - height * scale) <= max(0.5, 1 - height * scale) + 1e-6
    assert abs(new_width - width * scale) <= max(0.5, 1 - width * scale) + 1e-6


pictures = st.tuples(st.integers(1, 40), st.integers(1, 40), st.integers(0, 2**32 - 1)).map(
    lambda n: np.random.default_rng(n[2]).random((n[0], n[1], 3), np.float32)
)
sides = st.integers(1, 60)


def lanczos_weights(old: int, new: int) -> np.ndarray:
    """The matrix `[new, old]` of a Lanczos-3 filter (Duchon 1979), widened by the scale when shrinking."""
    scale = max(old / new, 1)
    centers = (np.arange(new)[:, None] + 0.5) * old / new
    distance = (np.arange(old) + 0.5 - centers) / scale
    weights = np.where(abs(distance) < 3, np.sinc(distance) * np.sinc(distance / 3), 0)
    return weights / weights.sum(axis=1, keepdims=True)


@examples
@given(pictures, sides, sides)
def test_resize_is_a_lanczos_filter(picture, height, width):
    rows, columns = lanczos_weights(picture.shape[0], height), lanczos_weights(picture.shape[1], width)
    expected = np.einsum("ij,jkc,lk->ilc", rows, picture.astype(np.float64), columns).clip(0, 1)
    resized = resize(picture, height, width)
    assert resized.dtype == np.float32
    np.testing.assert_allclose(resized, expected, atol=1e-5)


@examples
@given(st.floats(0, 1, width=32), sides, sides, sides, sides)
def test_resize_keeps_a_constant(level, height, width, new_height, new_width):
    resized = resize(np.full((height, width), level, np.float32), new_height, new_width)
    assert resized.shape == (new_height, new_width)
    np.testing.assert_allclose(resized, level, atol=1e-6)


@examples
@given(pictures, st.integers(8, 60), st.integers(8, 60))
def test_resize_keeps_range_and_mean(picture, height, width):
    picture = 0.25 + picture / 2
    resized = resize(picture, height, width)
    assert resized.min() >= 0 and resized.max() <= 1
    assert abs(resized.mean() - picture.mean()) < 0.1


@pytest.mark.parametrize(("size", "shape"), [(None, (20, 24)), (48, (40, 48)), (20, (17, 20))])
def test_size_is_the_length_of_the_longest_side(tmp_path, size, shape):
    picture = read_image(saved(tmp_path / "a.png", Image.fromarray(COLORS)), size=size)
    assert picture.shape == (*shape, 3)
    np.testing.assert_allclose(picture, resize(COLORS / 255, *shape), atol=1e-6)


def test_too_small(tmp_path):
    path = saved(tmp_path / "a.png", Image.new("RGB", (300, MIN_SIDE - 1)))
    assert "300x15 pixels; expected at least 16" in error_message(path, read_image, path)
    assert "300x15" in error_message(path, read_image, path, size=3000)
    assert read_image(saved(tmp_path / "b.png", Image.new("RGB", (300, MIN_SIDE)))).shape == (MIN_SIDE, 300, 3)


@given(st.integers(16, 40), st.integers(41, 900))
@examples
def test_too_small_after_resizing_suggests_a_size(tmp_path, height, width):
    path = saved(tmp_path / "a.png", Image.new("L", (width, height)))
    message = error_message(path, read_image, path, size=15)
    min_size = int(re.search(r"use size (\d+) or more", message)[1])
    assert MIN_SIDE <= min(read_image(path, size=min_size).shape[:2]) <= MIN_SIDE + 1


@pytest.mark.parametrize("size", [0, -5])
def test_size_below_1(tmp_path, size):
    path = saved(tmp_path / "a.png", Image.fromarray(COLORS))
    with pytest.raises(ConfigError, match=f"^size is {size}; expected a whole number from 1 up$"):
        read_image(path, size=size)


def test_too_large_size(tmp_path):
    path = saved(tmp_path / "a.png", Image.fromarray(COLORS))
    message = error_message(path, read_image, path, size=10**6)
    assert message.endswith("use a smaller size, or for a style picture a smaller style scale")


@pytest.mark.parametrize("format_name", ["JPEG", "PNG", "TIFF", "WEBP", "AVIF"])
def test_read_shape_equals_the_shape_of_the_picture(tmp_path, format_name):
    path = tmp_path / "picture"
    for orientation in range(10):  # valid from 1 to 8
        exif = Image.Exif()
        exif[ExifTags.Base.Orientation] = orientation
        Image.new("RGB", (40, 20)).save(path, format_name, exif=exif)
        for size in (None, 64):
            assert read_shape(path, size=size) == read_picture(path, size=size).rgb.shape[:2]


def test_read_shape_raises_the_same_errors(tmp_path):
    path = tmp_path / "picture.png"
    for data in (None, b"", b"text", encoded(Image.new("RGB", (40, 10)), "PNG")):
        if data is not None:
            path.write_bytes(data)
        assert error_message(path, read_shape, path) == error_message(path, read_picture, path)
    path.write_bytes(encoded(Image.new("RGB", (400, 100)), "PNG"))
    assert error_message(path, read_shape, path, size=40) == error_message(path, read_picture, path, size=40)


@pytest.mark.parametrize(
    ("shape", "other", "same"),
    [
        ((600, 800), (300, 400), True),
        ((612, 800), (600, 800), True),  # 2 %
        ((617, 800), (600, 800), False),  # 3 %
        ((11, 16), (4000, 6000), True),  # within a pixel
        ((400, 300), (300, 400), False),
        ((200, 800), (600, 800), False),
    ],
)
def test_same_proportions(shape, other, same):
    """Whichever comes first, turned, and with another axis behind."""
    for one, two in ((shape, other), (other, shape), (shape[::-1], other[::-1])):
        with contextlib.nullcontext() if same else pytest.raises(PictureError) as caught:
            check_same_proportions("a.png", (*one, 3), "b.png", two)
        if caught:
            assert str(caught.value) == (
                f"a.png has {one[1]} x {one[0]} pixels and b.png has {two[1]} x {two[0]}; "
                "expected the same proportions: crop one of them"
            )
