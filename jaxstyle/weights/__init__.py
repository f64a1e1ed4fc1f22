"""Pretrained weights: find, verify and load them, convert other frameworks' files, fetch the full-precision originals."""

from jaxstyle.weights.store import load_network as load_network
