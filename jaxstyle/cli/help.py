"""The layout of `--help`, the same for all commands: usage, parameters with placeholders, and example commands.

typer's layout prints a type such as `<bool>` or `<list[Path]>` for every parameter. This one prints the placeholder of
an option, such as `PIXELS`, and nothing for a switch.
"""

import inspect
import textwrap
from collections.abc import Callable
from typing import Any

import typer
from typer.core import TyperCommand, TyperGroup

# Commands, parameters and formatters have the type Any: their classes depend on the version of typer.
_NO_BREAK = "\N{NO-BREAK SPACE}"


def examples(*lines: str) -> str:
    """The epilog of a command: lines that begin with `jaxstyle` are commands, others say what the next one does."""
    return "\n".join(lines)


def command_app(name: str, function: Callable[..., None], epilog: str) -> typer.Typer:
    """A typer application with one command."""
    app = typer.Typer(add_completion=False)
    app.command(name, cls=HelpCommand, epilog=epilog)(function)
    return app


class HelpCommand(TyperCommand):
    """A command with this layout."""

    def collect_usage_pieces(self, ctx: Any) -> list[str]:
        """The arguments and the required options."""
        return _usage(self.params)

    def format_help(self, ctx: Any, formatter: Any) -> None:
        """Write the help page."""
        _write_help(self, ctx, formatter)


class HelpGroup(TyperGroup):
    """A group of commands with this layout. Without arguments, it prints its help page and exits with 2."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Parse the options before the name of the command."""
        if not args and not ctx.resilient_parsing:
            typer.echo(ctx.get_help())
            raise typer.Exit(2)
        return super().parse_args(ctx, args)

    def collect_usage_pieces(self, ctx: Any) -> list[str]:
        """A placeholder for the command and its arguments."""
        return ["COMMAND ..."]

    def summaries(self) -> dict[str, str]:
        """The commands, and the first sentences of their help."""
        return {
            name: (command.help or "").split("\n\n")[0] for name, command in self.commands.items() if not command.hidden
        }

    def format_help(self, ctx: Any, formatter: Any) -> None:
        """Write the help page."""
        _write_help(self, ctx, formatter)


def parameter_name(parameter: Any) -> str:
    """An argument as `STYLE...` or `[MANIFEST]`, or an option as `-o, --output FILE`."""
    if parameter.param_type_name == "option":
        return ", ".join(parameter.opts) + (f" {parameter.metavar}" if parameter.metavar else "")
    name = (parameter.metavar or parameter.name.upper()) + ("..." if parameter.nargs != 1 else "")
    return name if parameter.required else f"[{name}]"


def parameter_notes(parameter: Any) -> str:
    """The default of a parameter, or that it is required, as `[default: 512]`; empty if there is nothing to add."""
    notes = [f"env var: {parameter.envvar}"] if parameter.envvar else []
    if parameter.required:
        notes += ["required"] if parameter.param_type_name == "option" else []
    elif isinstance(parameter.show_default, str):
        notes.append(f"default: {parameter.show_default}")
    elif isinstance(parameter.default, int | float) and not isinstance(parameter.default, bool):
        notes.append(f"default: {parameter.default:g}")
    elif isinstance(parameter.default, str) and parameter.default:
        notes.append(f"default: {parameter.default}")
    return f"[{'; '.join(notes)}]" if notes else ""


def _usage(parameters: list[Any]) -> list[str]:
    arguments = [parameter_name(parameter) for parameter in parameters if parameter.param_type_name == "argument"]
    options = [parameter for parameter in parameters if parameter.param_type_name == "option" and parameter.required]
    return [*arguments, *(f"{option.opts[0]} {option.metavar}" for option in options), "[OPTIONS]"]


def _write_help(command: Any, ctx: Any, formatter: Any) -> None:
    formatter.write_usage(ctx.command_path, " ".join(command.collect_usage_pieces(ctx)))
    formatter.write_paragraph()
    with formatter.indentation():
        formatter.write_text(inspect.cleandoc(command.help or ""))
    tables = _tables(command, ctx)
    width = max(len(name) for rows in tables.values() for name, _ in rows)
    for heading, rows in tables.items():
        formatter.write(f"\n{heading}:\n")
        for name, text in rows:
            formatter.write(_row(name.ljust(width), text, formatter.width))
    if command.epilog:
        formatter.write("\nExamples:\n")
        for line in command.epilog.splitlines():
            formatter.write(f"{'    ' if line.startswith('jaxstyle ') else '  '}{line}\n")


def _row(name: str, text: str, width: int) -> str:
    """A name with its text beside it, in lines that do not break the names of options."""
    first, rest = f"  {name}  ", " " * (len(name) + 4)
    lines = textwrap.wrap(
        text, width, initial_indent=first, subsequent_indent=rest, break_on_hyphens=False, break_long_words=False
    )
    return "\n".join(lines).replace(_NO_BREAK, " ") + "\n"


def _tables(command: Any, ctx: Any) -> dict[str, list[tuple[str, str]]]:
    """The names and texts of parameters and commands by heading."""
    tables: dict[str, list[tuple[str, str]]] = {"Arguments": [], "Options": []}
    for parameter in command.get_params(ctx):
        heading = "Options" if parameter.param_type_name == "option" else "Arguments"
        notes = parameter_notes(parameter).replace(" ", _NO_BREAK).replace(f";{_NO_BREAK}", "; ")
        text = " ".join(filter(None, (parameter.help, notes)))
        if not parameter.hidden:
            rows = tables.setdefault(parameter.rich_help_panel or heading, [])
            rows.append((parameter_name(parameter), text))
    if isinstance(command, HelpGroup):
        tables["Commands"] = list(command.summaries().items())
    return {heading: rows for heading, rows in tables.items() if rows}
