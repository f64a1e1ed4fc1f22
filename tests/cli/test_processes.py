"""Several processes on one job: they connect to learn their indices, and then run independently."""

import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest
from support.batches import TINY
from support.examples import EXAMPLES

from jaxstyle.errors import ConfigError, JaxStyleError
from jaxstyle.jobs import join_processes

PROGRAM = """
import sys, os
from jaxstyle.jobs.processes import join_processes
index, count = join_processes(sys.argv[1], 2, int(sys.argv[2]))
print(index, count, flush=True)
sys.stdin.readline()
import jax, jax.numpy as jnp
print(len(jax.local_devices()), float(jax.jit(jnp.sum)(jnp.ones(7))))
"""


def free_address() -> str:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return f"127.0.0.1:{probe.getsockname()[1]}"


def test_two_processes_connect_and_one_outlives_the_other():
    """The one that is killed is process 0, to which the other connected."""
    address = free_address()
    both = [
        subprocess.Popen(
            [sys.executable, "-c", PROGRAM, address, str(process)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        for process in (0, 1)
    ]
    try:
        assert [process.stdout.readline() for process in both] == ["0 2\n", "1 2\n"]
        both[0].kill()
        both[0].communicate()
        out, err = both[1].communicate("go on\n", timeout=60)
        assert (both[1].returncode, out) == (0, "1 7.0\n"), err
    finally:
        for process in both:
            process.kill()
            process.communicate()


def test_a_killed_process_loses_only_its_unfinished_pairs(tmp_path: Path):
    """Process 0 is killed before its first result; the same commands, run again, do its pairs."""
    folders = [tmp_path / name for name in ("contents", "styles")]
    for folder, pictures in zip(folders, ("content", "style"), strict=True):
        folder.mkdir()
        for picture in sorted((EXAMPLES / pictures).glob("*.jpg"))[:2]:
            (folder / picture.name).symlink_to(picture)
    results = tmp_path / "results"

    def start(address: str) -> list[subprocess.Popen]:
        where = ("--content", folders[0], "--style", folders[1], "-o", results)
        command = [sys.executable, "-m", "jaxstyle", "batch", *map(str, (*where, *TINY))]
        shared = ["--coordinator", address, "--processes", "2", "--process"]
        return [
            subprocess.Popen([*command, *shared, str(process)], stdout=subprocess.PIPE, stderr=subprocess.PIPE)
            for process in (0, 1)
        ]

    both = start(free_address())
    while both[0].poll() is None and not (results / ".jaxstyle" / "0-of-2.lock").exists():
        time.sleep(0.02)
    both[0].kill()
    outs = [process.communicate(timeout=120) for process in both]
    assert both[1].returncode == 0, outs[1]
    first = {file.name: file.read_bytes() for file in results.glob("*.png")}
    assert len(first) == 2
    both = start(free_address())
    outs = [process.communicate(timeout=120) for process in both]
    assert [process.returncode for process in both] == [0, 0], outs
    assert len(list(results.glob("*.png"))) == 4
    assert {name: (results / name).read_bytes() for name in first} == first


def test_one_process_needs_no_coordinator():
    assert join_processes(None, None, None) == (0, 1)


@pytest.mark.parametrize(
    ("arguments", "found"),
    [
        ((None, 2, None), "--coordinator"),
        ((None, None, 0), "--coordinator"),
        (("somewhere", 2, 0), "HOST:PORT"),
        (("127.0.0.1:1", None, 0), "--processes"),
        (("127.0.0.1:1", 2, None), "--process"),
        (("127.0.0.1:1", 2, 2), "0 to 1"),
        (("127.0.0.1:1", 2, -1), "0 to 1"),
    ],
)
def test_contradicting_arguments_are_errors(arguments: tuple, found: str):
    with pytest.raises(ConfigError) as caught:
        join_processes(*arguments)
    assert found in str(caught.value) and str(caught.value).isprintable()


def test_no_cluster_to_find_is_one_line(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("jax.distributed.initialize", lambda *_, **__: (_ for _ in ()).throw(ValueError("no\nluck")))
    with pytest.raises(JaxStyleError) as caught:
        join_processes("auto", None, None)
    assert "(no)" in str(caught.value) and "--coordinator" in str(caught.value)
