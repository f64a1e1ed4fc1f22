"""The command line: the only room that prints, exits, or sets global JAX configuration."""
