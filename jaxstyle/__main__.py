"""The command `jaxstyle`, also as `python -m jaxstyle`, for where the command is not on the path."""


def main() -> None:
    """Run the command in `sys.argv` and exit: with 0, or with one line on stderr and the code of the error."""
    import signal  # nothing is imported before this: Ctrl-C would raise KeyboardInterrupt within an import

    if signal.getsignal(signal.SIGINT) is signal.default_int_handler:
        signal.signal(signal.SIGINT, signal.SIG_DFL)  # it ends the process; `run_command` handles it better
    from jaxstyle.cli.interrupts import run_command

    run_command(_run)


def _run() -> int:
    from jaxstyle.cli.app import run  # here, so that Ctrl-C during the imports ends the command, too

    return run()


if __name__ == "__main__":
    main()
