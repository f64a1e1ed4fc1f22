"""A fault: a change of one place in the package that the tests must notice."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Fault:
    """A fault.

    Attributes:
        name: selects it on the command line.
        description: what is wrong, in one line.
        file: the module, within the folder `jaxstyle`.
        old: the text to replace, which occurs exactly once in the module.
        new: its replacement.
        tests: the tests that should notice it, as arguments of pytest within the folder `tests`.
    """

    name: str
    description: str
    file: str
    old: str
    new: str
    tests: tuple[str, ...]

    def module(self, checkout: Path) -> Path:
        """The path of the module in a checkout."""
        return checkout / "jaxstyle" / self.file

    def stale(self, checkout: Path) -> Iterator[str]:
        """What no longer fits the checkout, one line each."""
        module = self.module(checkout)
        count = module.read_text(encoding="utf-8").count(self.old) if module.is_file() else 0
        if count != 1:
            yield f"{self.name}: {self.file} has {self.old!r} {count} times; expected once: update the fault"
        for test in self.tests:
            file, *names = test.split("[")[0].split("::")
            path = checkout / "tests" / file
            source = path.read_text(encoding="utf-8") if path.is_file() else ""
            if not source or not all(f"class {name}:" in source or f"def {name}(" in source for name in names):
                yield f"{self.name}: there is no test {test}; update the fault"
