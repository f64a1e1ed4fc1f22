"""Distances between the representations of a picture and of a style: one scalar for each layer.

With the "relative" normalization a distance is divided by that between the style and features of 0, so that it is 0 at
the style and 1 for a black picture whatever the layer. With "gatys" it is divided by 4 times the number of entries, as
in Gatys et al. (arXiv 1508.06576, eq. 4).
"""

from collections.abc import Mapping
from typing import Any

import jax
import jax.numpy as jnp
from jax import lax

TINY = 1e-6  # added to the denominators of relative terms, because the targets of a flat black picture are 0
# Variance added to every direction of both covariances, as a share of the style's total variance. Without it, the
# float32 eigenvalues of products of two covariances would be rounding errors in most directions of a deep layer.
RIDGE = 2e-4

Arrays = Mapping[str, jax.Array]


def squared_differences(measured: Arrays, targets: Arrays, normalization: str) -> dict[str, jax.Array]:
    """The squared difference of the arrays of each layer, |G - A|^2 / |A|^2 if relative."""
    return {
        layer: _normalized(_squares(measured[layer] - target), _squares(target), target.size, normalization)
        for layer, target in targets.items()
    }


def covariance_distances(measured: Arrays, targets: Arrays, normalization: str) -> dict[str, jax.Array]:
    """Half the squared difference of the means plus half that of the covariances, each normalized by itself.

    Both have `[C + 1, C]` for each layer: the mean and the second moments.
    """

    def distance(value: jax.Array, target: jax.Array) -> jax.Array:
        pairs = zip(_mean_and_covariance(value), _mean_and_covariance(target), strict=True)
        mean, covariance = (_normalized(_squares(x - y), _squares(y), y.size, normalization) for x, y in pairs)
        return (mean + covariance) / 2

    return {layer: distance(measured[layer], target) for layer, target in targets.items()}


def wasserstein_distances(measured: Arrays, targets: Arrays, normalization: str) -> dict[str, jax.Array]:
    """The squared 2-Wasserstein distance between the normal distributions with these means and covariances.

    |m - n|^2 + tr(C + D - 2 (D^1/2 C D^1/2)^1/2), where C and D include `RIDGE`. Both arguments have `[C + 1, C]` for
    each layer: the mean and the second moments. For normal features, it is the mean square by which the features must
    move. If relative, it is divided by |n|^2 + tr D, the mean square of the style's features.
    """

    def distance(value: jax.Array, target: jax.Array) -> jax.Array:
        (mean, covariance), (target_mean, target_covariance) = map(_mean_and_covariance, (value, target))
        channels, energy = target_mean.size, _squares(target_mean) + jnp.trace(target_covariance)
        ridge = (RIDGE * jnp.trace(target_covariance) + TINY * TINY) * jnp.eye(channels, dtype=target.dtype)
        covariance, target_covariance = covariance + ridge, target_covariance + ridge
        # A blend with negative shares may have negative eigenvalues; the root takes them for 0. XLA moves this root,
        # which does not depend on the picture, out of the loop over steps.
        root = matrix_root(target_covariance)
        cross = matrix_root(_symmetric(root @ covariance @ root))
        moved = _squares(mean - target_mean) + jnp.trace(covariance + target_covariance - 2 * cross)
        return _normalized(moved, energy, channels, normalization)

    with jax.default_matmul_precision("highest"):
        return {layer: distance(measured[layer], target) for layer, target in targets.items()}


def matrix_root(matrix: jax.Array) -> jax.Array:
    """The square root of a symmetric positive semidefinite matrix `[C, C]`; negative eigenvalues count as 0.

    The derivative dR solves R dR + dR R = dA. That of an eigendecomposition would be NaN for repeated eigenvalues.
    """
    return _root_and_eigenvectors(matrix)[0]


@jax.custom_jvp
def _root_and_eigenvectors(matrix: jax.Array) -> tuple[jax.Array, jax.Array, jax.Array]:
    """The root of a matrix, and its eigenvalues and eigenvectors, which count as constants."""
    values, vectors = jnp.linalg.eigh(matrix)
    values = jnp.sqrt(jnp.maximum(values, 0))
    return (vectors * values[None]) @ vectors.T, values, vectors


@_root_and_eigenvectors.defjvp
def _root_derivative(primals: tuple[jax.Array], tangents: tuple[jax.Array]) -> tuple[Any, Any]:
    root, values, vectors = _root_and_eigenvectors(*primals)
    values = jnp.maximum(values, TINY * values[-1] + TINY**2)  # finite for eigenvalues of 0
    sums = values[:, None] + values[None]

    def solve(_: object, right: jax.Array) -> jax.Array:
        return vectors @ ((vectors.T @ right @ vectors) / sums) @ vectors.T

    tangent = lax.custom_linear_solve(lambda x: root @ x + x @ root, tangents[0], solve, symmetric=True)
    return (root, values, vectors), (tangent, jnp.zeros_like(values), jnp.zeros_like(vectors))


def _mean_and_covariance(moments: jax.Array) -> tuple[jax.Array, jax.Array]:
    """The mean `[C]` and the covariance `[C, C]` from the mean and the second moments `[C + 1, C]`."""
    mean = moments[0]
    return mean, moments[1:] - mean[:, None] * mean[None]


def _normalized(distance: jax.Array, zero_distance: jax.Array, count: int, normalization: str) -> jax.Array:
    return distance / (zero_distance + TINY) if normalization == "relative" else distance / (4 * count)


def _squares(value: jax.Array) -> jax.Array:
    return jnp.sum(value.astype(jnp.float32) ** 2)


def _symmetric(matrix: jax.Array) -> jax.Array:
    return (matrix + matrix.T) / 2
