"""Enlarging a result to the next size. `tests/test_stylize.py` tests the schedule."""

import jax
import numpy as np
import pytest
from support.quick import random_picture

from jaxstyle.images import resize
from jaxstyle.optimization import enlarge, resize_padded


class TestEnlarge:
    TARGET = random_picture(24, 32)
    CONTENT = resize(TARGET, 12, 16)

    def test_adds_the_detail_that_the_content_has_at_the_next_size(self) -> None:
        found = enlarge(self.CONTENT, self.CONTENT, self.TARGET)
        np.testing.assert_allclose(found, self.TARGET, atol=1e-6)

    def test_a_result_without_texture_gets_only_the_detail(self) -> None:
        gray = np.full_like(self.CONTENT, 0.5)
        detail = self.TARGET - resize(self.CONTENT, 24, 32)
        np.testing.assert_allclose(enlarge(gray, self.CONTENT, self.TARGET), 0.5 + detail, atol=1e-6)

    def test_content_without_detail_changes_nothing(self) -> None:
        flat, large = np.full((12, 16, 3), 0.3, np.float32), np.full((24, 32, 3), 0.3, np.float32)
        np.testing.assert_allclose(enlarge(self.CONTENT, flat, large), resize(self.CONTENT, 24, 32), atol=1e-6)


@pytest.mark.parametrize(("old", "new"), [((24, 37), (48, 75)), ((48, 75), (24, 37)), ((20, 30), (20, 30))])
@pytest.mark.parametrize("padding", [0, 5])
def test_resizing_a_padded_picture_is_resizing_it_and_padding_the_result(old, new, padding):
    picture = random_picture(*old)
    expected = np.pad(resize(picture, *new), ((0, padding), (0, 2 * padding), (0, 0)))
    padded = np.pad(picture, ((0, 2 * padding), (0, padding), (0, 0)))
    resized = jax.jit(resize_padded, static_argnums=(1, 2))(
        padded, *expected.shape[:2], extent=np.array(old), new_extent=np.array(new)
    )
    np.testing.assert_allclose(resized, expected, atol=1e-5)
