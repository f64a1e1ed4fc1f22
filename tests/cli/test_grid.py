"""`jaxstyle grid`: every result is the one that a single command makes, and stands in its place on the sheet."""

import json
from pathlib import Path

import numpy as np
import pytest
from support.batches import TINY
from support.command import CONTENT, STYLE, run, succeed

from jaxstyle.images.reading import read_image
from jaxstyle.images.writing import write_image


def grid(out: Path, *arguments: object) -> dict:
    return json.loads(succeed("grid", CONTENT, STYLE, "-o", out, *TINY, *arguments, "--json"))


def test_every_result_is_that_of_a_single_command_and_in_its_place(tmp_path):
    sheet = tmp_path / "sheet.png"
    told = grid(sheet, "--rows", "init=content;noise", "--columns", "Seed = 0; 1;2")
    assert (told["rows"], told["columns"]) == (["init", ["content", "noise"]], ["seed", ["0", "1", "2"]])
    assert [result["output"] for result in told["results"]] == [
        f"{row}-{column}.png" for row in (1, 2) for column in (1, 2, 3)
    ]
    single = tmp_path / "single.png"
    record = json.loads(
        succeed("stylize", CONTENT, STYLE, "-o", single, *TINY, "--init", "noise", "--seed", 2, "--json")
    )
    assert (tmp_path / "sheet" / "2-3.png").read_bytes() == single.read_bytes()
    losses = told["results"][5]["losses"]
    assert {name: {"first": values[0], "last": values[-1]} for name, values in losses.items()} == record["losses"]
    assert {len(values) for values in losses.values()} == {3}

    pictures = [read_image(tmp_path / "sheet" / result["output"]) for result in told["results"]]
    whole = read_image(sheet)
    height, width = pictures[0].shape[0] + 16 + 4, pictures[0].shape[1] + 4
    body = whole[-2 * height :, -3 * width :]
    for index, picture in enumerate(pictures):
        top, left = index // 3 * height, index % 3 * width
        np.testing.assert_allclose(body[top : top + height - 20, left : left + width - 4], picture, atol=1 / 254)
        assert body[top + height - 20 : top + height - 4, left : left + width].min() < 0.5, "no loss"
    assert whole[: -2 * height].min() < 0.5 and whole[:, : -3 * width].min() < 0.5, "no titles"


def test_distances_are_those_of_the_results(tmp_path):
    told = grid(tmp_path / "sheet.png", "--rows", "init=content;noise", "--columns", "seed=0;1")
    distances = np.array(told["distances"])
    first, second = (read_image(tmp_path / "sheet" / f"2-{column}.png").astype(float) for column in (1, 2))
    assert distances[2, 3] == pytest.approx(np.sqrt(((first - second) ** 2).mean()), rel=1e-5)
    np.testing.assert_array_equal(distances, distances.T)
    assert distances[0, 1] == 0 < distances[0, 2], "the seed means nothing without noise"


def test_one_direction_and_sizes_that_differ(tmp_path):
    told = grid(tmp_path / "sheet.png", "--columns", "size=32;48")
    assert told["rows"] is None and np.shape(told["distances"]) == (2, 2)
    assert [max(read_image(tmp_path / "sheet" / name).shape) for name in ("1-1.png", "1-2.png")] == [32, 48]


def test_goes_on_where_it_was(tmp_path):
    sheet, columns = tmp_path / "sheet.png", ("--columns", "content-weight=0;1")
    first = grid(sheet, *columns)
    (tmp_path / "sheet" / "1-2.png").unlink()
    again = grid(sheet, *columns)
    assert (first["done_before"], again["done_before"]) == (0, 1)
    assert first["distances"] == again["distances"]
    more = grid(sheet, "--columns", "content-weight=0;1;2")
    assert more["done_before"] == 2 and more["done"] == 3


def test_networks_vary_too(tmp_path):
    told = grid(tmp_path / "sheet.png", "--columns", "network=vgg16;random:vgg16")
    assert told["done"] == 2 and told["distances"][0][1] > 0


def test_what_fails_leaves_its_place_empty(tmp_path):
    thin = tmp_path / "thin.png"
    write_image(thin, np.full((20, 64, 3), 0.5, np.float32))
    out = tmp_path / "sheet.png"
    ended = run("grid", thin, STYLE, "-o", out, *TINY, "--columns", "size=32;64", "--json")
    told = json.loads(ended.out)
    assert ended.code == 1 and "1 of 2 pairs are done, 1 failed" in ended.err
    assert [result["output"] for result in told["results"]] == ["1-2.png"] and len(told["failed"]) == 1
    assert (read_image(out)[-24:, :34] == 1).all()


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("--columns", "init"), "--columns has 'init'; expected OPTION=VALUE;VALUE;..., such as 'init=content;noise'"),
        (("--columns", "inti=noise"), "--columns has 'inti', which is no option; the nearest is 'init'"),
        (("--columns", "steps=1;few"), "--columns, steps: 'few'; expected a whole number"),
        (("--columns", "steps=0"), "steps is 0; expected a whole number from 1 up"),
        (("--columns", "steps=1;2", "--rows", "steps=3"), "--rows and --columns both vary steps"),
        (("--columns", "style-blend=1,2"), "style_blend has 2 weights for 1 styles"),
        (("--columns", "network=vgg19;resnet"), "--network is 'resnet'; expected one of vgg16"),
    ],
)
def test_what_cannot_be_meant_is_one_line(tmp_path, words, message):
    ended = run("grid", CONTENT, STYLE, "-o", tmp_path / "sheet.png", *TINY, *words)
    assert ended.code == 2 and ended.out == "" and message in ended.err and ended.err.count("\n") == 1
    assert not (tmp_path / "sheet.png").exists()


def test_no_picture_is_replaced_that_it_has_not_made(tmp_path):
    sheet = tmp_path / "sheet.png"
    sheet.write_bytes(STYLE.read_bytes())
    ended = run("grid", CONTENT, STYLE, "-o", sheet, *TINY, "--columns", "seed=0")
    assert ended.code == 3 and "exists already" in ended.err and sheet.read_bytes() == STYLE.read_bytes()
    assert run("grid", sheet, STYLE, "-o", sheet, *TINY, "--columns", "seed=0", "--overwrite").code == 2
