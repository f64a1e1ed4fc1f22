"""How precisely a network computes its features, on devices whose matrix units are faster at less than float32."""

import jax
import jax.numpy as jnp

from jaxstyle.errors import ConfigError

# What JAX calls the precision of products of float32, or of bfloat16, which are exact in float32.
_PRODUCTS = {"float32": "highest", "tensorfloat32": "tensorfloat32", "bfloat16": "default"}
PRECISIONS = ("auto", *_PRODUCTS)


def resolve_precision(precision: str) -> str:
    """What "auto" stands for: "bfloat16" on GPUs and TPUs, which have units for it, and "float32" on CPUs.

    Raises:
        ConfigError: for an unknown precision.
    """
    if precision not in PRECISIONS:
        raise ConfigError(f"unknown precision {precision!r}; expected one of {', '.join(PRECISIONS)}")
    if precision != "auto":
        return precision
    return "float32" if jax.default_backend() == "cpu" else "bfloat16"


def dtype_of(precision: str) -> jnp.dtype:
    """Of activations; losses, statistics and the picture are float32 always."""
    return jnp.dtype(jnp.bfloat16 if precision == "bfloat16" else jnp.float32)


def matmul_precision(precision: str) -> str:
    """For `jax.default_matmul_precision`, while the network is traced."""
    return _PRODUCTS[precision]
