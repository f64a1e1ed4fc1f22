"""Many pictures as one: in rows and columns, with words beside them."""

from collections.abc import Sequence
from textwrap import fill

import numpy as np
from PIL import Image, ImageDraw, ImageFont

GAP = 4  # pixels, below and to the right of every cell
_LINE, _LETTER, _MARGIN, _WIDEST = 16, 7.5, 12, 180  # pixels: of words, and of the titles of rows


def tile_pictures(rows: Sequence[Sequence[np.ndarray | None]]) -> np.ndarray:
    """Rows of pictures `[h, w, 3]` in the middles of equal cells, on white; None leaves a cell empty."""
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
    """`tiled`, with titles to the left of the rows and above the columns, where there are some."""
    sheet = tile_pictures(pictures)
    height, width = sheet.shape[0] // len(pictures), sheet.shape[1] // max(map(len, pictures))
    if columns:
        titles = [_wrapped(title, width - _MARGIN) for title in columns]
        lines = max(title.count("\n") + 1 for title in titles)
        head = [draw_text(title, _LINE * lines + GAP, width) for title in titles]
        sheet = np.concatenate([np.concatenate(head, 1), sheet])
    if rows:
        titles = [_wrapped(title, _WIDEST) for title in rows]
        letters = max(len(line) for title in titles for line in title.split("\n"))
        beside = [draw_text(title, height, round(_LETTER * letters) + _MARGIN) for title in titles]
        corner = np.ones((sheet.shape[0] - height * len(rows), *beside[0].shape[1:]), np.float32)
        sheet = np.concatenate([np.concatenate([corner, *beside]), sheet], 1)
    return sheet


def add_caption(picture: np.ndarray, caption: str) -> np.ndarray:
    """A picture `[h, w, 3]` with a line of words below."""
    return np.concatenate([picture, draw_text(caption, _LINE, picture.shape[1])])


def _wrapped(text: str, pixels: float) -> str:
    """The text in lines that are not longer than this; lines that it has are kept."""
    letters = max(1, int(pixels / _LETTER))
    return "\n".join(fill(line.replace(",", ", "), letters) for line in text.split("\n"))


def draw_text(text: str, height: int, width: int) -> np.ndarray:
    """Black words in lines 16 pixels high, in the middle of white, `[H, W, 3]`; what is outside is cut off."""
    image = Image.new("L", (width, height), 255)
    font = ImageFont.load_default(13)
    place = width / 2, height / 2
    ImageDraw.Draw(image).multiline_text(place, text, 0, font, anchor="mm", align="center", spacing=2)
    return np.repeat(np.asarray(image, np.float32)[..., None] / 255, 3, axis=-1)
