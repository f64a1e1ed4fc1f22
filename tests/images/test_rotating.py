"""Turning pictures, and the largest rectangle that has no corners."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.pictures import examples
from support.quick import random_picture

from jaxstyle.images import resize, rotate, rotated_shape

PIXEL = 1e-9


def corners_are_inside(rectangle: tuple[float, float], shape: tuple[int, int], degrees: float) -> bool:
    """Whether an upright rectangle with the same center lies within the turned picture."""
    angle = np.radians(degrees)
    matrix = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    corners = np.array([(x, y) for x in (-1, 1) for y in (-1, 1)]) * np.array(rectangle)[::-1] / 2
    return bool((np.abs(corners @ matrix) <= np.array(shape)[::-1] / 2 + PIXEL).all())


@examples
@given(st.integers(16, 300), st.integers(16, 300), st.floats(-360, 360))
def test_the_shape_is_that_of_the_largest_rectangle(height: int, width: int, degrees: float) -> None:
    inner = rotated_shape(height, width, degrees)
    assert corners_are_inside(inner, (height, width), degrees) or min(inner) == 1
    bound = (inner[0] + 3) * (inner[1] + 3)  # a border of a pixel is cut off, and fractions of one
    for other_width in np.linspace(1, height + width, 60):
        heights = [h for h in np.linspace(1, height + width, 200) if h * other_width > bound]
        assert not any(corners_are_inside((h, other_width), (height, width), degrees) for h in heights[:1])


@pytest.mark.parametrize(("degrees", "turns"), [(0, 0), (90, 1), (180, 2), (-90, 3), (360, 0)])
def test_right_angles_are_exact(degrees: float, turns: int) -> None:
    picture = random_picture(16, 23)
    np.testing.assert_array_equal(rotate(picture, degrees), np.rot90(picture, turns))


@pytest.mark.parametrize("degrees", [20, 45, 100, -30])
def test_a_smooth_picture_is_turned_counterclockwise_about_its_center(degrees: float) -> None:
    """Compared with the same waves, evaluated at the turned positions."""

    def waves(x: np.ndarray, y: np.ndarray) -> np.ndarray:
        return np.stack(
            [0.5 + 0.4 * np.sin(x / 9), 0.5 + 0.4 * np.cos(y / 7), 0.5 + 0.2 * np.sin((x + 2 * y) / 20)], -1
        )

    def positions(height: int, width: int) -> tuple[np.ndarray, np.ndarray]:
        x, y = np.arange(width) - (width - 1) / 2, np.arange(height) - (height - 1) / 2
        return np.meshgrid(x, y)

    found = rotate(waves(*positions(90, 121)), degrees)
    assert found.shape == (*rotated_shape(90, 121, degrees), 3) and found.dtype == np.float32
    x, y = positions(*found.shape[:2])
    angle = np.radians(degrees)  # y points down
    expected = waves(x * np.cos(angle) - y * np.sin(angle), x * np.sin(angle) + y * np.cos(angle))
    assert np.abs(found - expected).max() < 0.06  # up to half a pixel
    assert np.abs(found - resize(expected[::-1], *found.shape[:2])).max() > 0.3


def test_nothing_from_outside_is_in_it() -> None:
    for degrees in (1, 33, 45, 77, 135):
        assert rotate(np.ones((40, 61, 4), np.float32), degrees).min() > 0.999
