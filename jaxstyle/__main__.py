"""`python -m jaxstyle`, for where the command `jaxstyle` is not on the path."""

from jaxstyle.cli.app import main

if __name__ == "__main__":
    main()
