"""`jaxstyle` as a separate process: caches, quiet output, and signals."""

import json
import os
import pty
import signal
import subprocess
import sys
import textwrap
import time
from contextlib import suppress
from pathlib import Path

import pytest
from PIL import Image
from support.batches import TINY
from support.command import CONTENT, STYLE, without_progress


@pytest.fixture(scope="module")
def environment(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """No settings of JAX, except those for quick compilation, and an empty cache folder."""
    quick = ("JAX_DISABLE_MOST_OPTIMIZATIONS", "XLA_FLAGS")
    variables = {name: value for name, value in os.environ.items() if name in quick or not name.startswith("JAX_")}
    return variables | {"XDG_CACHE_HOME": str(tmp_path_factory.mktemp("cache"))}


def start(environment: dict[str, str], *arguments: object, stderr: int = subprocess.PIPE) -> subprocess.Popen:
    """Start the installed program, or the module if it is not installed."""
    program = Path(sys.executable).with_name("jaxstyle")
    words = [program] if program.exists() else [sys.executable, "-m", "jaxstyle"]
    command = [*words, *map(str, arguments)]
    return subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, stderr=stderr, text=True)


def wait(process: subprocess.Popen) -> tuple[int, str, str]:
    out, err = process.communicate(timeout=120)
    return process.returncode, out, without_progress(err)


@pytest.mark.skipif(sys.platform != "linux", reason="the cache folder is elsewhere")
def test_second_run_is_the_same_and_neither_compiles_nor_traces(environment, tmp_path):
    cache = Path(environment["XDG_CACHE_HOME"]) / "jaxstyle" / "compiled"
    written = []
    for name in ("a.png", "b.png"):
        process = start(environment, "stylize", CONTENT, STYLE, "-o", tmp_path / name, *TINY)
        assert wait(process) == (0, f"{tmp_path / name}\n", "")
        written.append({path: path.stat().st_mtime_ns for path in cache.rglob("*-*") if path.is_file()})
    assert (tmp_path / "a.png").read_bytes() == (tmp_path / "b.png").read_bytes()
    assert written[0] == written[1]
    functions = {"_content_targets", "measure_statistics", "init", "advance"}
    assert {path.name.split("-")[0] for path in cache.glob("*/traced/*")} == functions
    assert {f"jit_{name}" for name in functions} <= {path.name.split("-")[0] for path in cache.glob("*/*-cache")}


@pytest.mark.parametrize("stop", [signal.SIGINT, signal.SIGTERM])
def test_stopped_run_writes_the_current_picture(environment, tmp_path, stop):
    out, snapshot = tmp_path / "out.png", tmp_path / "out-0010.png"
    options = (*TINY, "--steps", 100_000, "--save-every", 10)
    process = start(environment, "stylize", CONTENT, STYLE, "-o", out, *options)
    deadline = time.monotonic() + 60
    while not snapshot.exists() and time.monotonic() < deadline:
        time.sleep(0.05)
    process.send_signal(stop)
    code, printed, err = wait(process)
    assert code == 130 and printed == ""
    waiting, err = err.splitlines()
    assert waiting.startswith("jaxstyle: stopping after the steps that are being computed")
    assert err.startswith("jaxstyle: stopped after ") and f"; the current picture is in {out}; " in err
    with Image.open(out) as image:
        assert image.size == (32, 24)
        steps = json.loads(image.text["jaxstyle"])["steps"]
    assert f"after {steps} of 100000 steps" in err and err.endswith(f"the same command goes on from step {steps}")


def test_stop_while_compiling_takes_effect_at_once(environment, tmp_path):
    """On a terminal, with deep layers whose programs are not cached."""
    screen, terminal = pty.openpty()
    with start(
        environment, "stylize", CONTENT, STYLE, "-o", tmp_path / "out.png", "--size", 65, stderr=terminal
    ) as process:
        os.close(terminal)
        output = b""
        while output.count(b"compiling") < 3:  # it is drawn ten times a second
            output += os.read(screen, 10_000)
        process.send_signal(signal.SIGINT)
        stopped = time.monotonic()
        with suppress(OSError):  # raised at the end of a terminal's output
            while more := os.read(screen, 10_000):
                output += more
        os.close(screen)
        assert process.wait(timeout=60) == 130 and time.monotonic() - stopped < 2
    assert b"harbour.jpg at 65 x 50 pixels, on " in output and b"65 px (1/1) compiling (about 15 s on a " in output
    assert b"jaxstyle: stopped before the first step; nothing was written" in output
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("name", ["XDG_CACHE_HOME", "JAX_COMPILATION_CACHE_DIR"])
def test_no_warnings_of_an_unwritable_cache_or_a_missing_gpu(environment, tmp_path, name):
    (tmp_path / "file").write_text("no folder")
    code = """
        import jax, logging
        from jaxstyle.cli.jax_config import configure_jax
        configure_jax()
        logging.getLogger("jax._src.xla_bridge").warning("An NVIDIA GPU may be present, but")
        print(jax.jit(lambda x: x + 1)(1))
    """
    command = [sys.executable, "-c", textwrap.dedent(code)]
    environment = environment | {name: str(tmp_path / "file" / "cache")}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
    assert (done.stdout, done.stderr) == ("2\n", "")


def test_no_errors_of_xla_about_features_of_the_cpu(environment, tmp_path):
    """It logs them for a cached program if the file has a feature that the CPU lacks, and on some CPUs for any file."""
    code = """
        import jax, re, sys
        from pathlib import Path
        from jax._src.compilation_cache import compress_executable, decompress_executable
        from jaxstyle.cli.jax_config import configure_jax

        def change_feature(match):
            return match[0][:-1] + (b"x" if match[0].endswith(b"z") else b"z")

        configure_jax()
        function = jax.jit(lambda x: x + 1)
        function(1)
        for path in Path(sys.argv[1]).rglob("*-cache"):
            program = decompress_executable(path.read_bytes())
            program = re.sub(rb"[+][a-z0-9]+(?=,[+-])", change_feature, program, count=1)
            path.write_bytes(compress_executable(program))
        jax.clear_caches()
        function(1)
        print("with errors", file=sys.stderr, flush=True)
        jax.config.update("jax_logging_level", "ERROR")
        jax.clear_caches()
        function(1)
    """
    command = [sys.executable, "-c", textwrap.dedent(code), str(tmp_path)]
    done = subprocess.run(
        command, env=environment | {"XDG_CACHE_HOME": str(tmp_path)}, capture_output=True, text=True, check=True
    )
    without_errors, _, with_errors = done.stderr.partition("with errors\n")
    assert without_errors == ""
    if "feature" not in with_errors:
        pytest.skip("XLA logs no error")


def test_missing_device(environment):
    code = """
        import jax, sys
        from contextlib import suppress
        from jaxstyle.__main__ import main

        sys.argv[1:] = ["info"]
        for platform in ("cuda", "nonsense"):
            jax.config.update("jax_platforms", platform)
            try:
                main()
            except SystemExit as exited:
                print(exited.code)
    """
    command = [sys.executable, "-c", textwrap.dedent(code)]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
    assert done.stdout == "1\n1\n"
    lines = done.stderr.splitlines()
    assert len(lines) == 2
    assert all(line.startswith("jaxstyle: error: JAX has no device to run on (") for line in lines)
