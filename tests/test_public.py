"""The public names, and the shape of the package that DESIGN rests on: who imports whom, who prints."""

import ast
import inspect
import os
import subprocess
import sys
from pathlib import Path

import pytest

import jaxstyle

PACKAGE = Path(jaxstyle.__file__).parent
PUBLIC = jaxstyle.__all__
MODULES = sorted(PACKAGE.rglob("*.py"))
# Data flows down this list, so a module may import only itself and what stands above it.
ORDER = (
    ("errors",),
    ("ahead", "files"),
    ("config", "conv", "images", "programs"),
    ("networks",),
    ("weights", "statistics", "pyramid"),
    ("representations", "regions"),
    ("styles",),
    ("objective", "starts", "style_files"),
    ("solver", "aims"),
    ("stylize",),
    ("memory", "buckets", "lanes", "texture", "laboratory"),
    ("pairs", "stylizer"),
    ("batch",),
    ("cli.options", "cli.progress", "cli.sheet", "cli.system"),
    ("cli.inputs", "cli.run"),
    ("cli.settings",),
    ("cli.job.names", "cli.job.records", "cli.job.checkpoints", "cli.job.processes"),
    ("cli.job.manifest",),
    ("cli.job.inputs", "cli.job.contact_sheet"),
    ("cli.job.plan",),
    ("cli.job.progress",),
    ("cli.job.run",),
    ("cli.job.job",),
    ("cli.batch", "cli.bench", "cli.export", "cli.gram", "cli.grid"),
    ("cli.style", "cli.stylize", "cli.texture", "cli.weights"),
    ("cli.app",),
    ("__main__",),
)
RANK = {room: rank for rank, rooms in enumerate(ORDER) for room in rooms}


def room_of(path: Path) -> str:
    """The first part of a module's name in the package; the whole for the command line, whose modules have ranks."""
    parts = path.relative_to(PACKAGE).with_suffix("").parts
    return ".".join(parts) if parts[0] == "cli" else parts[0]


def rooms_in(name: str) -> set[str]:
    """The rooms among the prefixes of a dotted name: of what is imported."""
    parts = name.split(".")[1:]
    return {".".join(parts[:end]) for end in range(1, len(parts) + 1)} & RANK.keys()


def imports(path: Path) -> set[str]:
    """The dotted names of everything that a module imports, wherever in it."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path} imports relatively"
            found |= {f"{node.module}.{alias.name}" for alias in node.names}
    return found


class TestPublicNames:
    def test_are_sorted_and_unique(self):
        assert list(PUBLIC) == sorted(set(PUBLIC))

    def test_are_all_there_is(self):
        """Whatever a user sees with dir() and is neither private nor a room of the package is promised, and present."""
        visible = {
            name for name, value in vars(jaxstyle).items() if not name.startswith("_") and not inspect.ismodule(value)
        }
        assert visible == set(PUBLIC) - {"__version__"}

    @pytest.mark.parametrize("name", [name for name in PUBLIC if callable(getattr(jaxstyle, name))])
    def test_are_documented_and_annotated(self, name: str):
        value = getattr(jaxstyle, name)
        assert value.__module__.startswith("jaxstyle."), f"{name} is not ours"
        own = value.__doc__ or ""
        assert len(own) > 30, f"{name} has no docstring of its own"
        assert not own.startswith(f"{name}("), f"{name} has only the docstring that dataclasses make"
        if inspect.isfunction(value):
            signature = inspect.signature(value)
            missing = [p.name for p in signature.parameters.values() if p.annotation is p.empty]
            assert not missing, f"{name} does not annotate {', '.join(missing)}"
            assert signature.return_annotation is not signature.empty


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(PACKAGE)))
class TestModules:
    def test_has_a_docstring(self, path: Path):
        assert ast.get_docstring(ast.parse(path.read_text(encoding="utf-8")))

    def test_imports_only_what_stands_before_it(self, path: Path):
        room = room_of(path)
        if room.endswith("__init__"):
            return
        rooms = set().union(*(rooms_in(name) for name in imports(path) if name.startswith("jaxstyle.")))
        assert all(other == room or RANK[other] < RANK[room] for other in rooms), f"{room} imports {sorted(rooms)}"

    def test_only_images_knows_pillow(self, path: Path):
        assert room_of(path) == "images" or not any(name.split(".")[0] == "PIL" for name in imports(path))

    def test_only_the_command_line_prints_exits_or_configures_jax(self, path: Path):
        if room_of(path).startswith("cli"):
            return
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            called = ast.unparse(node.func) if isinstance(node, ast.Call) else ""
            assert called not in ("print", "exit", "quit", "sys.exit", "os._exit", "jax.config.update"), called


def test_importing_starts_no_device():
    """An impossible platform breaks the first use of a device, and importing is not one."""
    code = "import jaxstyle, jax; print(sorted(vars(jaxstyle)) != []); jax.devices()"
    environment = os.environ | {"JAX_PLATFORMS": "nonsense"}
    done = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=False)
    assert done.stdout == "True\n"
    assert "nonsense" in done.stderr
    assert done.returncode != 0
