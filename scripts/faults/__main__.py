"""Plant faults in a copy of the package, one at a time, and check that the tests notice each.

The copy has the files that git tracks, with their uncommitted changes. For each fault, only the tests that should
notice it run, with `pytest -x`. They do not run without the fault first: `scripts/test` does that. A fault counts as
noticed only if a test fails; an error while tests are collected or modules are imported says nothing about the tests.

The exit code is 0 if all faults are noticed, 1 if one is not, and 2 if a fault does not fit the sources any more.
"""

import argparse
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from scripts.faults import FAULTS, Fault

CHECKOUT = Path(__file__).resolve().parents[2]
TIMEOUT = 900  # seconds for the tests of one fault
FAILURE = re.compile(r"^(?:FAILED|ERROR) (\S+?::.+?)(?: - (.*))?$", re.MULTILINE)
# Any test notices a fault that does not even run.
BROKEN = ("ImportError", "ModuleNotFoundError", "NameError", "SyntaxError", "IndentationError", "UnboundLocalError")


@dataclass(frozen=True)
class Outcome:
    """What the tests say about a fault.

    Attributes:
        noticed_by: the first test that fails; None if none does.
        problem: why the tests say nothing, or an empty string.
    """

    noticed_by: str | None = None
    problem: str = ""


def main() -> None:
    parser = argparse.ArgumentParser(
        prog="scripts/plant_faults", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("names", nargs="*", metavar="NAME", help="faults to plant (default all)")
    parser.add_argument("--list", action="store_true", help="list the faults, and plant none")
    arguments = parser.parse_args()
    if unknown := set(arguments.names) - {fault.name for fault in FAULTS}:
        parser.error(f"there is no fault {', '.join(sorted(unknown))}; --list lists them")
    faults = [fault for fault in FAULTS if not arguments.names or fault.name in arguments.names]
    if arguments.list:
        for fault in faults:
            print(f"{fault.name:<32}{fault.file}: {fault.description}")
        return
    if stale := [line for fault in faults for line in fault.stale(CHECKOUT)]:
        print("\n".join(stale), file=sys.stderr)
        sys.exit(2)
    with tempfile.TemporaryDirectory(prefix="jaxstyle-faults-") as folder:
        sys.exit(0 if plant_all(faults, copy_checkout(Path(folder).resolve())) else 1)


def copy_checkout(folder: Path) -> Path:
    """Copy the files that git tracks to a folder, and check that Python imports jaxstyle from there."""
    listing = subprocess.run(["git", "ls-files", "-z"], cwd=CHECKOUT, check=True, capture_output=True, text=True)
    for name in filter(None, listing.stdout.split("\0")):
        if (CHECKOUT / name).is_file():  # not deleted
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(CHECKOUT / name, folder / name)
    command = [sys.executable, "-c", "import jaxstyle; print(jaxstyle.__file__)"]
    imported = subprocess.run(
        command, cwd=folder, env=environment(folder), check=True, capture_output=True, text=True
    ).stdout.strip()
    if imported != str(folder / "jaxstyle" / "__init__.py"):
        sys.exit(f"Python imports {imported}; expected the copy in {folder}")
    return folder


def environment(copy: Path) -> dict[str, str]:
    """The environment variables of the tests: subprocesses import the copy too, and lines are not cut off."""
    return os.environ | {"PYTHONPATH": str(copy), "COLUMNS": "250"}


def plant_all(faults: Sequence[Fault], copy: Path) -> bool:
    """Plant the faults, print a line for each, and return whether all are noticed."""
    width, noticed, started = max(len(fault.name) for fault in faults), 0, time.monotonic()
    for fault in faults:
        fault_started = time.monotonic()
        outcome = plant(fault, copy)
        noticed += outcome.noticed_by is not None
        result = f"noticed by {outcome.noticed_by}" if outcome.noticed_by else f"NOT NOTICED {outcome.problem}".rstrip()
        print(f"{fault.name:<{width}}  {time.monotonic() - fault_started:4.0f} s  {result}", flush=True)
    print(f"{noticed} of {len(faults)} faults noticed, {time.monotonic() - started:.0f} s")
    return noticed == len(faults)


def plant(fault: Fault, copy: Path) -> Outcome:
    """Plant a fault in the copy, run its tests, and restore the module."""
    module = fault.module(copy)
    source = module.read_text(encoding="utf-8")
    module.write_text(source.replace(fault.old, fault.new), encoding="utf-8")
    try:
        return run_tests(fault.tests, copy)
    finally:
        module.write_text(source, encoding="utf-8")


def run_tests(tests: Sequence[str], copy: Path) -> Outcome:
    """Run tests in the copy up to the first failure."""
    options = ("-x", "-q", "--tb=no", "-p", "no:cacheprovider", "--hypothesis-seed=0")
    command = [sys.executable, "-m", "pytest", *options, *(f"tests/{test}" for test in tests)]
    try:
        completed = subprocess.run(
            command, cwd=copy, env=environment(copy), capture_output=True, text=True, timeout=TIMEOUT, check=False
        )
    except subprocess.TimeoutExpired:
        return Outcome(problem=f"in {TIMEOUT} s")
    if completed.returncode == 0:
        return Outcome()
    failure = FAILURE.search(completed.stdout)
    if completed.returncode == 1 and failure and not (failure[2] or "").startswith(BROKEN):
        return Outcome(noticed_by=failure[1].removeprefix("tests/"))
    error = re.search(r"^(?:FAILED|ERROR|E  ).*$", completed.stdout + completed.stderr, re.MULTILINE)
    return Outcome(problem=f"(the tests did not run: {error[0] if error else f'exit code {completed.returncode}'})")


if __name__ == "__main__":
    main()
