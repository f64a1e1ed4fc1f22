"""Paths of objects in stores, by URL, and what is repeated when a store fails."""

import errno
import pickle
from collections.abc import Callable
from pathlib import Path, PurePath

import fsspec
import numpy as np
import pytest
from fsspec.implementations.memory import MemoryFileSystem
from support.stores import store

from jaxstyle.errors import ConfigError, JaxStyleError, PictureError
from jaxstyle.images import (
    RemotePath,
    as_path,
    check_writable,
    exists,
    file_identity,
    join_path,
    read_image,
    remote,
    write_image,
)

__all__ = ["store"]

pytestmark = pytest.mark.usefixtures("store")


class ReadTimeoutError(Exception):
    """An error of an HTTP library, which is no OSError."""


class TestPaths:
    @pytest.mark.parametrize("text", ["memory://a/b/cat.tar.gz", "memory:/a/b/cat.tar.gz", "memory:///a//b/cat.tar.gz"])
    @pytest.mark.parametrize("kind", [str, Path])
    def test_of_urls_are_those_of_a_path(self, text: str, kind: Callable[[str], str | Path]):
        path = as_path(kind(text))
        assert isinstance(path, RemotePath) and str(path) == f"{path}" == path.__fspath__() == "memory://a/b/cat.tar.gz"
        assert (path.name, path.stem, path.suffix) == ("cat.tar.gz", "cat.tar", ".gz")
        assert path == path.parent / "cat.tar.gz" == path.parent.parent / PurePath("b", "cat.tar.gz")
        assert hash(path) == hash(as_path(text)) and {path: 1}[as_path(text)] == 1
        assert str(path.with_stem("dog")) == "memory://a/b/dog.gz" and str(path.parent.parent) == "memory://a"
        assert type(copy := pickle.loads(pickle.dumps(path))) is RemotePath and copy == path

    @pytest.mark.parametrize("text", ["a/b", "/a", "c:/a", "notes:/a", "a:b", "cat.jpg", "1,2=3"])
    def test_of_files_are_those_of_pathlib(self, text: str):
        assert type(as_path(text)) is type(Path()) and as_path(text) == Path(text)

    def test_of_files_may_be_urls_too(self, tmp_path: Path):
        assert as_path(f"file://{tmp_path}") == tmp_path and as_path("~") == Path.home()

    @pytest.mark.parametrize(
        ("folder", "name", "expected"),
        [
            ("memory://a/lists", "b/cat.jpg", "memory://a/lists/b/cat.jpg"),
            ("memory://a/lists", "../cat.jpg", "memory://a/cat.jpg"),
            ("memory://a/lists", "/photos/cat.jpg", "/photos/cat.jpg"),
            ("memory://a/lists", "memory://b/cat.jpg", "memory://b/cat.jpg"),
            ("lists", "memory://b/cat.jpg", "memory://b/cat.jpg"),
            ("lists", "../cat.jpg", "lists/../cat.jpg"),
        ],
    )
    def test_of_names_in_folders(self, folder: str, name: str, expected: str):
        path = join_path(as_path(folder), name)
        assert str(path) == expected and type(path) is type(as_path(expected))

    def test_of_unknown_protocols_are_refused(self):
        with pytest.raises(ConfigError, match=r"^nowhere://a/b: nowhere:// cannot be used .*expected s3://, gs:// or"):
            as_path("nowhere://a/b")

    def test_say_which_packages_are_missing(self, monkeypatch: pytest.MonkeyPatch):
        def get_filesystem_class(protocol: str) -> None:
            raise ImportError("Install s3fs to access S3")

        monkeypatch.setattr(fsspec, "get_filesystem_class", get_filesystem_class)
        with pytest.raises(ConfigError) as caught:
            read_image("s3://bucket/cat.jpg")
        assert str(caught.value) == (
            "s3://bucket/cat.jpg: a package for s3:// is not installed (Install s3fs to access S3); "
            'run: pip install "jaxstyle[remote]"'
        )


class TestObjects:
    def test_hold_the_bytes_that_files_would(self, tmp_path: Path, photo: np.ndarray):
        for folder in (str(tmp_path), "memory://pictures"):
            write_image(f"{folder}/cat.png", photo, metadata={"Software": "jaxstyle"})
        assert as_path("memory://pictures/cat.png").read_bytes() == (tmp_path / "cat.png").read_bytes()
        assert (read_image("memory://pictures/cat.png") == read_image(tmp_path / "cat.png")).all()

    def test_are_replaced_only_if_told(self, photo: np.ndarray):
        write_image("memory://cat.png", photo)
        for write in (lambda: write_image("memory://cat.png", photo), lambda: check_writable("memory://cat.png")):
            with pytest.raises(PictureError, match=r"^memory://cat.png: exists already; choose another name"):
                write()
        write_image("memory://cat.png", 1 - photo, overwrite=True)
        assert abs(read_image("memory://cat.png") - (1 - photo)).max() < 1 / 255

    def test_are_listed_with_folders(self):
        folder = as_path("memory://a")
        for name in ("cat.jpg", "cat.jpg.txt", "b/dog.jpg", "b/c/fox.jpg"):
            (folder / name).write_bytes(b"")
        assert {(path.name, is_folder) for path, is_folder in folder.entries()} == {
            *(("cat.jpg", False), ("cat.jpg.txt", False), ("b", True))
        }
        assert all(path.parent == folder and path.exists() for path in folder.iterdir())
        assert {str(path.relative_to(folder)) for path in folder.find()} == {
            *("cat.jpg", "cat.jpg.txt", "b/dog.jpg", "b/c/fox.jpg")
        }
        for pattern, names in {
            "**/*.jpg": "cat.jpg b/dog.jpg b/c/fox.jpg",
            "*/*.jpg": "b/dog.jpg",
            "b/[a-e]*": "b/dog.jpg",
            "b/**": "b/dog.jpg b/c/fox.jpg",
            "*/c/fox.jpg": "b/c/fox.jpg",
            "cat.jp?": "cat.jpg",
            "d/*": "",
            "d": "",
        }.items():
            assert {str(path.relative_to(folder)) for path in (folder / pattern).matches()} == {*names.split()}
        assert (folder / "b").is_dir() and not (folder / "cat.jpg").is_dir() and not (folder / "d").is_dir()
        with pytest.raises(PictureError, match="^memory://a/b: is a folder; expected a PNG"):
            read_image(folder / "b")

    def test_have_an_identity_that_changes(self):
        path = as_path("memory://cat.jpg")
        assert file_identity(path) == []
        path.write_bytes(b"one")
        first = file_identity(path)
        assert first == file_identity(path) != []
        path.write_bytes(b"two")
        assert file_identity(path) != first

    def test_are_created_once(self):
        path = as_path("memory://a/1.json")
        path.create(b"first")
        with pytest.raises(FileExistsError):
            path.create(b"second")
        assert path.read_bytes() == b"first"
        path.unlink()
        path.unlink(missing_ok=True)
        assert not exists(path)
        with pytest.raises(FileNotFoundError):
            path.unlink()


class TestFailures:
    @pytest.fixture
    def failing(self, monkeypatch: pytest.MonkeyPatch) -> Callable[..., list[float]]:
        """Let the next reads fail with these errors; returns the waits between them."""

        def fail(*errors: Exception) -> list[float]:
            waits: list[float] = []
            remaining, read = [*errors], MemoryFileSystem.cat_file

            def cat_file(self: MemoryFileSystem, path: str, **options: object) -> bytes:
                if remaining:
                    raise remaining.pop(0)
                return read(self, path, **options)

            monkeypatch.setattr(MemoryFileSystem, "cat_file", cat_file)
            monkeypatch.setattr(remote.time, "sleep", waits.append)
            return waits

        as_path("memory://cat.jpg").write_bytes(b"cat")
        return fail

    def test_that_pass_are_waited_for(self, failing, monkeypatch: pytest.MonkeyPatch):
        monkeypatch.setattr(remote, "_WAITS", (1, 2, 4, 8))
        waits = failing(OSError(errno.EBUSY, "Slow Down"), TimeoutError(), ConnectionResetError(), ReadTimeoutError())
        assert as_path("memory://cat.jpg").read_bytes() == b"cat"
        assert [2**index / 2 <= wait <= 2**index for index, wait in enumerate(waits)] == [True] * 4

    def test_that_do_not_pass_are_errors_at_last(self, failing):
        waits = failing(*[OSError(errno.EBUSY, "Please reduce\nyour request rate")] * 100)
        with pytest.raises(PictureError) as caught:
            read_image("memory://cat.jpg")
        assert str(caught.value) == (
            "memory://cat.jpg: cannot be read (Please reduce your request rate); "
            "check the name, the permissions and the store"
        )
        assert len(waits) == len(remote._WAITS)

    @pytest.mark.parametrize(
        ("error", "reason"),
        [
            (FileNotFoundError("memory://cat.jpg"), "there is no such object"),
            (PermissionError("Forbidden"), "the store refuses access"),
            (OSError(errno.EINVAL, "The bucket name is invalid"), "The bucket name is invalid"),
            (ValueError("Unable to locate credentials"), "Unable to locate credentials"),
        ],
    )
    def test_that_are_permanent_are_errors_at_once(self, failing, error: Exception, reason: str):
        waits = failing(error)
        with pytest.raises(PictureError) as caught:
            read_image("memory://cat.jpg")
        assert f"cannot be read ({reason}); check" in str(caught.value) and waits == []

    def test_are_noticed_before_any_work(self, monkeypatch: pytest.MonkeyPatch):
        def pipe_file(*_: object, **__: object) -> None:
            raise PermissionError

        monkeypatch.setattr(MemoryFileSystem, "pipe_file", pipe_file)
        with pytest.raises(PictureError, match=r"^memory://refused/cat.png: cannot be written \(the store refuses"):
            check_writable("memory://refused/cat.png")

    def test_a_store_that_does_not_answer_is_no_missing_file(self, monkeypatch: pytest.MonkeyPatch):
        def info(*_: object, **__: object) -> None:
            raise OSError(errno.EIO, "Internal Error")

        monkeypatch.setattr(MemoryFileSystem, "info", info)
        for question in (exists, file_identity):
            with pytest.raises(JaxStyleError, match=r"^memory://cat.jpg: cannot be read \(Internal Error\)"):
                question("memory://cat.jpg")
