"""The pairs of a job, from folders and from manifests, and what is said about lines that cannot be meant."""

import csv
import io
import json
import os
import re
from dataclasses import fields
from pathlib import Path, PurePath

import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.command import CONTENT

from jaxstyle.config import StyleConfig
from jaxstyle.errors import ConfigError
from jaxstyle.jobs import find_pictures, pair_up, read_manifest
from jaxstyle.options import Options


def folder_of(path: Path, *names: str) -> Path:
    for name in names:
        (path / name).parent.mkdir(parents=True, exist_ok=True)
        (path / name).touch()
    return path


def written(tmp_path: Path, text: str | bytes, name: str = "pairs.csv") -> Path:
    path = tmp_path / name
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return path


def refusal(path: Path) -> str:
    with pytest.raises(ConfigError) as caught:
        read_manifest(path, Options())
    message = str(caught.value)
    assert message.startswith(f"{path}: ") and message.isprintable()
    return message.removeprefix(f"{path}: ")


class TestFolders:
    def test_have_pictures_by_their_names_in_order(self, tmp_path):
        folder_of(tmp_path, "b.jpg", "a.PNG", "c.heic", "notes.txt", ".hidden.png", "more/d.png", "e.safetensors")
        (tmp_path / "f.png").mkdir()  # no picture
        (tmp_path / "g.png").symlink_to("nowhere")
        found, others = find_pictures("--content", str(tmp_path))
        assert [path.name for path in found] == ["a.PNG", "b.jpg", "c.heic", "g.png"] and others == 3
        found, others = find_pictures("--style", str(tmp_path), styles=True)
        assert "e.safetensors" in {path.name for path in found} and others == 2

    def test_patterns_match_everything(self, tmp_path):
        folder_of(tmp_path, "b.jpg", "a.txt", "more/c.jpg", "[x].jpg")
        assert find_pictures("--content", f"{tmp_path}/**/[ac].*")[0] == [tmp_path / "a.txt", tmp_path / "more/c.jpg"]
        assert find_pictures("--content", f"{tmp_path}/[x].jpg")[0] == [tmp_path / "[x].jpg"]

    def test_are_in_the_order_of_numbers(self, tmp_path):
        folder_of(tmp_path, "c10.jpg", "c2.jpg", "C1.jpg", "c02b.jpg")
        for pattern in (tmp_path, f"{tmp_path}/*.jpg"):
            found, _ = find_pictures("--content", str(pattern))
            assert [path.name for path in found] == ["C1.jpg", "c2.jpg", "c02b.jpg", "c10.jpg"]

    def test_may_have_brackets_in_their_names(self, tmp_path):
        folder_of(tmp_path, "old [1]/b.jpg", "old [1]/more/a.jpg", "old 1/c.jpg")
        assert find_pictures("--content", f"{tmp_path}/old [1]/*.jpg")[0] == [tmp_path / "old [1]/b.jpg"]

    def test_without_pictures_are_refused(self, tmp_path):
        for pattern in (str(tmp_path), f"{tmp_path}/*.png", f"{tmp_path}/missing"):
            with pytest.raises(ConfigError, match=r"^--content is .* matches no picture; expected "):
                find_pictures("--content", pattern)

    def test_every_content_with_every_style_or_one_by_one(self):
        contents, styles = [Path("a.png"), Path("b.png")], [Path("x.png"), Path("y.png")]
        tasks = pair_up(contents, styles, Options(steps=7), zipped=False)
        assert [str(task.output) for task in tasks] == ["a--x.png", "a--y.png", "b--x.png", "b--y.png"]
        assert all(task.settings.config == StyleConfig(steps=7) for task in tasks)
        zipped = pair_up(contents, styles, Options(), zipped=True)
        assert [(task.content, task.styles) for task in zipped] == [
            (Path("a.png"), (Path("x.png"),)),
            (Path("b.png"), (Path("y.png"),)),
        ]
        with pytest.raises(ConfigError, match="--zip has 2 contents and 1 style;"):
            pair_up(contents, styles[:1], Options(), zipped=True)


COLUMNS = {
    "size": 80,
    "background": "red",
    "colors": "content=0.5",
    "strength": 1.5,
    "strength_mask": "where.png",
    "content_weight": 0.25,
    "style_weight": 2.0,
    "color_weight": 0.0,
    "tv_weight": 1e-3,
    "grain_weight": 0.4,
    "content_layers": "relu3_1=0.5,relu4_1",
    "style_layers": "pool1",
    "normalization": "gatys",
    "style_blend": "0.25,0.75",
    "style_scale": 0.5,
    "rotate_style": -30.0,
    "style_representation": "shifted",
    "regions": 3,
    "init": "start.png=0.5,noise=0.5",
    "steps": 7,
    "levels": 2,
    "tile_size": 512,
    "optimizer": "adam",
    "seed": 11,
    "network": "vgg16",
    "weights": "own.safetensors",
    "pooling": "avg",
    "precision": "bfloat16",
    "bits": 16,
    "dpi": 300,
    "profile": "keep",
}


def check_every_option(tmp_path: Path, manifest: Path) -> None:
    (tmp_path / "own.safetensors").touch()
    (task,) = read_manifest(manifest, Options())
    assert task.content == tmp_path / "a.png" and task.styles == (tmp_path / "b.png", tmp_path / "c.safetensors")
    assert task.output == PurePath("made/it.png")
    expected = StyleConfig(
        size=80,
        strength=1.5,
        content_weight=0.25,
        style_weight=2,
        color_weight=0,
        tv_weight=1e-3,
        grain_weight=0.4,
        colors=(("content", 0.5),),
        content_layers=(("relu3_1", 0.5), ("relu4_1", 1.0)),
        style_layers=(("pool1", 1.0),),
        normalization="gatys",
        style_blend=(0.25, 0.75),
        style_scale=0.5,
        rotate_style=-30,
        style_representation="shifted",
        regions=3,
        init=(("picture", 0.5), ("noise", 0.5)),
        steps=7,
        levels=2,
        tile_size=512,
        optimizer="adam",
    )
    settings = task.settings
    assert settings.config == expected and settings.seed == 11 and settings.background == "red"
    assert (settings.file.bits, settings.file.dpi, settings.file.profile) == (16, 300, "keep")
    assert settings.strength_mask == tmp_path / "where.png"
    assert settings.initial_picture == tmp_path / "start.png" and settings.weights == tmp_path / "own.safetensors"
    assert settings.network_key == ("vgg16", settings.weights, "avg", "bfloat16")


def test_columns_are_all_options():
    assert set(COLUMNS) == {field.name for field in fields(Options)}


@pytest.mark.parametrize("spelled", [str, lambda name: name.replace("_", "-"), str.upper])
def test_every_option_in_csv(tmp_path, spelled):
    folder_of(tmp_path, "start.png")
    head = ["content", "style", "output", *COLUMNS]
    text = io.StringIO()
    writer = csv.writer(text)
    writer.writerow(map(spelled, head))
    writer.writerow(["a.png", "b.png; c.safetensors", "made/it.png", *COLUMNS.values()])
    check_every_option(tmp_path, written(tmp_path, "\ufeff" + text.getvalue()))


def test_every_option_in_json_lines(tmp_path):
    folder_of(tmp_path, "start.png")
    lists = {
        "content_layers": {"relu3_1": 0.5, "relu4_1": 1},
        "style_layers": ["pool1"],
        "style_blend": [0.25, 0.75],
        "init": {"start.png": 0.5, "noise": 0.5},
    }
    cells = {"content": "a.png", "style": ["b.png", "c.safetensors"], "output": "made/it.png"}
    for more in ({}, lists):
        check_every_option(tmp_path, written(tmp_path, json.dumps(cells | COLUMNS | more) + "\n\n", "pairs.jsonl"))


def test_what_a_line_leaves_open_is_as_the_options_say(tmp_path):
    (start,) = folder_of(tmp_path / "elsewhere", "start.png").iterdir()
    options = Options(steps=3, init=str(start), weights=Path("own.safetensors"))
    manifest = written(tmp_path, "content,style,steps\na.png,b.png,\n\n/c.png,~/d.png,4\n")
    first, second = read_manifest(manifest, options)
    assert (first.settings.config.steps, second.settings.config.steps) == (3, 4)
    assert first.settings.initial_picture == start and first.settings.weights == Path("own.safetensors")
    assert second.content == Path("/c.png") and second.styles == (Path.home() / "d.png",)
    assert [str(task.output) for task in (first, second)] == ["a--b.png", "c--d.png"]


@given(
    st.lists(st.tuples(st.integers(1, 999), st.floats(0, 1e6), st.sampled_from(["a", "é,;\"'", "x\ny"])), min_size=1)
)
def test_csv_and_json_lines_say_the_same(tmp_path_factory, rows):
    tmp_path = tmp_path_factory.mktemp("manifests")
    records = [
        {"content": f"{name}.png", "style": "s.png", "steps": steps, "tv_weight": weight}
        for steps, weight, name in rows
    ]
    text = io.StringIO()
    writer = csv.DictWriter(text, records[0])
    writer.writeheader()
    writer.writerows(records)
    lines = "".join(json.dumps(record) + "\n" for record in records)
    one = read_manifest(written(tmp_path, text.getvalue()), Options())
    assert one == read_manifest(written(tmp_path, lines, "pairs.jsonl"), Options())
    assert [task.settings.config.tv_weight for task in one] == [weight for _, weight, _ in rows]
    assert len({task.output for task in one}) == len(rows)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (b"", "has no pairs; expected "),
        (b"content,style\n", "has no pairs; expected "),
        (b"\xff\xfe", "has no pairs; expected "),
        (b"\xff\xfec", r"has the byte order mark of UTF-16, but is something else \(.*\); expected CSV or JSON lines"),
        (
            "content,style\n".encode("utf-16-le"),
            "has zero bytes, as UTF-16 text without a byte order mark has; expected",
        ),
        ("content,style\na,b\nfü,b".encode("latin-1"), r"is not UTF-8 text \(line 3\); expected CSV or JSON lines: "),
        ("content,style,output\na,b,x/CON.png\n", ".*output: 'x/CON.png'; .* are for no file on Windows"),
        ("content,style,output\na,b,x./y.png\n", ".*output: 'x./y.png'; .* are for no file on Windows"),
        (
            "content;style\na;b\n",
            "line 1 is 'content;style', with ';' between the cells; expected commas: save the table as CSV with commas",
        ),
        ("content\tstyle\n", r"line 1 is .*, with '\\t' between the cells; expected commas"),
        ("content,style,stlye_weight\n", "line 1 has a column 'stlye_weight', which .* nearest is 'style_weight'"),
        (
            "content,style,json\n",
            "line 1 has a column 'json', which is not an option; expected one of content, style, ",
        ),
        ("content,steps\n", "line 1 has no 'style' among content, steps; expected content and style"),
        ("content,style,size,size\n", "line 1 has size twice; expected each column once"),
        ('{"content": "a", "style": "b", "size": 64, "size": 70}', "line 1 has size twice; expected each name once"),
        ('{"content": "a", "style": "b", "colors": {"content": 0, "content": 1}}', "line 1 has content twice; "),
        ("content,style\na,b\na,b,c\n", r"line 3 has 3 cells for 2 columns; expected one for each"),
        ('content,style\na,"b\n', "line 2 is not CSV "),
        ("content,style\n,b\n", "line 2, column content is empty; expected a file"),
        ("content,style\na,\n", "line 2, column style is empty; expected a file, or several"),
        ("content,style\na,b;;c\n", "line 2, column style: 'b;;c'; expected a file, or several"),
        ("content,style,size\n\na,b,12.5\n", "line 3, column size: '12.5'; expected a whole number"),
        ("content,style,tv_weight\na,b,much\n", "line 2, column tv_weight: 'much'; expected a number"),
        ("content,style,steps\na,b,0\n", "line 2, column steps is 0; expected a whole number from 1 to 1000000"),
        ("content,style,seed\na,b,-1\n", "line 2, column seed is -1; expected a whole number from 0 to 4294967295"),
        ("content,style,init\na,b,nois\n", "line 2, column init has 'nois', which is no file; expected one of "),
        ("content,style,style_blend\na,b,0.5\na,b;c,1\n", "line 3, column style_blend has 1 weight for 2 styles; "),
        (
            "content,style,init\na,b.safetensors,style\n",
            "line 2, column init has 'style', but .*b.safetensors is a saved style",
        ),
        ("content,style,output\na,b,../x.png\n", "line 2, column output: '../x.png'; expected a path within "),
        ("content,style,output\na,b,/x.png\n", "line 2, column output: '/x.png'; expected a path within "),
        ("content,style,output\na,b,./.JaxStyle/x.png\n", ".*output: './.JaxStyle/x.png'; .* outside .jaxstyle"),
        ("content,style,output\na,b,x.gif\n", "line 2, column output: 'x.gif'; expected .* ends in one of .png"),
        ("content,style,output,bits\na,b,x.png,16\na,b,x.jpg,16\n", "line 3: .jpg cannot store 16 bits; choose .png"),
        ("content,style,output\na,b,x.png\na,c,X.PNG\n", "line 3, column output: 'X.PNG' is the output of line 2; "),
        ("content,style,output\na,b,x.png\na,c,x.png/y.png\n", "line 3, .* is within 'x.png', the output of line 2; "),
        ("[1]", "line 1 is a list; expected an object on a line of its own"),
        ('{"content": "a"\n', r"line 1 is not JSON \(Expecting ',' delimiter, at column 16\); expected an object"),
        (9999 * "[" + "\n", r"line 1 is not JSON \(maximum recursion"),
        ('{"content": "a\\u0000", "style": "b"}', r"line 1, column content: 'a\\x00'; expected a file"),
        ('{"content": "a", "style": "b"}\n{"content": 1, "style": "b"}', "line 2, column content: 1; expected a file"),
        ('{"content": "a", "style": ["b", 1]}', "line 1, column style: .*; expected a file, or several"),
        ('{"content": "a", "style": "b", "seed": true}', "line 1, column seed: True; expected a whole number"),
        ('{"content": "a", "style": "b", "size": 12.5}', "line 1, column size: 12.5; expected a whole number"),
        ('{"content": "a", "style": "b", "size": Infinity}', "line 1, column size: inf; expected a whole number"),
        ('{"content": "a", "style": "b", "network": []}\n{"content": "a", "weights": 3}', "line 2 has no 'style' "),
        ('{"content": "a", "style": "b", "weights": 3}', "line 1, column weights: 3; expected a file"),
    ],
)
def test_what_cannot_be_meant_is_named(tmp_path, text, message):
    assert re.match(message, refusal(written(tmp_path, text)))


def test_a_manifest_that_is_not_there(tmp_path):
    assert refusal(tmp_path / "missing.csv").startswith("cannot be read (No such file or directory)")
    assert refusal(tmp_path).startswith("cannot be read (Is a directory)")


def test_a_real_file_is_found_from_the_manifest_folder(tmp_path):
    folder_of(tmp_path, "jobs/start.png")
    manifest = written(tmp_path / "jobs", f"content,style,init\n{CONTENT},{CONTENT},start.png\n")
    (task,) = read_manifest(manifest, Options())
    assert task.content == CONTENT and task.settings.initial_picture == tmp_path / "jobs" / "start.png"


class TestOddNames:
    """Names of files with the signs that separate names, and names that are not UTF-8."""

    NAMES = ("a,b;c.png", "-d=0.5.png", "[e].png", os.fsdecode(b"f\xfc.png"))

    @pytest.mark.parametrize("name", NAMES)
    def test_in_csv_and_json(self, tmp_path, name):
        folder_of(tmp_path, name, "style.png")
        table = io.StringIO()
        csv.writer(table).writerows([["content", "style", "init"], [name, name, name]])
        row = {"content": name, "style": [name, "style.png"], "init": f"{name}=2,noise=0.5"}
        for text in (table.getvalue(), json.dumps(row), json.dumps(row, ensure_ascii=False)):
            (task,) = read_manifest(written(tmp_path, os.fsencode(text)), Options())
            assert task.content == task.styles[0] == task.settings.initial_picture == tmp_path / name
            assert task.settings.config.init in ((("picture", 1.0),), (("picture", 2.0), ("noise", 0.5)))

    def test_a_table_in_another_encoding_is_refused(self, tmp_path):
        folder_of(tmp_path, "fü.png")
        text = "content,style\nfü.png,fü.png\n"
        assert len(read_manifest(written(tmp_path, text), Options())) == 1
        for encoding in ("latin-1", "utf-16-le", "utf-32-be"):
            assert "; expected" in refusal(written(tmp_path, text.encode(encoding)))

    @pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16-le", "utf-16-be", "utf-32-le", "utf-32-be"])
    def test_a_table_with_a_byte_order_mark_is_read(self, tmp_path, encoding):
        """As Excel and PowerShell write it."""
        folder_of(tmp_path, "fü.png")
        mark = "" if encoding == "utf-8-sig" else "\ufeff"
        for text in ("content,style\r\nfü.png,fü.png\r\n", '{"content": "fü.png", "style": "fü.png"}\r\n'):
            (task,) = read_manifest(written(tmp_path, (mark + text).encode(encoding)), Options())
            assert task.content == tmp_path / "fü.png"
