"""Enlarging a result to the next size. `tests/test_stylize.py` tests the schedule."""

import numpy as np
from support.quick import random_picture

from jaxstyle.images import resize
from jaxstyle.optimization import enlarge


class TestEnlarge:
    TARGET = random_picture(24, 32)
    CONTENT = resize(TARGET, 12, 16)

    def test_adds_half_of_the_detail_that_the_content_has_at_the_next_size(self) -> None:
        found = enlarge(self.CONTENT, self.CONTENT, self.TARGET)
        np.testing.assert_allclose(found, (resize(self.CONTENT, 24, 32) + self.TARGET) / 2, atol=1e-6)

    def test_a_result_without_texture_gets_only_the_detail(self) -> None:
        gray = np.full_like(self.CONTENT, 0.5)
        detail = self.TARGET - resize(self.CONTENT, 24, 32)
        np.testing.assert_allclose(enlarge(gray, self.CONTENT, self.TARGET), 0.5 + detail / 2, atol=1e-6)

    def test_content_without_detail_changes_nothing(self) -> None:
        flat, large = np.full((12, 16, 3), 0.3, np.float32), np.full((24, 32, 3), 0.3, np.float32)
        np.testing.assert_allclose(enlarge(self.CONTENT, flat, large), resize(self.CONTENT, 24, 32), atol=1e-6)
