"""A job of many pairs that can be killed at any moment: its manifest, plan, records, checkpoints, and the run."""
