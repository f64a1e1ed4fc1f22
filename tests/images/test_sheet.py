"""Sheets of pictures: positions of pictures, titles and captions."""

import numpy as np
import pytest

from jaxstyle.images import add_caption, add_titles, draw_text, tile_pictures

SMALL, LARGE = np.full((4, 6, 3), 0.25, np.float32), np.full((8, 10, 3), 0.75, np.float32)


def test_tile_pictures():
    sheet = tile_pictures([[SMALL, LARGE], [None, SMALL]])
    expected = np.ones((24, 28, 3), np.float32)
    expected[2:6, 2:8] = SMALL
    expected[0:8, 14:24] = LARGE
    expected[14:18, 16:22] = SMALL
    np.testing.assert_array_equal(sheet, expected)


def test_rows_may_have_different_lengths():
    np.testing.assert_array_equal(
        tile_pictures([[SMALL], [SMALL, SMALL]]), tile_pictures([[SMALL, None], [SMALL, SMALL]])
    )


def test_titles_do_not_change_the_pictures():
    rows = [[SMALL, LARGE], [None, SMALL]]
    sheet, plain = add_titles(rows, ["one", "two"], ["left", "right"]), tile_pictures(rows)
    below, beside = (sheet.shape[axis] - plain.shape[axis] for axis in (0, 1))
    assert below > 0 and beside > 0
    np.testing.assert_array_equal(sheet[below:, beside:], plain)
    assert (sheet[:below, :beside] == 1).all()


def test_titles_are_centered_on_their_rows_and_columns():
    large = np.full((60, 80, 3), 0.75, np.float32)
    sheet = add_titles([[large] * 2] * 3, ["x", "", "x"], ["", "x"])
    below, beside = sheet.shape[0] - 3 * 64, sheet.shape[1] - 2 * 84
    rows, columns = (1 - sheet[below:, :beside, 0]).sum(1), (1 - sheet[:below, beside:, 0]).sum(0)
    assert np.average(np.arange(64), weights=rows[:64]) == pytest.approx(32, abs=3)
    assert np.average(np.arange(64), weights=rows[128:]) == pytest.approx(32, abs=3)
    assert rows[64:128].sum() == 0 and columns[:84].sum() == 0
    assert np.average(np.arange(84), weights=columns[84:]) == pytest.approx(42, abs=3)


@pytest.mark.parametrize("title", ["relu1_1,relu2_1,relu3_1,relu4_1,relu5_1=0.25", "a" * 90, "two\nlines"])
def test_long_titles_are_not_cut_off(title: str):
    """Text that is cut off has black pixels at an edge."""
    large = np.full((120, 100, 3), 0.75, np.float32)
    sheet = add_titles([[large, large]], [title], [title, ""])
    below, beside = sheet.shape[0] - 124, sheet.shape[1] - 2 * 104
    for text in (sheet[below:, :beside], sheet[:below, beside : beside + 104]):
        assert text.min() < 0.5
        for edge in (text[0], text[-1], text[:, 0], text[:, -1]):
            assert (edge == 1).all()


def test_add_caption():
    picture = add_caption(np.full((20, 90, 3), 0.5, np.float32), "loss 0.125")
    assert picture.shape[1:] == (90, 3) and (picture[:20] == 0.5).all()
    assert picture[20:].min() < 0.5


def test_empty_text_is_white():
    assert (draw_text("", 16, 20) == 1).all()
