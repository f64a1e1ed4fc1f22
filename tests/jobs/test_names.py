"""Names of results: readable, the same on every run, and never one for two."""

import os
import unicodedata
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jaxstyle.jobs.names import is_portable, name_results

stems = st.text("aAbB.-_é\u0301ß中", min_size=1, max_size=6).filter(lambda stem: set(stem) != {"."})
suffixes = st.sampled_from([".jpg", ".JPG", ".png", ""])
files = st.builds(
    lambda folders, stem, suffix: Path("/", *folders, stem + suffix), st.lists(stems, max_size=2), stems, suffixes
)
pairs = st.lists(st.tuples(files, st.lists(files, min_size=1, max_size=2)), min_size=1, max_size=8)


def names_of(*pairs: tuple[str, str], given: tuple[str | None, ...] = ()) -> list[str]:
    contents, styles = zip(*pairs, strict=True)
    return name_results(
        list(map(Path, contents)), [list(map(Path, style.split(";"))) for style in styles], given or [None] * len(pairs)
    )


@pytest.mark.parametrize(
    ("pairs", "expected"),
    [
        ([("a/cat.jpg", "b/sea.png")], ["cat--sea.png"]),
        ([("cat.jpg", "sea.png;sky.jpg")], ["cat--sea+sky.png"]),
        ([("cat.jpg", "sea.png"), ("cat.png", "sea.png")], ["cat.jpg--sea.png", "cat.png--sea.png"]),
        ([("cat.jpg", "sea.png"), ("CAT.PNG", "sea.png")], ["cat.jpg--sea.png", "CAT.PNG--sea.png"]),
        ([("a/cat.jpg", "sea.png"), ("b/Cat.jpg", "sea.png")], ["a_cat.jpg--sea.png", "b_Cat.jpg--sea.png"]),
        ([("cat.jpg", "sea.png"), ("CAT.JPG", "sea.png")], ["cat-2--sea.png", "CAT--sea.png"]),
        (
            [("a_b/c", "s"), ("a/b_c", "s"), ("x/c", "s"), ("x/b_c", "s")],
            ["a_b_c-2--s.png", "a_b_c--s.png", "x_c--s.png", "x_b_c--s.png"],
        ),
        ([("a/c", "s"), ("A/c", "s"), ("b/c", "s")], ["a_c-2--s.png", "A_c--s.png", "b_c--s.png"]),
        ([("cat.jpg", "sea.png")] * 3, ["cat--sea.png", "cat--sea-2.png", "cat--sea-3.png"]),
        ([("a--b", "c"), ("a", "b--c")], ["a--b--c.png", "a--b--c-2.png"]),
        ([("cat.jpg", "cat.png")], ["cat--cat.png"]),
    ],
)
def test_names_are_as_short_as_can_be(pairs, expected):
    assert names_of(*pairs) == expected


def test_names_that_are_given_are_kept_and_avoided():
    names = names_of(("cat.jpg", "sea.png"), ("cat.jpg", "sea.png"), given=(None, "Cat--Sea.png"))
    assert names == ["cat--sea-2.png", "Cat--Sea.png"]
    assert names_of(("cat", "sea"), ("x", "y"), given=(None, "cat--sea.png/x.png"))[0] == "cat--sea-2.png"


def test_a_file_under_two_paths_is_one():
    assert names_of(("cat.jpg", "sea"), (os.path.abspath("cat.jpg"), "sky")) == ["cat--sea.png", "cat--sky.png"]


@given(pairs)
def test_no_two_are_one_on_any_file_system(pairs):
    contents, styles = zip(*pairs, strict=True)
    names = name_results(contents, styles, [None] * len(pairs))
    seen = {unicodedata.normalize("NFD", name).upper().lower() for name in names}
    assert len(seen) == len(pairs)
    assert all(name.endswith(".png") and "/" not in name and len(name.encode()) < 256 for name in names)
    assert name_results(contents, styles, [None] * len(pairs)) == names


@given(pairs)
def test_a_folder_that_moves_changes_no_name(pairs):
    contents, styles = zip(*pairs, strict=True)
    moved = [Path("/elsewhere/b", *content.parts[1:]) for content in contents]
    names = [None] * len(pairs)
    assert name_results(contents, styles, names) == name_results(moved, styles, names)


def test_long_names_are_shortened_and_differ():
    long = "x" * 240
    first, second = names_of((long + ".jpg", "sea.png"), (long + ".jpg", "sky.png"))
    assert first != second and max(len(first), len(second)) < 256 and first.startswith("xxx")


@pytest.mark.parametrize("name", ["CON.png", "nul", "aux .png", "com1.tar.jpg", "photo. .jpg", "photo..png", ".. .png"])
def test_names_that_windows_reserves_become_others(name: str):
    (result,) = names_of((name, name))
    assert is_portable(result) and result.endswith(".png")


@pytest.mark.parametrize("name", ["CON", "con.png", "Nul .txt", "LPT1.a.b", "a.", "a ", "a.png ", "..."])
def test_names_that_windows_takes_for_others(name: str):
    assert not is_portable(name)


@pytest.mark.parametrize("name", ["console.png", "com.png", "com12.png", "a con.png", ".con", "con-1.png", "a b.png"])
def test_names_that_only_resemble_these(name: str):
    assert is_portable(name)
