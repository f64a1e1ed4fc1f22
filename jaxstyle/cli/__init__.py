"""The command `jaxstyle`; only this package prints, exits, or sets global JAX configuration.

Modules:
    app: the commands, and errors as one line with an exit code
    stylize, texture: one picture
    batch, grid: many pairs
    style, gram, weights, export, bench: the other commands
    options: typer parameters for the options of a stylization
    run, progress: one stylization, interruptible and with a progress bar
    job, batch_progress: a job of many pairs, likewise
    jax_config: JAX's log and the cache of compiled programs
"""
