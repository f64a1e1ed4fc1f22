"""The tools that the chapters of docs/paper are written with."""

import re
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from scripts.paper import CHAPTERS, ROOT, Lab

RED, BLUE = (np.full((8, 12, 3), color, np.float32) for color in ((1, 0, 0), (0, 0, 1)))


@pytest.fixture
def lab(tmp_path: Path) -> Lab:
    return Lab("starts", 64, docs=tmp_path / "docs", cache=tmp_path / "cache")


def read_from_page(lab: Lab, markdown: str) -> np.ndarray:
    """The picture that the Markdown displays."""
    match = re.fullmatch(r"!\[[^]]+\]\(([^)/]+)\)", markdown)
    assert match
    with Image.open(lab.docs / match[1]) as image:
        return np.asarray(image.convert("RGB"), np.float32) / 255


class TestCached:
    def test_computes_once_even_in_a_new_run(self, lab: Lab):
        calls: list[int] = []

        def compute() -> dict[str, np.ndarray]:
            calls.append(1)
            return {"losses": np.arange(3.0)}

        first = lab.cached("noise, seed 1", compute)
        again = Lab(lab.chapter, lab.size, docs=lab.docs, cache=lab.cache).cached("noise, seed 1", compute)
        assert len(calls) == 1
        np.testing.assert_array_equal(first["losses"], again["losses"])

    def test_distinguishes_keys_sizes_and_chapters(self, lab: Lab):
        labs = [lab, Lab(lab.chapter, 96, cache=lab.cache), Lab("networks", lab.size, cache=lab.cache)]
        results = [
            labs[index].cached(key, lambda key=key, index=index: (index, key))
            for index in range(3)
            for key in ("a=1", "a=-1")
        ]
        assert results == [(index, key) for index in range(3) for key in ("a=1", "a=-1")]

    def test_caches_nothing_after_a_failure(self, lab: Lab):
        def fail() -> None:
            raise KeyboardInterrupt

        with pytest.raises(KeyboardInterrupt):
            lab.cached("a", fail)
        assert lab.cached("a", lambda: 2) == 2


class TestPictures:
    def test_saved_picture_is_unchanged(self, lab: Lab):
        assert abs(read_from_page(lab, lab.picture("red", RED)) - RED).max() < 0.05

    def test_sheet_has_every_picture_in_its_cell_and_titles_above_and_beside(self, lab: Lab):
        pictures = [[RED, BLUE], [None, RED]]
        plain = read_from_page(lab, lab.sheet("plain", pictures))
        titled = read_from_page(lab, lab.sheet("titled", pictures, ["one", "two"], ["left\nside", "right"]))
        for sheet in (plain, titled):
            cells = sheet[-2 * 12 :, -2 * 16 :]
            assert cells[4, 6, 0] > 0.8 > cells[4, 6, 2] and cells[4, 22, 2] > 0.8 > cells[4, 22, 0]
            assert cells[16, 6].min() > 0.9 and cells[16, 22, 0] > 0.8 > cells[16, 22, 1]
        top, left = (titled.shape[axis] - plain.shape[axis] for axis in (0, 1))
        assert titled[:top].min() < 0.3 and titled[:, :left].min() < 0.3, "no titles"


def test_table_is_markdown(lab: Lab):
    assert lab.table(["initial picture", "loss"], [["noise", 0.123456], ["pink", np.float32(2)]]) == (
        "| initial picture | loss |\n| --- | --- |\n| noise | 0.123 |\n| pink | 2 |"
    )


@pytest.mark.parametrize("name", ["cat", "embers", "gravel"])
def test_examples_have_one_shape(lab: Lab, name: str):
    assert lab.example(name).shape == (48, 64, 3)


def test_every_chapter_has_a_module():
    assert all((ROOT / "scripts" / "paper" / f"{name}.py").is_file() for name in CHAPTERS)
