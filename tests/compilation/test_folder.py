"""The cache folder: which files are counted and deleted, in which order, and by several processes at once."""

import os
import platform
import subprocess
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from jaxstyle.compilation import CacheFolder, cpu_digest, folder

DIGEST = "0123456789abcdef" * 4
COMPILED, TRACED = f"jit_run-{DIGEST}-cache", f"run-{DIGEST}"
OTHERS = ("notes.txt", "weights-cache", f"{DIGEST}.safetensors", f"run-{DIGEST}.png", f"run-{DIGEST[1:]}")


def write(path: Path, *, size: int = 10, read: float = 1000.0, written: float = 1000.0) -> Path:
    """Write a file with the times of its last read and write."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(bytes(size))
    os.utime(path, (read, written))
    return path


def numbered(index: int) -> str:
    return f"run-{index:064x}"


def left(path: Path) -> list[str]:
    return sorted(file.name for file in path.rglob("*") if file.is_file())


class TestFiles:
    def test_files_of_all_cpus_and_kinds_are_counted_and_others_are_not(self, tmp_path: Path):
        cache = CacheFolder(tmp_path)
        ours = [
            write(cache.compiled / COMPILED, size=1),
            write(cache.compiled / f"jit_run-{DIGEST}-atime", size=2),
            write(cache.traced / TRACED, size=4),
            write(tmp_path / "another-cpu" / "traced" / f"<lambda>-{DIGEST}", size=8),
            write(cache.traced / ".jaxstyle-0123456789abcdef.part", size=16),
        ]
        for name in OTHERS:
            write(cache.traced / name)
        assert {file.path for file in cache.files()} == set(ours)
        assert sum(file.size for file in cache.files()) == 31
        assert {file.path for file in cache.clear()} == set(ours)
        assert left(tmp_path) == sorted(OTHERS)

    def test_a_folder_that_does_not_exist_or_is_a_file_is_empty(self, tmp_path: Path):
        for path in (tmp_path / "missing", write(tmp_path / "file")):
            cache = CacheFolder(path, 0)
            cache.evict()
            assert cache.files() == cache.clear() == []
        assert left(tmp_path) == ["file"]

    def test_folders_behind_links_are_not_entered(self, tmp_path: Path):
        write(tmp_path / "elsewhere" / TRACED)
        (tmp_path / "cache").mkdir()
        (tmp_path / "cache" / "link").symlink_to(tmp_path / "elsewhere")
        assert CacheFolder(tmp_path / "cache").clear() == []
        assert left(tmp_path / "elsewhere") == [TRACED]


class TestEvict:
    def test_nothing_is_deleted_below_the_limit_or_without_one(self, tmp_path: Path):
        for index in range(9):
            write(tmp_path / numbered(index), size=10)
        CacheFolder(tmp_path, 100).evict()
        CacheFolder(tmp_path, None).evict()
        assert len(left(tmp_path)) == 9

    def test_the_least_recently_used_go_first_until_a_tenth_of_the_limit_is_free(self, tmp_path: Path):
        read = [500, 100, 400, 300, 200, 600]
        for index, seconds in enumerate(read):
            write(tmp_path / str(index % 2) / numbered(index), size=20, read=seconds, written=50)
        CacheFolder(tmp_path, 100).evict()
        assert left(tmp_path) == sorted(numbered(read.index(seconds)) for seconds in (300, 400, 500, 600))

    def test_a_file_counts_as_used_when_it_was_written(self, tmp_path: Path):
        """Some file systems do not record when files are read."""
        write(tmp_path / numbered(0), size=60, read=10, written=900)
        write(tmp_path / numbered(1), size=60, read=500, written=500)
        CacheFolder(tmp_path, 100).evict()
        assert left(tmp_path) == [numbered(0)]

    def test_files_that_cannot_be_deleted_stay(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
        locked = write(tmp_path / numbered(0), size=60, read=10, written=10)
        write(tmp_path / numbered(1), size=60)
        unlink = Path.unlink

        def fail(path: Path, **options: bool) -> None:
            if path == locked:
                raise PermissionError(path)
            unlink(path, **options)

        monkeypatch.setattr(Path, "unlink", fail)
        CacheFolder(tmp_path, 100).evict()
        assert left(tmp_path) == [numbered(0)]
        with pytest.raises(PermissionError):
            CacheFolder(tmp_path).clear()

    def test_files_vanish_at_any_moment(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
        """After they are listed, and after their sizes are read."""
        paths = [write(tmp_path / numbered(index), size=60, read=index, written=0) for index in range(4)]
        stat = Path.stat

        def stat_and_vanish(path: Path, **options: bool) -> os.stat_result:
            if path == paths[0]:
                os.unlink(path)
            result = stat(path, **options)
            if path == paths[1]:
                os.unlink(path)
            return result

        monkeypatch.setattr(Path, "stat", stat_and_vanish)
        CacheFolder(tmp_path, 130).evict()
        assert sorted(os.listdir(tmp_path)) == [numbered(3)]

    def test_several_at_once(self, tmp_path: Path):
        for index in range(200):
            write(tmp_path / numbered(index), size=10, read=index, written=0)
        with ThreadPoolExecutor(4) as threads:
            list(threads.map(lambda _: CacheFolder(tmp_path, 1000).evict(), range(8)))
        assert left(tmp_path) == [numbered(index) for index in range(110, 200)]


X86 = "processor\t: 0\nmodel\t\t: 17\ncpu MHz\t\t: 2596.1\nflags\t\t: fpu avx2 avx512f\n"
ARM = "processor\t: 0\nBogoMIPS\t: 50.00\nFeatures\t: fp asimd sve\nCPU part\t: 0xd40\n"


class TestCpu:
    @pytest.fixture
    def digest_of(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
        """The digest for a content of /proc/cpuinfo."""
        read = folder._read_cpuinfo

        def digest(cpuinfo: str) -> str:
            (tmp_path / "cpuinfo").write_text(cpuinfo)
            monkeypatch.setattr(folder, "_read_cpuinfo", lambda _: read(tmp_path / "cpuinfo"))
            return cpu_digest.__wrapped__()

        monkeypatch.setattr(platform, "system", lambda: "Linux")
        return digest

    @pytest.mark.parametrize(
        ("cpuinfo", "old", "new"),
        [
            (X86, "avx512f", "avx512f avx512_bf16"),
            (X86, ": 17", ": 18"),
            (ARM, "sve", "sve sve2"),
            (ARM, "0xd40", "0xd4f"),
        ],
    )
    def test_other_models_and_features_have_other_digests(self, digest_of, cpuinfo: str, old: str, new: str):
        assert digest_of(cpuinfo) != digest_of(cpuinfo.replace(old, new))

    @pytest.mark.parametrize(
        ("cpuinfo", "other"),
        [
            (X86, X86.replace("2596.1", "3100.0")),
            (X86, X86 + "\n" + X86.replace(": 0", ": 1").replace("avx512f", "")),
            (ARM, ARM.replace("50.00", "60.00")),
        ],
    )
    def test_frequency_and_number_of_cpus_do_not_matter(self, digest_of, cpuinfo: str, other: str):
        assert digest_of(cpuinfo) == digest_of(other)

    def test_other_architectures_have_other_digests(self, digest_of, monkeypatch: pytest.MonkeyPatch):
        monkeypatch.setattr(platform, "machine", lambda: "x86_64")
        first = digest_of("")
        monkeypatch.setattr(platform, "machine", lambda: "aarch64")
        assert digest_of("") != first

    def test_other_macs_have_other_digests(self, monkeypatch: pytest.MonkeyPatch):
        def digest(brand: str) -> str:
            done = subprocess.CompletedProcess([], 0, stdout=f"{brand}\n")
            monkeypatch.setattr(subprocess, "run", lambda *_, **__: done)
            return cpu_digest.__wrapped__()

        monkeypatch.setattr(platform, "system", lambda: "Darwin")
        assert digest("Apple M1") != digest("Apple M4") != digest("Apple M1 Pro")

    def test_a_system_without_cpuinfo(self, monkeypatch: pytest.MonkeyPatch):
        def fail(_: Path) -> str:
            raise FileNotFoundError

        monkeypatch.setattr(platform, "system", lambda: "Windows")
        monkeypatch.setattr(folder, "_read_cpuinfo", fail)
        digests = set()
        for name in ("Intel64 Family 6 Model 85", "Intel64 Family 6 Model 143"):
            monkeypatch.setattr(platform, "processor", lambda name=name: name)
            digests.add(cpu_digest.__wrapped__())
        assert len(digests) == 2

    def test_programs_of_this_cpu_have_a_subfolder(self, tmp_path: Path):
        cache = CacheFolder(tmp_path)
        assert cache.compiled == tmp_path / cpu_digest() and cache.traced.parent == cache.compiled
