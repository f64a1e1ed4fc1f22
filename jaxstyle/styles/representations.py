"""Style representations: what is kept of the features of a picture, and compared with the same of the style.

A representation measures the features of all style layers, `{layer: [H, W, C]}` with the shallowest layer first, and
gives one array for each layer. With positions, weights w >= 0 over the positions of each layer, `{layer: [H, W]}`, it
measures as much of the picture as they say; a mean is then `sum w ... / sum w`, and 0 where all of w is 0.
"""

from collections.abc import Callable, Mapping
from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax

from jaxstyle.styles.statistics import gram_matrix

Features = Mapping[str, jax.Array]
Positions = Mapping[str, jax.Array] | None
Measured = dict[str, jax.Array]

# Down and across, in positions of a layer. A shift and its opposite have the same matrix, transposed.
SHIFTS = np.array([(0, 0), *(step for d in (2, 4, 8) for step in ((0, d), (d, 0)))])
_TINY = 1e-6  # added to variances, whose root has no gradient at 0


def measure_features(representation: str, features: Features, positions: Positions = None) -> Measured:
    """What a representation keeps of features; where positions are of K regions, `[K, H, W]`, that of each of them.

    Args:
        representation: a key of `REPRESENTATIONS`.
        features, positions: as for all of these; positions may be of more layers.
    """
    function = REPRESENTATIONS[representation]
    with jax.default_matmul_precision("highest"):
        if positions is None:
            return function(features)
        own = {layer: positions[layer] for layer in features}
        if any(weights.ndim == 3 for weights in own.values()):
            # Not over the features too: a dictionary that has passed through a transformation is in alphabetical order.
            return jax.vmap(partial(function, features))(own)
        return function(features, own)


def gram(features: Features, positions: Positions = None) -> Measured:
    """Gram matrices, `[C, C]`: see `gram_matrix`. A mean over positions."""
    return {layer: gram_matrix(value, weights=_of(positions, layer)) for layer, value in features.items()}


def moments(features: Features, positions: Positions = None) -> Measured:
    """Each channel's mean and standard deviation, `[2, C]` (Li et al., arXiv 1701.01036, section 4.2).

    Deviations are no means over positions; those of a blend are the weighted means of the styles' deviations.
    """

    def moments_of(value: jax.Array, weights: jax.Array | None) -> jax.Array:
        mean = _mean(value, weights)
        return jnp.stack([mean, jnp.sqrt(_mean((value - mean[None, None]) ** 2, weights) + _TINY)])

    return {layer: moments_of(value, _of(positions, layer)) for layer, value in features.items()}


def shifted(features: Features, positions: Positions = None) -> Measured:
    """Covariances of features at a distance, `[len(SHIFTS), C, C]`, which keep the arrangement that Gram forgets.

    G_dij = mean over x of (F_i(x) - mean of F_i)(F_j(x + d) - mean of F_j), of those x for which x + d is within the
    picture, with w(x) w(x + d); 0 if there is none, as of features that do not depend on each other. The idea is that
    of Berger and Memisevic (arXiv 1606.01286). The distances are ours, and so is taking off the means: in deep layers
    they are most of a Gram matrix, and the same at all distances. No means over positions, therefore; a blend of styles
    has the weighted mean of their covariances.
    """

    def covariances(value: jax.Array, weights: jax.Array | None) -> jax.Array:
        weights = jnp.ones(value.shape[:2]) if weights is None else weights
        centered = value - _mean(value, weights).astype(value.dtype)[None, None]
        beyond = [(0, int(reach)) for reach in SHIFTS.max(0)]
        wide, wide_weights = jnp.pad(centered, (*beyond, (0, 0))), jnp.pad(weights, beyond)

        def at(shift: jax.Array) -> jax.Array:
            there = lax.dynamic_slice(wide, (*shift, 0), value.shape)
            return _products(centered, there, weights * lax.dynamic_slice(wide_weights, shift, weights.shape))

        # A loop compiles once for all shifts, and with a checkpoint it keeps none of their features for the gradient.
        return lax.map(jax.checkpoint(at, prevent_cse=False), jnp.asarray(SHIFTS))

    return {layer: covariances(value, _of(positions, layer)) for layer, value in features.items()}


def activation_shift(features: Features, positions: Positions = None) -> Measured:
    """Gram matrices of features less their mean over positions and channels, `[C, C]`.

    So that not being active counts too: G = (F + s)(F + s)^T with s = -1 (Novak and Nikulin, arXiv 1605.04603). That
    mean as the unit of s is ours, because networks differ in the scale of their activations. These are no means over
    positions; a blend of styles has the weighted mean of their matrices.
    """

    def gram_of(value: jax.Array, weights: jax.Array | None) -> jax.Array:
        unit = jnp.mean(_mean(value, weights)).astype(value.dtype)
        return gram_matrix(value - unit, weights=weights)

    return {layer: gram_of(value, _of(positions, layer)) for layer, value in features.items()}


def neighbors(features: Features, positions: Positions = None) -> Measured:
    """Correlations of each layer with the one before it, `[C, C of the one before]`; of the first its Gram matrix.

    G = F^l up(F^(l-1))^T (Novak and Nikulin, arXiv 1605.04603), a mean over positions. There the coarser features are
    enlarged; averaging the finer ones over the positions of the coarser gives the same matrix in fewer operations.
    That average is the blur.
    """
    found: Measured = {}
    before: jax.Array | None = None
    for layer, value in features.items():
        finer = value if before is None else _average(before, value.shape)
        height, width = finer.shape[:2]
        weights = _of(positions, layer)
        inside = None if weights is None else weights[:height, :width]
        found[layer] = _products(value[:height, :width], finer, inside)
        before = value
    return found


REPRESENTATIONS: dict[str, Callable[..., Measured]] = {
    "gram": gram,
    "moments": moments,
    "shifted": shifted,
    "activation-shift": activation_shift,
    "neighbors": neighbors,
}


def _of(positions: Positions, layer: str) -> jax.Array | None:
    return None if positions is None else positions[layer]


def _mean(value: jax.Array, weights: jax.Array | None) -> jax.Array:
    """`[C]`, the mean over positions."""
    if weights is None:
        return value.mean((0, 1), dtype=jnp.float32)
    total = weights.sum()
    return jnp.einsum("hwc,hw->c", value, weights) / jnp.where(total > 0, total, 1)


def _products(left: jax.Array, right: jax.Array, weights: jax.Array | None) -> jax.Array:
    """The mean over positions of left_i right_j, `[C, D]`, in float32."""
    if weights is None:
        weights = jnp.ones(left.shape[:2])
    total = weights.sum()
    products = jnp.einsum(
        "hwi,hwj->ij", left, right * weights[..., None].astype(right.dtype), preferred_element_type=jnp.float32
    )
    return products / jnp.where(total > 0, total, 1)


def _average(finer: jax.Array, shape: tuple[int, ...]) -> jax.Array:
    """Finer features averaged over the positions of coarser ones of that shape, or of one row or column fewer."""
    step = max(1, round(finer.shape[0] / shape[0])), max(1, round(finer.shape[1] / shape[1]))
    height, width = (min(have // by, want) for have, by, want in zip(finer.shape, step, shape, strict=False))
    blocks = finer[: height * step[0], : width * step[1]].reshape(height, step[0], width, step[1], -1)
    return blocks.mean((1, 3))
