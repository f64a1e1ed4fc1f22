"""Errors in the words of a command: what was found, what was expected, and what to do."""

import re

import typer

# What typer says of a value in its type's words: in versions up to 0.28 as Click, later as Pydantic.
_CLICK = {
    r"'(?P<found>.*)' is not a valid int(eger)?( range)?": "a whole number",
    r"'(?P<found>.*)' is not a valid float( range)?": "a number",
    r"(?P<found>.*) is not in the range x>=(?P<least>.*)": "a number from {least} up",
}
_PYDANTIC = {
    "int_parsing": "a whole number",
    "int_parsing_size": "a whole number of fewer digits",
    "float_parsing": "a number",
    "greater_than_equal": "a number from {ge} up",
}


def usage_message(error: typer.TyperException) -> str:
    """The message for an error that typer raises, with the help to see if there is one."""
    message, command = error.message.rstrip("."), getattr(getattr(error, "ctx", None), "command_path", None)
    help_ = f"; see: {command} --help" if command else ""
    name = _parameter_name(error)
    if type(error).__name__ == "MissingParameter":
        return f"{name} is missing; add it{help_}"
    if type(error).__name__ == "BadParameter":
        return f"{_value_message(name, error, message)}{help_}"
    if type(error).__name__ == "NoSuchOption":
        nearest = sorted(getattr(error, "possibilities", None) or ())
        expected = f"expected one like {', '.join(nearest)}" if nearest else "leave it out"
        return f"there is no option {getattr(error, 'option_name', '')}; {expected}{help_}"
    if match := re.fullmatch(r"Option '(.*)' requires (an argument|\d+ arguments)", message):
        return f"{match[1]} has no value; expected one after it{help_}"
    if match := re.fullmatch(r"Option '(.*)' does not take a value", message):
        return f"{match[1]} has a value; expected it alone{help_}"
    if match := re.match(r"No such command '(.*?)'", message):
        commands = ", ".join(error.ctx.command.commands)  # type: ignore[attr-defined]
        return f"there is no command {match[1]!r}; expected one of {commands}"
    if match := re.fullmatch(r"Got unexpected extra argument(?:s|\(s\))? \((.*)\)", message):
        quote = ", or quote a pattern of files" if str(command).endswith(" batch") else ""
        return f"there is {match[1]!r} after the last argument; leave it out{quote}{help_}"
    return f"{error.format_message().rstrip('.')}{help_}"


def _parameter_name(error: typer.TyperException) -> str:
    """The name of the parameter of an error: `--steps`, `-o / --output` or `CONTENT`."""
    match = re.match(r"(?:Invalid value for|Missing \w+) ((?:'[^']*'(?: / )?)+)", error.format_message())
    return match[1].replace("'", "") if match else "an argument"


def _value_message(name: str, error: typer.TyperException, message: str) -> str:
    """The message for a value of a parameter that is of another type, or out of its range."""
    if reasons := getattr(error.__cause__, "errors", None):
        reason = reasons()[0]
        expected = _PYDANTIC.get(reason["type"], reason["msg"].removeprefix("Value error, expected "))
        return f"{name} is {reason['input']!r}; expected {expected.format(**reason.get('ctx', {}))}"
    for pattern, expected in _CLICK.items():
        if match := re.fullmatch(pattern, message):
            found = match["found"]
            return f"{name} is {found!r}; expected {expected.format(**match.groupdict())}"
    return f"{name} is {message!r}; expected another value"
