"""`jaxstyle grid`: every result equals that of a single command, and is in its cell on the sheet."""

import json
from pathlib import Path

import numpy as np
import pytest
from support.batches import TINY
from support.command import CONTENT, STYLE, run, succeed

from jaxstyle.images import read_image, write_image


def grid(out: Path, *arguments: object) -> dict:
    return json.loads(succeed("grid", CONTENT, STYLE, "-o", out, *tiny(*arguments), *arguments, "--json"))


def tiny(*arguments: object) -> list[object]:
    """The options TINY without those that vary."""
    varied = [str(argument).partition("=")[0] for argument in arguments]
    options = zip(TINY[::2], TINY[1::2], strict=True)
    return [word for name, value in options if name[2:] not in varied for word in (name, value)]


def test_every_result_equals_that_of_a_single_command_and_is_in_its_cell(tmp_path):
    sheet = tmp_path / "sheet.png"
    record = grid(sheet, "--rows", "init=content;noise", "--columns", "Seed = 0; 1;2")
    assert (record["rows"], record["columns"]) == (["init", ["content", "noise"]], ["seed", ["0", "1", "2"]])
    assert [result["output"] for result in record["results"]] == [
        f"{row}-{column}.png" for row in (1, 2) for column in (1, 2, 3)
    ]
    single = tmp_path / "single.png"
    single_record = json.loads(
        succeed("stylize", CONTENT, STYLE, "-o", single, *TINY, "--init", "noise", "--seed", 2, "--json")
    )
    assert (tmp_path / "sheet" / "2-3.png").read_bytes() == single.read_bytes()
    losses = record["results"][5]["losses"]
    assert {name: {"first": values[0], "last": values[-1]} for name, values in losses.items()} == single_record[
        "losses"
    ]
    assert {len(values) for values in losses.values()} == {3}

    pictures = [read_image(tmp_path / "sheet" / result["output"]) for result in record["results"]]
    whole = read_image(sheet)
    height, width = pictures[0].shape[0] + 16 + 4, pictures[0].shape[1] + 4
    body = whole[-2 * height :, -3 * width :]
    for index, picture in enumerate(pictures):
        top, left = index // 3 * height, index % 3 * width
        np.testing.assert_allclose(body[top : top + height - 20, left : left + width - 4], picture, atol=1 / 254)
        assert body[top + height - 20 : top + height - 4, left : left + width].min() < 0.5, "no loss"
    assert whole[: -2 * height].min() < 0.5 and whole[:, : -3 * width].min() < 0.5, "no titles"


def test_distances_are_those_of_the_results(tmp_path):
    record = grid(tmp_path / "sheet.png", "--rows", "init=content;noise", "--columns", "seed=0;1")
    distances = np.array(record["distances"])
    first, second = (read_image(tmp_path / "sheet" / f"2-{column}.png").astype(float) for column in (1, 2))
    assert distances[2, 3] == pytest.approx(np.sqrt(((first - second) ** 2).mean()), rel=1e-5)
    np.testing.assert_array_equal(distances, distances.T)
    assert distances[0, 1] == 0 < distances[0, 2], "the seed has no effect without noise"


def test_one_row_of_different_sizes(tmp_path):
    record = grid(tmp_path / "sheet.png", "--columns", "size=32;48")
    assert record["rows"] is None and np.shape(record["distances"]) == (2, 2)
    assert [max(read_image(tmp_path / "sheet" / name).shape) for name in ("1-1.png", "1-2.png")] == [32, 48]


def test_one_column(tmp_path):
    record = grid(tmp_path / "sheet.png", "--rows", "content-weight=0;1")
    assert record["columns"] is None and [result["output"] for result in record["results"]] == ["1-1.png", "2-1.png"]


def test_finished_results_are_not_computed_again(tmp_path):
    sheet, columns = tmp_path / "sheet.png", ("--columns", "content-weight=0;1")
    first = grid(sheet, *columns)
    (tmp_path / "sheet" / "1-2.png").unlink()
    again = grid(sheet, *columns)
    assert (first["done_before"], again["done_before"]) == (0, 1)
    assert first["distances"] == again["distances"]
    more = grid(sheet, "--columns", "content-weight=0;1;2")
    assert more["done_before"] == 2 and more["done"] == 3


def test_networks_can_vary(tmp_path):
    record = grid(tmp_path / "sheet.png", "--columns", "network=vgg16;random:vgg16")
    assert record["done"] == 2 and record["distances"][0][1] > 0


def test_a_pair_that_fails_leaves_its_cell_empty(tmp_path):
    thin = tmp_path / "thin.png"
    write_image(thin, np.full((20, 64, 3), 0.5, np.float32))
    out = tmp_path / "sheet.png"
    outcome = run("grid", thin, STYLE, "-o", out, *TINY[2:], "--columns", "size=32;64", "--json")
    record = json.loads(outcome.out)
    assert outcome.code == 1 and "1 of 2 pairs are done, 1 failed" in outcome.err
    assert [result["output"] for result in record["results"]] == ["1-2.png"] and len(record["failed"]) == 1
    assert (read_image(out)[-24:, :34] == 1).all()


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("--columns", "init"), "--columns has 'init'; expected OPTION=VALUE;VALUE;..., such as 'init=content;noise'"),
        (("--columns", "inti=noise"), "--columns has 'inti', which is not an option; the nearest is 'init'"),
        (("--columns", "foo=0;3"), "--columns has 'foo', which is not an option; expected one of size, steps, "),
        (("--columns", "steps=1;few"), "--columns, steps: 'few'; expected a whole number"),
        (("--columns", "steps=0"), "--steps is 0; expected a whole number from 1 to 1000000"),
        (("--columns", "steps=1;2", "--rows", "steps=3"), "--rows and --columns both vary steps"),
        (("--columns", "style-blend=1,2"), "--style-blend has 2 weights for 1 style;"),
        (("--columns", "seed=0;1", "--seed", 7), "there is --seed 7 too, and --columns varies it"),
        ((), "there is nothing to vary; give --columns, --rows or both"),
        (("--columns", "network=vgg19;resnet"), "--network is 'resnet'; expected one of vgg16"),
    ],
)
def test_errors_are_one_line(tmp_path, words, message):
    outcome = run("grid", CONTENT, STYLE, "-o", tmp_path / "sheet.png", *tiny(*words), *words)
    assert outcome.code == 2 and outcome.out == "" and message in outcome.err and outcome.err.count("\n") == 1
    assert not (tmp_path / "sheet.png").exists()


def test_pictures_of_others_are_not_replaced(tmp_path):
    sheet = tmp_path / "sheet.png"
    sheet.write_bytes(STYLE.read_bytes())
    outcome = run("grid", CONTENT, STYLE, "-o", sheet, *TINY, "--columns", "seed=0")
    assert outcome.code == 3 and "exists already" in outcome.err and sheet.read_bytes() == STYLE.read_bytes()
    assert run("grid", sheet, STYLE, "-o", sheet, *TINY, "--columns", "seed=0", "--overwrite").code == 2
