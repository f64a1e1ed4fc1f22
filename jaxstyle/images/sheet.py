"""Sheets of pictures: several pictures in rows and columns, with titles and captions."""

from collections.abc import Sequence
from textwrap import fill

import numpy as np
from PIL import Image, ImageDraw, ImageFont

# All in pixels.
GAP = 4  # below and to the right of every cell
_LINE_HEIGHT, _LETTER_WIDTH = 16, 7.5
_MARGIN = 12  # beside titles
_MAX_TITLE_WIDTH = 180  # of the titles of rows


def tile_pictures(rows: Sequence[Sequence[np.ndarray | None]]) -> np.ndarray:
    """Place rows of pictures `[h, w, 3]` in the centers of equal cells, on white; None leaves a cell empty."""
    height, width = np.max([picture.shape[:2] for row in rows for picture in row if picture is not None], 0) + GAP
    sheet = np.ones((height * len(rows), width * max(map(len, rows)), 3), np.float32)
    for y, row in enumerate(rows):
        for x, picture in enumerate(row):
            if picture is not None:
                top = y * height + (height - GAP - picture.shape[0]) // 2
                left = x * width + (width - GAP - picture.shape[1]) // 2
                sheet[top : top + picture.shape[0], left : left + picture.shape[1]] = picture
    return sheet


def add_titles(
    pictures: Sequence[Sequence[np.ndarray | None]], rows: Sequence[str] = (), columns: Sequence[str] = ()
) -> np.ndarray:
    """`tile_pictures`, with optional titles to the left of rows and above columns."""
    sheet = tile_pictures(pictures)
    height, width = sheet.shape[0] // len(pictures), sheet.shape[1] // max(map(len, pictures))
    if columns:
        titles = [_wrap(title, width - _MARGIN) for title in columns]
        lines = max(title.count("\n") + 1 for title in titles)
        header = [draw_text(title, _LINE_HEIGHT * lines + GAP, width) for title in titles]
        sheet = np.concatenate([np.concatenate(header, 1), sheet])
    if rows:
        titles = [_wrap(title, _MAX_TITLE_WIDTH) for title in rows]
        letters = max(len(line) for title in titles for line in title.split("\n"))
        left = [draw_text(title, height, round(_LETTER_WIDTH * letters) + _MARGIN) for title in titles]
        corner = np.ones((sheet.shape[0] - height * len(rows), *left[0].shape[1:]), np.float32)
        sheet = np.concatenate([np.concatenate([corner, *left]), sheet], 1)
    return sheet


def add_caption(picture: np.ndarray, caption: str) -> np.ndarray:
    """A picture `[h, w, 3]` with a line of text below."""
    return np.concatenate([picture, draw_text(caption, _LINE_HEIGHT, picture.shape[1])])


def _wrap(text: str, pixels: float) -> str:
    """Break lines of the text that are wider than `pixels`."""
    letters = max(1, int(pixels / _LETTER_WIDTH))
    return "\n".join(fill(line.replace(",", ", "), letters) for line in text.split("\n"))


def draw_text(text: str, height: int, width: int) -> np.ndarray:
    """Black text centered on white, `[H, W, 3]`, in lines 16 pixels high; text that does not fit is cut off."""
    image = Image.new("L", (width, height), 255)
    font = ImageFont.load_default(13)
    center = width / 2, height / 2
    ImageDraw.Draw(image).multiline_text(center, text, 0, font, anchor="mm", align="center", spacing=2)
    return np.repeat(np.asarray(image, np.float32)[..., None] / 255, 3, axis=-1)
