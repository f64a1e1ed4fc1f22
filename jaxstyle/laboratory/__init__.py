"""Experiments with the style space: what single entries of Gram matrices look like, and matrices no picture had."""
