"""`jaxstyle cache`, and where and how JAX and the cached functions cache programs."""

import os
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from support.command import run, succeed

from jaxstyle import enable_cache
from jaxstyle.compilation import CacheFolder, cpu_digest, enabling

PROGRAM = f"jit_run-{'0' * 64}-cache"
VARIABLES = (
    "JAX_COMPILATION_CACHE_DIR",
    "JAX_COMPILATION_CACHE_MAX_SIZE",
    "JAX_PERSISTENT_CACHE_ENABLE_XLA_CACHES",
)


@pytest.fixture(autouse=True)
def user_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The user's cache folder, without settings of JAX."""
    for name in VARIABLES:
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(enabling.platformdirs, "user_cache_path", lambda *_, **__: tmp_path / "user")
    return tmp_path / "user"


def fill(folder: Path) -> CacheFolder:
    """Write a compiled and a traced program of 1.5 MB, and a file that is neither."""
    cache = CacheFolder(folder)
    cache.traced.mkdir(parents=True)
    (cache.compiled / PROGRAM).write_bytes(bytes(1_000_000))
    (cache.traced / f"run-{'1' * 64}").write_bytes(bytes(500_000))
    (cache.path / "notes.txt").write_text("not a program")
    return cache


class TestCommand:
    def test_prints_folder_files_and_size(self, user_folder: Path):
        assert succeed("cache").splitlines() == [
            f"folder      {user_folder / 'compiled'}",
            "files       0",
            "size        0.0 MB; at most 2000 MB",
        ]
        fill(user_folder / "compiled")
        assert succeed("cache").splitlines()[1:] == ["files       2", "size        1.5 MB; at most 2000 MB"]

    @pytest.mark.parametrize(("size", "words"), [("-1", "no limit"), ("5000000", "at most 5 MB")])
    def test_prints_the_limit_of_jax(self, monkeypatch: pytest.MonkeyPatch, size: str, words: str):
        monkeypatch.setenv("JAX_COMPILATION_CACHE_MAX_SIZE", size)
        assert succeed("cache").endswith(f"0.0 MB; {words}\n")

    def test_clear_deletes_programs_only(self, user_folder: Path):
        fill(user_folder / "compiled")
        (user_folder / "weights").mkdir()
        (user_folder / "weights" / PROGRAM).touch()
        assert succeed("cache", "clear") == "deleted 2 files, 1.5 MB\n"
        files = {path.relative_to(user_folder) for path in user_folder.rglob("*") if path.is_file()}
        assert files == {Path("compiled/notes.txt"), Path("weights", PROGRAM)}
        assert succeed("cache", "clear") == "deleted 0 files, 0.0 MB\n"

    def test_clear_leaves_other_programs_in_a_shared_folder(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
        monkeypatch.setenv("JAX_COMPILATION_CACHE_DIR", f"{tmp_path}/shared/")
        fill(tmp_path / "shared" / "jaxstyle")
        (tmp_path / "shared" / PROGRAM).touch()
        assert succeed("cache").startswith(f"folder      {tmp_path}/shared/jaxstyle\nfiles       2\n")
        assert succeed("cache", "clear") == "deleted 2 files, 1.5 MB\n"
        assert (tmp_path / "shared" / PROGRAM).exists()

    def test_errors(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
        def fail(cache: CacheFolder) -> None:
            raise PermissionError(13, "Permission denied")

        assert "unknown action 'purge'; expected clear" in failure("cache", "purge")
        monkeypatch.setattr(CacheFolder, "clear", fail)
        assert "cannot be cleared (Permission denied)" in failure("cache", "clear")
        monkeypatch.setenv("JAX_COMPILATION_CACHE_DIR", "gs://bucket/cache")
        for words in ((), ("clear",)):
            assert "object store, gs://bucket/cache/jaxstyle; expected a folder" in failure("cache", *words)


def failure(*arguments: str) -> str:
    """The error of a command with a wrong path or setting."""
    outcome = run(*arguments)
    assert (outcome.code, outcome.out) == (2, "") and outcome.err.count("\n") == 1
    return outcome.err


@pytest.fixture
def configure(monkeypatch: pytest.MonkeyPatch) -> Any:
    """`enable_cache` with a JAX that only records its settings; returns them and the folder of cached functions."""

    def configure(*, enabled: bool = True) -> dict[str, Any]:
        settings: dict[str, Any] = {"jax_enable_compilation_cache": enabled, "folder": None}
        config = SimpleNamespace(values=settings, update=settings.__setitem__)
        monkeypatch.setattr(enabling, "jax", SimpleNamespace(config=config))
        monkeypatch.setattr(enabling, "set_cache_folder", lambda folder: settings.update(folder=folder))
        enable_cache()
        return settings

    return configure


class TestConfiguration:
    def test_programs_are_cached_for_this_cpu_with_one_limit(self, configure, user_folder: Path):
        settings, cache = configure(), CacheFolder(user_folder / "compiled", 2_000_000_000)
        assert settings["folder"] == cache
        assert settings["jax_compilation_cache_dir"] == str(user_folder / "compiled" / cpu_digest())
        assert settings["jax_compilation_cache_max_size"] == -1  # the limit is that of the folder
        assert settings["jax_persistent_cache_enable_xla_caches"] == "none"

    def test_settings_of_the_user(self, configure, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
        monkeypatch.setenv("JAX_COMPILATION_CACHE_DIR", str(tmp_path))
        monkeypatch.setenv("JAX_COMPILATION_CACHE_MAX_SIZE", "1000")
        monkeypatch.setenv("JAX_PERSISTENT_CACHE_ENABLE_XLA_CACHES", "all")
        settings = configure()
        assert settings["folder"] == CacheFolder(tmp_path / "jaxstyle", 1000)
        assert settings["jax_compilation_cache_dir"] == str(tmp_path / "jaxstyle" / cpu_digest())
        assert "jax_persistent_cache_enable_xla_caches" not in settings

    @pytest.mark.parametrize("size", ["0", None])
    def test_cache_that_the_user_turned_off(self, configure, size: str | None, monkeypatch: pytest.MonkeyPatch):
        if size:
            monkeypatch.setenv("JAX_COMPILATION_CACHE_MAX_SIZE", size)
        settings = configure(enabled=size is not None)
        assert settings["folder"] is None and "jax_compilation_cache_dir" not in settings

    def test_object_store(self, configure, monkeypatch: pytest.MonkeyPatch):
        """Only JAX can write to it, but programs of other CPUs are not loaded from it either."""
        monkeypatch.setenv("JAX_COMPILATION_CACHE_DIR", "gs://bucket/cache")
        settings = configure()
        assert settings["jax_compilation_cache_dir"] == f"gs://bucket/cache/jaxstyle/{cpu_digest()}"
        assert settings["folder"] is None


@pytest.mark.parametrize(("level", "expected"), [(None, "3"), ("0", "0")])
def test_log_of_plugins_is_off_unless_the_user_sets_its_level(level, expected, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("TF_CPP_MIN_LOG_LEVEL", level or "")
    if level is None:
        monkeypatch.delenv("TF_CPP_MIN_LOG_LEVEL")
    succeed("--version")
    assert os.environ["TF_CPP_MIN_LOG_LEVEL"] == expected
