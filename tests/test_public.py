"""The public names: what they are, that they are documented, and that importing them does nothing."""

import inspect
import os
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

import jaxstyle

PUBLIC = jaxstyle.__all__


class TestPublicNames:
    def test_are_sorted_and_unique(self):
        assert list(PUBLIC) == sorted(set(PUBLIC))

    def test_are_all_there_is(self):
        """Whatever dir() shows that is neither private nor a module is public."""
        visible = {name for name in dir(jaxstyle) if not inspect.ismodule(getattr(jaxstyle, name))}
        assert visible == set(PUBLIC)

    @pytest.mark.parametrize("name", [name for name in PUBLIC if callable(getattr(jaxstyle, name))])
    def test_are_documented_and_annotated(self, name: str):
        value = getattr(jaxstyle, name)
        assert value.__module__.startswith("jaxstyle."), f"{name} is not ours"
        docstring = value.__doc__ or ""
        assert len(docstring) > 30, f"{name} has no docstring"
        assert not docstring.startswith(f"{name}("), f"{name} has only the docstring that dataclasses generate"
        if inspect.isfunction(value):
            signature = inspect.signature(value)
            missing = [p.name for p in signature.parameters.values() if p.annotation is p.empty]
            assert not missing, f"{name} does not annotate {', '.join(missing)}"
            assert signature.return_annotation is not signature.empty


def test_importing_starts_no_device():
    """An impossible platform breaks the first use of a device, and importing is not one."""
    code = "import jaxstyle, jax; print(sorted(vars(jaxstyle)) != []); jax.devices()"
    environment = os.environ | {"JAX_PLATFORMS": "nonsense"}
    completed = subprocess.run(
        [sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=False
    )
    assert completed.stdout == "True\n"
    assert "nonsense" in completed.stderr
    assert completed.returncode != 0


def test_names_are_imported_when_they_are_used():
    """`stylize` is the function, also after its module was imported. One process for all, because it imports JAX."""
    code = """
        import sys

        import jaxstyle.__main__

        # Ctrl-C before `main` is called would be a traceback
        assert [name for name in sys.modules if name.startswith("jaxstyle")] == ["jaxstyle", "jaxstyle.__main__"]
        for first in ("", "from jaxstyle.stylize import Stylized", "import jaxstyle.stylize"):
            import jaxstyle

            assert first or not {"jax", "lazy_loader"} & set(sys.modules)
            exec(first)
            assert callable(jaxstyle.stylize) and callable(jaxstyle.texture) and "jax" in sys.modules
            for name in [name for name in sys.modules if name.startswith("jaxstyle")]:
                del sys.modules[name]
    """
    subprocess.run([sys.executable, "-c", textwrap.dedent(code)], check=True)


def test_enabled_cache_is_used_after_the_first_compilation(tmp_path: Path):
    """A program that a process has compiled is on disk, although JAX had compiled another before."""
    code = "import jax, jaxstyle; f = jax.jit(lambda x: x + 1); f(1); jaxstyle.enable_cache(); f(1.5)"
    environment = os.environ | {"JAX_COMPILATION_CACHE_DIR": str(tmp_path), "JAX_ENABLE_COMPILATION_CACHE": "1"}
    subprocess.run([sys.executable, "-c", code], env=environment, check=True)
    assert list(tmp_path.glob("jaxstyle/*/jit__lambda-*-cache"))


@pytest.mark.parametrize("option", ["--help", "--version"])
def test_help_of_the_command_does_not_import_jax(option: str):
    code = f"import sys; sys.argv[1:] = ['{option}']; import jaxstyle.cli.app as app; app.run(); print(*sys.modules)"
    completed = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert not {"jax", "numpy", "PIL"} & set(completed.stdout.splitlines()[-1].split())
