"""The example pictures that tests use."""

from pathlib import Path

EXAMPLES = Path(__file__).parents[2] / "examples"
