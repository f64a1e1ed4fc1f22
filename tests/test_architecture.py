"""The structure of the package: who may import whom, who prints, and which words are no names.

The components of the package stand in the order of the data: a component imports only components before it.
"""

import ast
import re
import sys
import tokenize
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

import jaxstyle

PACKAGE = Path(jaxstyle.__file__).parent
ROOT = Path(__file__).parents[1]
MODULES = sorted(PACKAGE.rglob("*.py"))
# From files to files: each component may import those before it.
COMPONENTS = (
    *("errors", "arguments", "config", "images", "compilation", "networks", "weights", "styles", "optimization"),
    *(
        "stylize",
        "texture",
        "stylizer",
        "export",
        "environment",
        "batch",
        "options",
        "files",
        "jobs",
        "laboratory",
        "cli",
        "__main__",
    ),
)
SUBPACKAGES = {component for component in COMPONENTS if (PACKAGE / component).is_dir()}
# Which components import which libraries; all may import the first ones.
EVERYWHERE = {"flax", "jax", "jaxstyle", "numpy"}
LIBRARIES = {
    "PIL": {"images"},
    "imagecodecs": {"images"},
    "tifffile": {"images"},
    "pillow_heif": {"images"},
    "pillow_jxl": {"images"},
    "fsspec": {"images"},
    "flax.linen": {"networks"},
    "safetensors": {"weights", "styles"},
    "ml_dtypes": {"weights"},
    "h5py": {"weights"},
    "onnx": {"weights"},
    "scipy": {"weights"},
    "optax": {"optimization", "laboratory"},
    "psutil": {"optimization"},
    "platformdirs": {"weights", "compilation"},
    "orbax": {"files"},
    "filelock": {"jobs"},
    "ray": {"jobs"},
    "typer": {"cli"},
    "rich": {"cli"},
    "lazy_loader": {""},
}
IMPORTING_CALLS = {"import_extra", "import_library", "importlib.import_module", "import_module"}
ERRORS = {"ConfigError", "JaxStyleError", "MemoryLimitError", "PictureError", "StyleError", "WeightsError"}
FORBIDDEN_CALLS = {"print", "exit", "quit", "sys.exit", "os._exit", "jax.config.update"}
# Words that say nothing about what they name, or that only this project used: see CONTRIBUTING.md, "Words".
VAGUE = {
    *("aim", "aims", "aim_at", "Aim", "lane", "lanes", "Lanes", "starts", "ahead", "frame", "frames"),
    *("programs", "Kept", "keep_in", "look", "looks", "watch", "show", "tell", "told", "asked"),
    *("with_missing", "in_layers", "made", "own", "such", "each", "part", "parts"),
}


def component_of(module: str) -> str:
    """The component of a module of the package: `jaxstyle.styles.regions` is in `styles`."""
    return [*module.split("."), ""][1]


def module_name(path: Path) -> str:
    names = path.relative_to(PACKAGE.parent).with_suffix("").parts
    return ".".join(names[:-1] if names[-1] == "__init__" else names)


@cache
def parsed(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"))


def imported(path: Path) -> set[str]:
    """The modules of the package that a module imports anywhere in it, without names of functions and classes."""
    modules = {module_name(module) for module in MODULES}
    names = set()
    for node in ast.walk(parsed(path)):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path} imports relatively"
            names |= {node.module, *(f"{node.module}.{alias.name}" for alias in node.names)}
    return {name for name in names if name in modules}


@cache
def imports() -> dict[str, set[str]]:
    """The modules that each module of the package imports."""
    return {module_name(path): imported(path) for path in MODULES}


def identifiers(path: Path) -> Iterator[tuple[str, int]]:
    """The names in a module with their lines, without attributes, which may be those of other libraries."""
    previous = ""
    with tokenize.open(path) as file:
        for token in tokenize.generate_tokens(file.readline):
            if token.type == tokenize.NAME and previous != ".":
                yield token.string, token.start[0]
            previous = token.string


def test_every_module_is_in_a_room():
    assert {component_of(module) for module in imports()} == {"", *COMPONENTS}


@pytest.mark.parametrize("component", COMPONENTS)
def test_components_import_only_components_before_them(component: str):
    allowed = {*COMPONENTS[: COMPONENTS.index(component) + 1], ""}
    if component not in ("cli", "__main__"):
        allowed -= {""}  # the public names are re-exported from the components
    for module, others in imports().items():
        if component_of(module) == component:
            wrong = {other for other in others if component_of(other) not in allowed}
            assert not wrong, f"{module} imports {', '.join(sorted(wrong))}"


def test_components_import_from_packages_not_from_inside():
    """`from jaxstyle.styles import Style`, never from a module inside, except for modules that a subpackage exports."""
    for module, others in imports().items():
        for other in others:
            inside = other.count(".") == 2 and component_of(other) in SUBPACKAGES
            if inside and component_of(other) != component_of(module) and module != "jaxstyle.__main__":
                assert other.split(".")[2] in exported_modules(component_of(other)), f"{module} imports {other}"


def exported_modules(component: str) -> set[str]:
    """The modules that a subpackage exports as such: `solver`, whose functions are called as `solver.run`."""
    tree = parsed(PACKAGE / component / "__init__.py")
    nodes = [node for node in tree.body if isinstance(node, ast.ImportFrom) and node.module == f"jaxstyle.{component}"]
    return {alias.name for node in nodes for alias in node.names}


def libraries(path: Path) -> set[str]:
    """The libraries that a module imports anywhere in it, also by a call with the name."""
    names = set()
    for node in ast.walk(parsed(path)):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            names |= {node.module or "", *(f"{node.module}.{alias.name}" for alias in node.names)}
        elif isinstance(node, ast.Call) and ast.unparse(node.func) in IMPORTING_CALLS:
            names |= {name.value for name in node.args[:1] if isinstance(name, ast.Constant)}
    found = {"flax.linen" if name.startswith("flax.linen") else name.split(".")[0] for name in names}
    return found - EVERYWHERE - sys.stdlib_module_names


def test_components_import_their_libraries():
    found: dict[str, set[str]] = {}
    for path in MODULES:
        for library in libraries(path):
            found.setdefault(library, set()).add(component_of(module_name(path)))
    assert found == LIBRARIES


def test_no_module_imports_itself_through_others():
    graph = imports()
    packages = {f"jaxstyle.{component}" for component in SUBPACKAGES} | {"jaxstyle"}
    ordered: set[str] = set()
    remaining = {module: {other for other in others if other not in packages} for module, others in graph.items()}
    while remaining:
        free = {module for module, others in remaining.items() if not others - ordered - {module}}
        assert free, f"import cycle among {', '.join(sorted(remaining))}"
        ordered |= free
        remaining = {module: others for module, others in remaining.items() if module not in free}


@pytest.mark.parametrize("component", sorted(SUBPACKAGES))
def test_subpackages_list_their_modules(component: str):
    docstring = ast.get_docstring(parsed(PACKAGE / component / "__init__.py")) or ""
    listed = docstring.partition("Modules:\n")[2]
    missing = [path.stem for path in (PACKAGE / component).glob("[!_]*.py") if path.stem not in listed]
    assert not missing, f"jaxstyle/{component}/__init__.py does not list {', '.join(missing)}"


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(PACKAGE)))
class TestModules:
    def test_have_a_docstring(self, path: Path):
        assert ast.get_docstring(parsed(path))

    def test_errors_say_what_to_do(self, path: Path):
        """A message is what was found, then, after a semicolon or colon, what was expected or what to do."""
        for node in ast.walk(parsed(path)):
            if isinstance(node, ast.Call) and ast.unparse(node.func) in ERRORS and node.args:
                texts = [text.value for text in ast.walk(node.args[0]) if isinstance(text, ast.Constant)]
                message = " ".join(text for text in texts if isinstance(text, str))
                assert len(re.findall("[a-z]+", message)) < 5 or re.search("[;:] ", message), f"{path}: {message}"

    def test_only_cli_prints_exits_or_configures_jax(self, path: Path):
        if component_of(module_name(path)) == "cli":
            return
        for node in ast.walk(parsed(path)):
            called = ast.unparse(node.func) if isinstance(node, ast.Call) else ""
            if called == "jax.config.update" and path.name == "enabling.py":  # `enable_cache`, which a user calls
                continue
            assert called not in FORBIDDEN_CALLS, f"{called} in line {node.lineno}"
            assert not called.startswith(("sys.stdout.", "sys.stderr.")), f"{called} in line {node.lineno}"


@pytest.mark.parametrize("folder", ["jaxstyle", "scripts", "tests", "examples"])
def test_no_vague_names(folder: str):
    """Names say what they hold, in terms of the field."""
    vague = [
        f"{path.relative_to(ROOT)}:{line}: {name}"
        for path in sorted((ROOT / folder).rglob("*.py"))
        for name, line in identifiers(path)
        if name in VAGUE
    ]
    assert not vague, "\n".join(vague)
