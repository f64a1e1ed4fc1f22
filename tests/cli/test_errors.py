"""Bad input: one line on stderr, an exit code for the kind of error, and no files left behind."""

import errno
import os
import shutil
from pathlib import Path

import pytest
from PIL import Image
from support.command import CONTENT, STYLE, fake_stylize, run, succeed

from jaxstyle.config import TERMS
from jaxstyle.errors import JaxStyleError
from jaxstyle.weights import path_of

FAILURE, USAGE, PICTURE, WEIGHTS, STYLE_FILE = 1, 2, 3, 4, 6  # exit codes


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of good and bad pictures."""
    folder = tmp_path_factory.mktemp("files")
    shutil.copy(CONTENT, folder / "content.jpg")
    shutil.copy(STYLE, folder / "style.jpg")
    (folder / "empty.png").touch()
    (folder / "cut.jpg").write_bytes(CONTENT.read_bytes()[:9000])
    (folder / "text.png").write_text("These are words, not a picture.")
    (folder / "folder.png").mkdir()
    (folder / "exists.png").write_text("precious")
    with path_of("vgg16").open("rb") as weights:
        (folder / "damaged.safetensors").write_bytes(weights.read(100_000))
    (folder / "weights.csv").write_text("content,style,weights\na.jpg,b.jpg,\na.jpg,b.jpg,no.safetensors\n")
    Image.new("RGB", (9, 200)).save(folder / "small.png")
    Image.new("RGB", (4000, 40)).save(folder / "long.png")
    Image.new("RGBA", (40, 40), (255, 0, 0, 99)).save(folder / "glass.png")
    Image.new("RGBA", (40, 40)).save(folder / "air.png")
    dot = Image.new("RGBA", (960, 960))
    dot.putpixel((8, 8), (255, 0, 0, 255))
    dot.save(folder / "dot.png")
    os.symlink("content.jpg", folder / "link.jpg")
    return folder


@pytest.fixture
def folder(files: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy of these files as the working directory."""
    shutil.copytree(files, tmp_path, symlinks=True, dirs_exist_ok=True)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def contents(folder: Path) -> dict[str, bytes]:
    return {str(path): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def refused(folder: Path, command: str) -> tuple[int, str]:
    before = contents(folder)
    outcome = run(*command.split(" "))
    assert contents(folder) == before, "a file was written or changed"
    assert outcome.out == ""
    assert outcome.err.startswith("jaxstyle: error: ") and outcome.err.endswith("\n")
    line = outcome.err.removeprefix("jaxstyle: error: ").removesuffix("\n")
    assert line.isprintable() and line
    return outcome.code, line


LONG = 260 * "x"  # more than any system allows in a name
PAIR = "stylize content.jpg style.jpg -o out.png --size 64"
EXPORT = "export --width 64 --height 48"


@pytest.mark.parametrize(
    ("command", "code", "found"),
    [
        # The command line itself
        ("stylise content.jpg", USAGE, "there is no command 'stylise'; expected one of stylize, "),
        ("stylize", USAGE, "CONTENT is missing; add it; see: jaxstyle stylize --help"),
        ("stylize content.jpg -o out.png", USAGE, "STYLE is missing; add it"),
        ("stylize content.jpg style.jpg", USAGE, "-o / --output is missing; add it"),
        (f"{PAIR} --colour-weight 1", USAGE, "there is no option --colour-weight; expected one like --color-weight, "),
        (f"{PAIR} --size wide", USAGE, "--size is 'wide'; expected "),
        (f"{PAIR} --steps many", USAGE, "--steps is 'many'; expected a whole number; see: jaxstyle stylize --help"),
        (f"{PAIR} --strength much", USAGE, "--strength is 'much'; expected a number; see: jaxstyle stylize --help"),
        (f"{PAIR} --save-every 0", USAGE, "--save-every is '0'; expected a number from 1 up; see: jaxstyle stylize"),
        (f"{PAIR} --seed {10**30}", USAGE, "--seed is 1000000000000000000000000000000; expected a whole"),
        (f"{PAIR} --steps {10**9}", USAGE, "--steps is 1000000000; expected a whole number from 1 to 1000000"),
        (f"{PAIR} --steps", USAGE, "--steps has no value; expected one after it"),
        (f"{PAIR} --overwrite=yes", USAGE, "--overwrite has a value; expected it alone"),
        ("style show a b c", USAGE, "there is 'b c' after the last argument; leave it out; see: jaxstyle style show"),
        ("gram draw", USAGE, "there is no command 'draw'; expected one of maximize, show, sample"),
        (f"{PAIR} --steps 1.5", USAGE, "--steps is '1.5'; expected a whole number"),
        (f"{PAIR} --seed -1", USAGE, "seed is -1; expected a whole number from 0 to 4294967295"),
        (f"{PAIR} --tv-weight", USAGE, "--tv-weight"),
        # Pictures to read
        ("stylize nothing.jpg style.jpg -o out.png", PICTURE, "nothing.jpg: cannot be read (No such file"),
        ("stylize folder.png style.jpg -o out.png", PICTURE, "folder.png: is a folder"),
        ("stylize empty.png style.jpg -o out.png", PICTURE, "empty.png: is empty (0 bytes)"),
        ("stylize cut.jpg style.jpg -o out.png", PICTURE, "cut.jpg: is damaged, cut short"),
        ("stylize text.png style.jpg -o out.png", PICTURE, "text.png: holds text: 'These are words"),
        ("stylize small.png style.jpg -o out.png", PICTURE, "small.png: has 9x200 pixels"),
        ("stylize long.png style.jpg -o out.png", PICTURE, "long.png: has 4000x40 pixels and would get 512x5"),
        ("stylize content.jpg nothing.jpg -o out.png", PICTURE, "nothing.jpg: cannot be read"),
        ("stylize content.jpg folder.png -o out.png", PICTURE, "folder.png: is a folder"),
        ("stylize content.jpg empty.png -o out.png", PICTURE, "empty.png: is empty"),
        ("stylize content.jpg style.jpg cut.jpg -o out.png", PICTURE, "cut.jpg: is damaged"),
        ("stylize content.jpg text.png -o out.png", PICTURE, "text.png: holds text"),
        ("stylize content.jpg long.png -o out.png", PICTURE, "long.png: has 4000x40 pixels"),
        (
            "stylize air.png style.jpg -o out.png",
            PICTURE,
            "air.png: is transparent everywhere; expected visible pixels, or a --background",
        ),
        ("stylize dot.png style.jpg -o out.png --size 64", PICTURE, "dot.png: is almost transparent everywhere, at"),
        ("stylize content.jpg dot.png -o out.png --size 64", PICTURE, "dot.png: is almost transparent everywhere, at"),
        (f"{PAIR} --init text.png", PICTURE, "text.png: holds text"),
        (f"stylize {LONG} style.jpg -o out.png", PICTURE, f"{LONG}: cannot be read (File name too long)"),
        (f"batch --content {LONG} --style style.jpg -o out", USAGE, "which matches no picture"),
        (f"batch --content content.jpg --style {LONG}/*.jpg -o out", USAGE, "which matches no picture"),
        # The file to write
        (f"stylize content.jpg style.jpg -o {LONG}.png", PICTURE, "cannot be written (File name too long)"),
        (f"texture style.jpg -o {LONG}.png", PICTURE, "cannot be written (File name too long)"),
        (f"grid content.jpg style.jpg -o {LONG}.png --rows seed=1;2", PICTURE, "(File name too long)"),
        (f"style save style.jpg -o {LONG}.safetensors", STYLE_FILE, "cannot be written (File name too long)"),
        (f"batch --content content.jpg --style style.jpg -o {LONG}", FAILURE, "cannot be written (File name too long)"),
        ("stylize content.jpg style.jpg -o out", USAGE, "out: has no suffix; expected one of .png"),
        ("stylize content.jpg style.jpg -o out.gif", USAGE, "out.gif: has the suffix '.gif'; expected one of .png"),
        ("stylize content.jpg style.jpg -o out.jpg --bits 16", USAGE, "out.jpg: .jpg cannot store 16 bits; choose"),
        ("texture style.jpg -o out.gif", USAGE, "out.gif: has the suffix '.gif'; expected one of .png"),
        ("grid content.jpg style.jpg -o out.gif --rows seed=1;2", USAGE, "out.gif: has the suffix '.gif'"),
        ("style save style.jpg -o out.png", USAGE, "out.png: has the suffix '.png'; expected .safetensors"),
        ("stylize content.jpg style.jpg -o no/out.png", PICTURE, "is not a folder; create it"),
        ("stylize content.jpg style.jpg -o exists.png", PICTURE, "exists.png: exists already"),
        ("stylize content.jpg style.jpg -o folder.png --overwrite", PICTURE, "folder.png: is a folder"),
        ("stylize content.jpg style.jpg -o content.jpg --overwrite", USAGE, "content.jpg is one of the pictures to"),
        ("stylize content.jpg style.jpg -o ./style.jpg --overwrite", USAGE, "style.jpg is one of the pictures to"),
        ("stylize link.jpg style.jpg -o content.jpg --overwrite", USAGE, "content.jpg is one of the pictures to"),
        ("stylize glass.png style.jpg -o out.jpg --size 64", PICTURE, "out.jpg: .jpg cannot store transparency"),
        # Settings
        (f"{PAIR} --size 0", USAGE, "size is 0; expected "),
        (f"{PAIR} --size 8", PICTURE, "at size 8; expected at least 16 on each side"),
        (f"{PAIR} --size 1000000", PICTURE, "expected at most"),
        (f"{PAIR} --steps 0", USAGE, "steps is 0; expected"),
        (f"{PAIR} --content-layers relu5_5", USAGE, "vgg19 has no layer 'relu5_5'"),
        (f"{PAIR} --style-layers relu1_1,rleu2_1 --network vgg16", USAGE, "vgg16 has no layer 'rleu2_1'"),
        (f"{PAIR} --style-layers relu1_1=much", USAGE, "--style-layers has 'much'; expected a number there"),
        (f"{PAIR} --style-layers=", USAGE, "--style-layers is empty; expected layers, or one of"),
        ("texture style.jpg -o out.png --init content", USAGE, "--init has 'content', but a texture has none"),
        (f"{PAIR} --style-layers relu1_1,,relu2_1", USAGE, "--style-layers has ''; expected NAME or NAME=WEIGHT"),
        (f"{PAIR} --style-layers relu1_1=-1", USAGE, "--style-layers has the weights [-1.0]; expected"),
        (f"{PAIR} --content-layers relu1_1=0", USAGE, "--content-layers has the weights [0.0]; expected"),
        (f"{PAIR} --content-weight -1", USAGE, "--content-weight is -1.0; expected a number from 0 to 3.4e38"),
        (f"{PAIR} --style-weight nan", USAGE, "--style-weight is nan; expected a number from 0 to 3.4e38"),
        (f"{PAIR} --color-weight inf", USAGE, "--color-weight is inf; expected"),
        (f"{PAIR} --rotate-style 1e9", USAGE, "--rotate-style is 1000000000.0; expected degrees from -360 to 360"),
        (f"{PAIR} --colors=", USAGE, "--colors is empty; expected one of style, content, luminance"),
        (f"{PAIR} --style-scale 0", USAGE, "--style-scale is 0.0; expected a number above 0"),
        (
            f"{PAIR} --style-scale 0.1",
            PICTURE,
            "style.jpg: would be read with a longest side of 6.4 pixels, by --style-",
        ),
        (f"{PAIR} --style-scale 1e9", PICTURE, "at --size 64; choose a --style-scale closer to 1"),
        (f"{PAIR} --style-scale 1e308", PICTURE, "at --size 64; choose a --style-scale closer to 1"),
        (f"{PAIR} {' '.join(f'--{name}-weight 0' for name in TERMS)}", USAGE, "are all 0; raise one"),
        (f"{PAIR} --style-blend 0.5,0.5", USAGE, "--style-blend has 2 weights for 1 style picture;"),
        (f"{PAIR} --style-blend half", USAGE, "--style-blend has 'half'; expected a number there"),
        (f"{PAIR} --style-blend -1", USAGE, "--style-blend is [-1.0]; expected numbers that add up to more than 0"),
        (f"{PAIR} --init nosie", USAGE, "--init has 'nosie', which is no file; expected one of content, noise, pink"),
        (f"{PAIR} --init content=0", USAGE, "init has the weights [0.0]; expected"),
        (f"{PAIR} --init content.jpg,style.jpg", USAGE, "at most one picture file"),
        (f"{PAIR} --normalization none", USAGE, "normalization is 'none'; expected one of relative, gatys"),
        (f"{PAIR} --optimizer sgd", USAGE, "optimizer is 'sgd'; expected one of lbfgs, adam"),
        (f"{PAIR} --pooling min", USAGE, "--pooling is 'min'; expected one of max, avg"),
        (f"{PAIR} --precision half", USAGE, "--precision is 'half'; expected one of auto, float32"),
        (f"{PAIR} --background reddish", USAGE, "no color is called 'reddish'; expected one like white"),
        (f"{PAIR} --background ", USAGE, "no color is called ''"),
        # Networks
        (f"{PAIR} --network vgg11", USAGE, "--network is 'vgg11'; expected one of vgg16, vgg19"),
        (f"{PAIR} --network damaged.safetensors", USAGE, "or --weights FILE"),
        (f"{PAIR} --weights nothing.safetensors", WEIGHTS, "no weights called 'nothing.safetensors'"),
        (f"{PAIR} --weights damaged.safetensors", WEIGHTS, "damaged.safetensors is not a jaxstyle weights file, or"),
        (f"{PAIR} --weights content.jpg", WEIGHTS, "content.jpg is not a jaxstyle weights file"),
        (f"{PAIR} --network vgg16 --weights damaged.safetensors", USAGE, "--network and --weights exclude each other"),
        ("weights verify damaged.safetensors", WEIGHTS, "damaged.safetensors is not a jaxstyle weights file"),
        (f"{PAIR} --weights {LONG}", WEIGHTS, f"no weights called '{LONG}'"),
        ("weights convert nothing.pth out", WEIGHTS, "nothing.pth"),
        (f"weights convert {LONG} out", WEIGHTS, "File name too long"),
        (f"weights convert damaged.safetensors {LONG}", WEIGHTS, "cannot be written (File name too long)"),
        ("weights convert damaged.safetensors folder.png", WEIGHTS, "folder.png: is a folder; expected the name of a"),
        ("weights convert damaged.safetensors exists.png", WEIGHTS, "exists.png exists already; choose another name"),
        ("weights convert folder.png out", WEIGHTS, "folder.png"),
        ("weights verify folder.png", WEIGHTS, "folder.png"),
        (f"{PAIR} --weights folder.png", WEIGHTS, "folder.png"),
        # Other files to read and to write
        (f"{EXPORT} -o {LONG}", FAILURE, "cannot be written (File name too long)"),
        (f"{EXPORT} -o folder.png", FAILURE, "folder.png: is a folder; expected the name of a file"),
        (f"{EXPORT} -o no/out", FAILURE, "is not a folder; create it"),
        (f"{EXPORT} -o exists.png", FAILURE, "exists.png: exists already"),
        (
            f"{EXPORT} -o out --size {10**7}",
            PICTURE,
            "the content would be 10000000 x 7500000 pixels; expected at most",
        ),
        (f"{EXPORT} -o out --style {LONG}", PICTURE, "cannot be read (File name too long)"),
        (f"{EXPORT} -o out --style folder.png", PICTURE, "folder.png: is a folder"),
        (f"gram show {LONG}", PICTURE, "cannot be read (File name too long)"),
        ("gram show folder.png", PICTURE, "folder.png: is a folder"),
        (f"gram show style.jpg -o {LONG}.png", PICTURE, "cannot be written (File name too long)"),
        ("gram show style.jpg -o folder.png --overwrite", PICTURE, "folder.png: is a folder"),
        ("gram show no.safetensors", STYLE_FILE, "no.safetensors: cannot be read (No such file"),
        (f"gram sample style.jpg -o {LONG}.safetensors", STYLE_FILE, "cannot be written (File name too long)"),
        (f"gram maximize --layer relu1_1 --entry 1,1 -o {LONG}.png", PICTURE, "(File name too long)"),
        (f"style show {LONG}.safetensors", STYLE_FILE, "cannot be read (File name too long)"),
        (f"batch {LONG}.csv -o out", USAGE, "cannot be read (File name too long)"),
        ("batch folder.png -o out", USAGE, "folder.png: cannot be read (Is a directory)"),
        ("batch --content content.jpg --style style.jpg -o exists.png", USAGE, "exists.png is a file"),
        (
            "batch weights.csv -o out",
            USAGE,
            "weights.csv: line 3: weights file no.safetensors does not exist; expected",
        ),
    ],
)
def test_bad_input(folder, command, code, found):
    exit_code, line = refused(folder, command)
    assert exit_code == code and found in line, (exit_code, line)


@pytest.mark.parametrize("command", ["batch", "grid"])
def test_saved_styles_of_other_sizes_are_named(folder, monkeypatch, command):
    def stop(*_, **__):
        raise JaxStyleError("enough")

    monkeypatch.setattr(f"jaxstyle.cli.{command}.run_with_progress", stop)
    succeed("style", "save", "style.jpg", "-o", "s.safetensors", "--size", "64", "--style-layers", "relu1_1")
    pair = {"batch": "--content content.jpg --style s.safetensors", "grid": "content.jpg s.safetensors --rows seed=0;1"}
    outcome = run(command, *pair[command].split(), "-o", "new.png", "--size", "90", "--style-layers", "relu1_1")
    assert "jaxstyle: warning: s.safetensors was measured at 64 px and is used for 90 px: its strokes" in outcome.err


def test_the_nearest_layer_is_in_the_message(folder):
    assert "relu5_1" in refused(folder, f"{PAIR} --style-layers relu5-1")[1]


def test_a_network_that_is_not_fetched_says_how_to_fetch_it(folder, monkeypatch):
    monkeypatch.setattr("platformdirs.user_cache_path", lambda *_, **__: folder)
    assert refused(folder, f"{PAIR} --network vgg19-full") == (
        WEIGHTS,
        "vgg19-full is not fetched yet; run: jaxstyle weights fetch vgg19",
    )


@pytest.mark.parametrize(
    ("command", "code", "output"),
    [
        (PAIR, PICTURE, "out.png"),
        ("texture style.jpg -o out.png --size 64", PICTURE, "out.png"),
        ("gram show style.jpg -o out.png", PICTURE, "out.png"),
        ("gram sample style.jpg -o out.safetensors", STYLE_FILE, "out.safetensors"),
        ("style save style.jpg -o out.safetensors", STYLE_FILE, "out.safetensors"),
        (f"{EXPORT} -o out", FAILURE, "out"),
    ],
)
def test_a_folder_without_permission(folder, monkeypatch, command, code, output):
    def refuse(*_, **__):
        raise PermissionError(errno.EACCES, "Permission denied")

    monkeypatch.setattr("tempfile.TemporaryFile", refuse)
    found = refused(folder, command)
    assert found[0] == code and found[1].startswith(f"{output}: cannot be written (Permission denied)")


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EROFS])
def test_a_disk_that_is_full_or_read_only_at_the_end(folder, monkeypatch, number):
    def fail(_):
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr("jaxstyle.cli.run.stylize", fake_stylize())
    monkeypatch.setattr("os.fsync", fail)
    for options in ("", " --save-every 10", " --json"):
        code, line = refused(folder, PAIR + options)
        assert code == PICTURE and os.strerror(number) in line
    for command, expected in (
        ("style save style.jpg -o out.safetensors --size 64 --style-layers relu1_1", STYLE_FILE),
        ("gram show style.jpg -o out.png --size 64 --layer relu1_1", PICTURE),
    ):
        code, line = refused(folder, command)
        assert code == expected and f"cannot be written ({os.strerror(number)})" in line


def test_an_infinite_loss_at_the_first_step_writes_nothing(folder):
    """With the real `stylize`, and a weight that makes the loss overflow."""
    options = "--steps 10 --content-layers relu1_1 --style-layers relu1_1 --normalization gatys --style-weight 3e38"
    code, line = refused(folder, f"{PAIR} {options}")
    assert code == 5 and line == (
        "the optimization diverged at 64 px within 10 steps (no loss was finite); lower the weights, or try another "
        "optimizer; nothing was written"
    )


@pytest.mark.parametrize(("levels", "count"), [(1, 0), (9, 1)])
def test_levels_that_there_are_not_are_a_warning(folder, monkeypatch, levels, count):
    monkeypatch.setattr("jaxstyle.cli.run.stylize", fake_stylize())
    outcome = run(*PAIR.split(), "--levels", levels, "--steps", 1)
    assert (
        outcome.code == 0 and outcome.err.count("warning: --levels is 9, but a result of 64 pixels has only 1") == count
    )
