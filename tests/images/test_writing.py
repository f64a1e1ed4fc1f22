"""Writing picture files."""

import os
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from PIL import Image, PngImagePlugin
from support.pictures import (
    COLORS,
    GRAYS,
    error_message,
    examples,
    failing,
)

from jaxstyle.errors import PictureError
from jaxstyle.images import check_writable, read_image, read_picture, write_image


@examples
@given(arrays(np.uint8, st.tuples(st.integers(16, 24), st.integers(16, 24), st.just(3))))
@pytest.mark.parametrize("name", ["a.png", "a.tif", "a.tiff", "a.bmp", "a.BMP"])
def test_round_trip_is_exact(tmp_path, name, levels):
    write_image(tmp_path / name, levels / np.float32(255), overwrite=True)
    with Image.open(tmp_path / name) as image:
        np.testing.assert_array_equal(np.asarray(image), levels)
    np.testing.assert_array_equal(read_image(tmp_path / name), levels / np.float32(255))


@pytest.mark.parametrize(("name", "kind"), [("a.jpg", "JPEG"), ("a.JPEG", "JPEG"), ("a.webp", "WEBP")])
def test_lossy_formats_are_written_approximately(tmp_path, name, kind):
    smooth = np.mgrid[0:1:40j, 0:1:50j, 0:1][[0, 1, 0], ..., 0].transpose(1, 2, 0)
    write_image(tmp_path / name, smooth)
    with Image.open(tmp_path / name) as image:
        assert image.format == kind
        np.testing.assert_allclose(np.asarray(image) / 255, smooth, atol=0.05)


def test_levels_are_rounded_and_clipped(tmp_path):
    values = np.array([-3, -1e-9, 0.49 / 255, 0.51 / 255, 100.49 / 255, 100.51 / 255, 254.51 / 255, 1 + 1e-6, 7])
    write_image(tmp_path / "a.png", np.tile(values[:, None, None], (1, 1, 3)))
    with Image.open(tmp_path / "a.png") as image:
        assert list(np.asarray(image)[:, 0, 1]) == [0, 0, 0, 1, 100, 101, 255, 255, 255]


@pytest.mark.parametrize("name", ["a.png", "a.webp", "a.tiff"])
def test_alpha_is_written(tmp_path, name):
    write_image(tmp_path / name, np.full((20, 24, 3), 0.5), alpha=GRAYS / 255)
    np.testing.assert_array_equal(read_picture(tmp_path / name).alpha, GRAYS / np.float32(255))


def test_metadata(tmp_path):
    settings_of_run = {"jaxstyle": '{"size": 512}', "Title": "日本 é", "Software": "x" * 5000}
    for name in ("a.png", "a.jpg", "a.tiff", "a.webp"):
        write_image(tmp_path / name, COLORS / 255, metadata=settings_of_run, dpi=200)
        with Image.open(tmp_path / name) as image:
            if isinstance(image, PngImagePlugin.PngImageFile):
                assert image.text == settings_of_run
                continue
            tags = image.getexif()
            description = tags[270].encode("latin-1").decode()  # Pillow takes it for Latin-1
            assert description == 'jaxstyle: {"size": 512}\nTitle: 日本 é' and tags[305] == "x" * 5000
            assert tags[282] == tags[283] == 200


def test_metadata_that_a_jpeg_cannot_hold_are_left_out(tmp_path):
    write_image(tmp_path / "a.jpg", COLORS / 255, metadata={"jaxstyle": "x" * 70_000, "Software": "jaxstyle"})
    with Image.open(tmp_path / "a.jpg") as image:
        assert dict(image.getexif()) == {305: "jaxstyle"}


def test_tilde_is_expanded(tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    write_image("~/a.png", COLORS / 255)
    assert read_image("~/a.png").shape == (20, 24, 3) and (tmp_path / "a.png").exists()


def test_new_files_have_the_usual_permissions(tmp_path):
    (tmp_path / "plain").touch()
    write_image(tmp_path / "a.png", COLORS / 255)
    assert (tmp_path / "a.png").stat().st_mode == (tmp_path / "plain").stat().st_mode


def test_overwriting_keeps_a_symbolic_link(tmp_path):
    (tmp_path / "real").mkdir()
    (tmp_path / "real" / "a.png").write_bytes(b"old")
    (tmp_path / "a.png").symlink_to("real/a.png")
    assert "exists already" in error_message(tmp_path / "a.png", write_image, tmp_path / "a.png", COLORS / 255)
    write_image(tmp_path / "a.png", COLORS / 255, overwrite=True)
    assert (tmp_path / "a.png").is_symlink() and read_image(tmp_path / "real" / "a.png").shape == (20, 24, 3)


@pytest.mark.parametrize(
    ("name", "options", "expected"),
    [
        ("a.gif", {}, "'.gif'; expected one of .png .jpg .jpeg .webp .tif .tiff .bmp"),
        ("a", {}, "has no suffix"),
        ("a.jpg", {"alpha": True}, "cannot store transparency"),
        ("a.bmp", {"alpha": True}, "cannot store transparency"),
        ("missing/a.png", {}, "missing is not a folder"),
        ("old.png/a.png", {}, "old.png is not a folder"),
        ("old.png", {}, "exists already"),
        ("folder.png", {"overwrite": True}, "is a folder"),
        ("pipe.png", {"overwrite": True}, "pipe"),
        ("loop.png", {}, "cannot be written"),
        ("n" * 300 + ".png", {}, "cannot be written (File name too long)"),
    ],
)
def test_paths_that_cannot_be_written(tmp_path, name, options, expected):
    (tmp_path / "old.png").write_bytes(b"old")
    (tmp_path / "folder.png").mkdir()
    os.mkfifo(tmp_path / "pipe.png")
    (tmp_path / "loop.png").symlink_to("loop.png")
    before = sorted(tmp_path.rglob("*"))
    path = tmp_path / name
    assert expected in error_message(path, check_writable, path, **options)
    alpha = np.ones((20, 24)) if options.pop("alpha", False) else None
    assert expected in error_message(path, write_image, path, COLORS / 255, alpha=alpha, **options)
    assert sorted(tmp_path.rglob("*")) == before and (tmp_path / "old.png").read_bytes() == b"old"


def test_check_writable_changes_nothing(tmp_path):
    check_writable(tmp_path / "a.png", alpha=True)
    (tmp_path / "b.jpg").write_bytes(b"old")
    check_writable(tmp_path / "b.jpg", overwrite=True)
    assert os.listdir(tmp_path) == ["b.jpg"] and (tmp_path / "b.jpg").read_bytes() == b"old"


def test_read_only_folder(tmp_path, monkeypatch):
    error = PermissionError(30, "Read-only file system")
    monkeypatch.setattr("tempfile.TemporaryFile", failing(error))
    monkeypatch.setattr(Path, "open", failing(error))
    path = tmp_path / "a.png"
    assert "cannot be written (Read-only file system)" in error_message(path, check_writable, path)
    assert "cannot be written (Read-only file system)" in error_message(path, write_image, path, COLORS / 255)


@pytest.mark.parametrize("function", ["os.fsync", "os.replace"])
@pytest.mark.parametrize(
    ("error", "raised"),
    [(OSError(28, "No space left on device"), PictureError), (KeyboardInterrupt(), KeyboardInterrupt)],
)
def test_failed_writes_leave_the_old_file(tmp_path, monkeypatch, function, error, raised):
    path = tmp_path / "a.png"
    path.write_bytes(b"old")
    monkeypatch.setattr(function, failing(error))
    with pytest.raises(raised):
        write_image(path, COLORS / 255, overwrite=True)
    assert os.listdir(tmp_path) == ["a.png"] and path.read_bytes() == b"old"


def test_full_disk(tmp_path):
    resource = pytest.importorskip("resource")
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    path = tmp_path / "a.bmp"
    resource.setrlimit(resource.RLIMIT_FSIZE, (1000, hard))
    try:
        message = error_message(path, write_image, path, COLORS / 255)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert "cannot be written (File too large)" in message and os.listdir(tmp_path) == []


@pytest.mark.parametrize(
    ("picture", "expected"),
    [
        (np.full((20, 24, 3), np.nan), "NaN"),
        (np.full((20, 24, 3), np.inf), "infinity"),
        (COLORS, "the array is uint8 [20, 24, 3]; expected a picture of floats"),
        (COLORS[..., 0] / 255, "the array is float64 [20, 24]; expected a picture"),
        (np.zeros((0, 24, 3)), "expected a picture of floats"),
        (np.zeros((20, 24, 4)), "expected a picture of floats"),
    ],
)
def test_arrays_that_are_not_pictures(tmp_path, picture, expected):
    path = tmp_path / "a.png"
    assert expected in error_message(path, write_image, path, picture)
    assert os.listdir(tmp_path) == []


def test_alpha_with_a_different_shape(tmp_path):
    path = tmp_path / "a.png"
    message = error_message(path, write_image, path, COLORS / 255, alpha=np.ones((3, 4)))
    assert message == "alpha has shape [3, 4]; expected [20, 24]" and os.listdir(tmp_path) == []


def test_more_pixels_per_side_than_the_format_supports(tmp_path):
    path = tmp_path / "a.webp"
    message = error_message(path, write_image, path, np.zeros((16, 17000, 3)))
    assert "16383" in message and os.listdir(tmp_path) == []
