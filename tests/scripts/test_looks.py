"""The twelve pairs, blind choices, and the distance of a preview."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from scripts.looks import blind, compare
from scripts.looks.pairs import PAIRS, Pair, read_content

HARBOUR, COFFEE = Pair("harbour", "swirls", "landscape, long strokes"), Pair("coffee", "facets", "still life, planes")


def save(file: Path, picture: np.ndarray) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(np.round(255 * picture).astype(np.uint8)).save(file)


def test_there_are_twelve_pairs_and_contents_are_4_to_3() -> None:
    assert len({pair.name for pair in PAIRS}) == 12
    assert read_content("harbour", 64).shape == (48, 64, 3)


def test_a_blind_choice_is_counted_for_the_variant_on_that_side(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    pairs, shades = [HARBOUR, COFFEE], {"content": 0.2, "style": 0.4, "dark": 0.0, "bright": 1.0}
    monkeypatch.setattr(compare, "RUNS", tmp_path / "runs")
    monkeypatch.setattr(blind, "available_pairs", lambda: pairs)
    for pair in pairs:
        for name, shade in shades.items():
            save(compare.picture_file(pair, name, 64), np.full((48, 64, 3), shade))
    folder = tmp_path / "blind"
    blind.make(("dark", "bright"), folder, 64, seed=1)
    lines = []
    for pair in pairs:  # the brighter one is chosen by looking at the picture
        lower = np.asarray(Image.open(folder / f"{pair.name}.png"))[60:, :]
        lines.append(f"{pair.name} {'left' if lower[:, :64].mean() > lower[:, -64:].mean() else 'right'}\n")
    (folder / "choices.txt").write_text("".join(lines), encoding="utf-8")
    blind.open_key(folder)
    assert capsys.readouterr().out.endswith("of 2: {'dark': 0, 'bright': 2, 'equal': 0}\n")


def test_the_distance_of_a_preview_ignores_detail_and_sees_areas(tmp_path: Path) -> None:
    large = np.random.default_rng(0).random((96, 128, 3)) * 0.02 + np.linspace(0.2, 0.7, 128)[:, None]
    save(tmp_path / "large.png", large)
    reduced = Image.open(tmp_path / "large.png").resize((64, 48), Image.Resampling.LANCZOS)
    reduced.save(tmp_path / "same.png")
    save(tmp_path / "brighter.png", np.asarray(reduced) / 255 + 0.1)
    assert compare.preview_distance(tmp_path / "same.png", tmp_path / "large.png") < 1e-6
    assert compare.preview_distance(tmp_path / "brighter.png", tmp_path / "large.png") == pytest.approx(0.1, abs=0.01)
