"""The precision of a network's features: float32, or less on devices whose matrix units are faster with less."""

import jax
import jax.numpy as jnp

from jaxstyle.arguments import check_choice

# Names for `jax.default_matmul_precision`. Products of bfloat16 numbers are exact in float32.
_PRODUCTS = {"float32": "highest", "tensorfloat32": "tensorfloat32", "bfloat16": "default"}
PRECISIONS = ("auto", *_PRODUCTS)


def resolve_precision(precision: str) -> str:
    """Replace "auto" by "bfloat16" on GPUs and TPUs, which have matrix units for it, and by "float32" on CPUs.

    Raises:
        ConfigError: for an unknown precision.
    """
    check_choice("precision", precision, PRECISIONS)
    if precision != "auto":
        return precision
    return "float32" if jax.default_backend() == "cpu" else "bfloat16"


def dtype_of(precision: str) -> jnp.dtype:
    """The dtype of activations. Losses, statistics and the picture are always float32."""
    return jnp.dtype(jnp.bfloat16 if precision == "bfloat16" else jnp.float32)


def matmul_precision(precision: str) -> str:
    """The argument of `jax.default_matmul_precision` while the network is traced."""
    return _PRODUCTS[precision]
