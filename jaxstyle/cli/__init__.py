"""The command `jaxstyle`; only this package prints, exits, or sets global JAX configuration.

Modules:
    app: the subcommands, and errors as one line with an exit code
    stylize, texture: one picture
    batch, grid: many pairs
    style, gram, maximize, weights, export, bench, info, cache: the other commands
    help: the layout of `--help`
    options: typer parameters for the options of a stylization
    interrupts: Ctrl-C and SIGTERM
    usage: errors in the words of a command
    messages: errors as the command line words them
    prepare: what a stylization reads, checked before it runs
    run, monitor, progress, dry_run: one stylization, interruptible and with a progress bar, or predicted
    job, batch_progress: a job of many pairs, interruptible and with progress bars
    batch_description: the state of such a job, for --dry-run
    arrivals: waiting for pictures of a job
    jax_config: JAX's log and the cache of traced and compiled programs
"""
