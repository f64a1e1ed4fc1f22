"""The laboratory that the chapters of docs/paper are written in."""

import re
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from scripts.paper import CHAPTERS, ROOT, Lab

RED, BLUE = (np.full((8, 12, 3), color, np.float32) for color in ((1, 0, 0), (0, 0, 1)))


@pytest.fixture
def lab(tmp_path: Path) -> Lab:
    return Lab("starts", 64, docs=tmp_path / "docs", work=tmp_path / "work")


def shown(lab: Lab, markdown: str) -> np.ndarray:
    """The picture that Markdown in a page shows."""
    match = re.fullmatch(r"!\[[^]]+\]\(([^)/]+)\)", markdown)
    assert match
    with Image.open(lab.docs / match[1]) as image:
        return np.asarray(image.convert("RGB"), np.float32) / 255


class TestCached:
    def test_computes_once_though_the_run_begins_anew(self, lab: Lab):
        calls: list[int] = []

        def compute() -> dict[str, np.ndarray]:
            calls.append(1)
            return {"losses": np.arange(3.0)}

        first = lab.cached("noise, seed 1", compute)
        again = Lab(lab.chapter, lab.size, docs=lab.docs, work=lab.work).cached("noise, seed 1", compute)
        assert len(calls) == 1
        np.testing.assert_array_equal(first["losses"], again["losses"])

    def test_tells_keys_sizes_and_chapters_apart(self, lab: Lab):
        labs = [lab, Lab(lab.chapter, 96, work=lab.work), Lab("networks", lab.size, work=lab.work)]
        found = [
            each.cached(key, lambda key=key, index=index: (index, key))
            for index, each in enumerate(labs)
            for key in ("a=1", "a=-1")
        ]
        assert found == [(index, key) for index in range(3) for key in ("a=1", "a=-1")]

    def test_keeps_nothing_of_what_failed(self, lab: Lab):
        def fail() -> None:
            raise KeyboardInterrupt

        with pytest.raises(KeyboardInterrupt):
            lab.cached("a", fail)
        assert lab.cached("a", lambda: 2) == 2


class TestPictures:
    def test_picture_is_what_it_was(self, lab: Lab):
        assert abs(shown(lab, lab.picture("red", RED)) - RED).max() < 0.05

    def test_sheet_has_every_picture_in_its_cell_below_and_beside_the_titles(self, lab: Lab):
        plain = shown(lab, lab.sheet("plain", [[RED, BLUE], [None, RED]]))
        add_titles = shown(
            lab, lab.sheet("titled", [[RED, BLUE], [None, RED]], ["one", "two"], ["left\nside", "right"])
        )
        for sheet in (plain, add_titles):
            cells = sheet[-2 * 12 :, -2 * 16 :]
            assert cells[4, 6, 0] > 0.8 > cells[4, 6, 2] and cells[4, 22, 2] > 0.8 > cells[4, 22, 0]
            assert cells[16, 6].min() > 0.9 and cells[16, 22, 0] > 0.8 > cells[16, 22, 1]
        top, left = (add_titles.shape[axis] - plain.shape[axis] for axis in (0, 1))
        assert add_titles[:top].min() < 0.3 and add_titles[:, :left].min() < 0.3, "no titles"


def test_table_is_markdown(lab: Lab):
    assert lab.table(["start", "loss"], [["noise", 0.123456], ["pink", np.float32(2)]]) == (
        "| start | loss |\n| --- | --- |\n| noise | 0.123 |\n| pink | 2 |"
    )


@pytest.mark.parametrize("name", ["cat", "embers", "gravel"])
def test_examples_have_one_shape(lab: Lab, name: str):
    assert lab.example(name).shape == (48, 64, 3)


def test_every_chapter_is_there():
    assert all((ROOT / "scripts" / "paper" / f"{name}.py").is_file() for name in CHAPTERS)
