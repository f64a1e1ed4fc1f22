"""The dense 3x3 convolution of stride 1, fast on each backend; other dense convolutions; and the rectifier.

On GPUs and TPUs the 3x3 convolution is the compiler's own. On CPU it is Winograd's F(4x4, 3x3), computed in strips of
rows of tiles whose transforms stay in cache. Without strips, large and shallow layers would spend more time on moving
transforms through memory than they save.

Conventions: pictures `[N, H, W, C]`, kernels `[3, 3, I, O]`, stride 1, zero padding 1.
"""

from collections.abc import Callable
from functools import cache, partial
from typing import Any

import jax
import jax.numpy as jnp
from jax import lax
from jax.custom_batching import custom_vmap

from jaxstyle.networks.winograd import TILE, WINDOW, Transformed, convolve_strip, transform_kernel

# The transforms of a strip hold about STRIP numbers, which fit the cache of a core. A strip has at least MIN_TILES
# tiles: with fewer, reading the kernel would take longer than the products.
STRIP = 900_000
MIN_TILES = 256

# With fewer input or output channels than this (such as the three of a picture) transforms cost more than they save.
MIN_CHANNELS = 16

# Compiler options for functions that convolve. The small matrix products of Winograd's algorithm take up to twice as
# long in YNNPACK, which jaxlib uses by default, as in Eigen.
COMPILER_OPTIONS: dict[str, bool | str] = {"xla_cpu_experimental_ynn_fusion_type": ""}


# In place of a transformed kernel: use the compiler's convolution. On CPU it is slower to run but far faster to
# compile, which is better for a single evaluation.
DIRECT: Transformed = ()


def can_prepare(kernel: jax.Array) -> bool:
    """Whether `conv3x3` transforms a kernel of this shape."""
    return kernel.shape[:2] == (3, 3) and min(kernel.shape[2:]) >= MIN_CHANNELS


def conv3x3(
    inputs: jax.Array,
    kernel: jax.Array,
    prepared: Transformed | None = None,
    *,
    bias: jax.Array | None = None,
    rectify: bool = False,
) -> jax.Array:
    """3x3 convolution: `[N, H, W, I]` with a kernel `[3, 3, I, O]` gives `[N, H, W, O]`.

    Args:
        inputs: any float dtype; any size from one pixel up.
        kernel: weights, correlated (not flipped), as in every deep-learning framework.
        prepared: `transform_kernel(kernel)` to convolve many times with one kernel, or `DIRECT` to convolve once.
        bias: `[O]`, added to the convolution.
        rectify: whether to apply max(x, 0) after the bias. Both cost nothing here, and a pass over memory elsewhere.

    Returns:
        The convolution in the dtype of `inputs`, within 1e-4 of the direct one relative to its largest value.
    """
    bias = jnp.zeros(kernel.shape[3:], inputs.dtype) if bias is None else bias.astype(inputs.dtype)
    compilers = partial(_finished_direct, rectify=rectify)
    if prepared == DIRECT or min(kernel.shape[2:]) < MIN_CHANNELS:
        return compilers(inputs, kernel, bias, prepared)
    winograd = partial(_winograd, rectify, False)
    return lax.platform_dependent(inputs, kernel, bias, prepared, cpu=winograd, default=compilers)


def direct(inputs: jax.Array, kernel: jax.Array, stride: int = 1, padding: tuple[int, int] = (1, 1)) -> jax.Array:
    """The compiler's own convolution: `[N, H, W, I]` with a kernel `[h, w, I, O]` gives `[N, H', W', O]`.

    `padding` counts the zeros before and after the picture, along both axes.
    """
    # Read now: when the gradient is traced, the setting may differ.
    precision = jax.config.jax_default_matmul_precision  # type: ignore[attr-defined]
    correlate = partial(_correlate, stride=stride, padding=padding, precision=precision)
    return _direct(correlate, inputs, kernel.astype(inputs.dtype))


def _correlate(
    inputs: jax.Array,
    kernel: jax.Array,
    *,
    stride: int = 1,
    padding: tuple[int, int] = (1, 1),
    precision: str | None = None,
    order: str = "HWIO",
) -> jax.Array:
    strides, axes = (stride, stride), ("NHWC", order, "NHWC")
    return lax.conv_general_dilated(
        inputs, kernel, strides, (padding, padding), dimension_numbers=axes, precision=precision
    )


@partial(jax.custom_vjp, nondiff_argnums=(0,))
def _direct(correlate: Callable[..., jax.Array], inputs: jax.Array, kernel: jax.Array) -> jax.Array:
    return correlate(inputs, kernel)


def _direct_backward(
    correlate: Callable[..., jax.Array], residuals: tuple[jax.Array, jax.Array], cotangent: jax.Array
) -> tuple[jax.Array, jax.Array]:
    """The gradients; that of the inputs uses a kernel whose channels are swapped in memory.

    Without the barrier, the compiler reads the kernel in swapped order inside loops, where it then cannot use its fast
    routine on CPU.
    """
    inputs, kernel = residuals
    swapped = kernel.swapaxes(2, 3)
    swapped = lax.platform_dependent(swapped, cpu=lax.optimization_barrier, default=lambda kernel: kernel)
    of_inputs = jax.linear_transpose(lambda inputs: correlate(inputs, swapped, order="HWOI"), inputs)
    of_kernel = jax.linear_transpose(lambda kernel: correlate(inputs, kernel), kernel)
    return *of_inputs(cotangent), *of_kernel(cotangent)


_direct.defvjp(lambda correlate, inputs, kernel: (correlate(inputs, kernel), (inputs, kernel)), _direct_backward)


def _finished_direct(
    inputs: jax.Array, kernel: jax.Array, bias: jax.Array, prepared: Transformed | None, *, rectify: bool
) -> jax.Array:
    return _finish(direct(inputs, kernel), bias, rectify)


def _finish(convolved: jax.Array, bias: jax.Array, rectify: bool) -> jax.Array:
    convolved = convolved + bias.reshape((1,) * (convolved.ndim - 1) + bias.shape)
    return rectified(convolved) if rectify else convolved


@partial(jax.custom_vjp, nondiff_argnums=(1,))
def rectified(x: jax.Array, ceiling: float | None = None) -> jax.Array:
    """max(x, 0), or min(max(x, 0), ceiling).

    The gradient uses the result, so that the values before the rectifier need not be stored, as for `jax.nn.relu`.
    """
    return jnp.clip(x, 0, ceiling)


def _rectified_forward(x: jax.Array, ceiling: float | None) -> tuple[jax.Array, jax.Array]:
    result = rectified(x, ceiling)
    return result, result


def _rectified_backward(ceiling: float | None, result: jax.Array, cotangent: jax.Array) -> tuple[jax.Array]:
    passes = result > 0 if ceiling is None else (result > 0) & (result < ceiling)
    return (jnp.where(passes, cotangent, 0),)


rectified.defvjp(_rectified_forward, _rectified_backward)


@partial(jax.custom_vjp, nondiff_argnums=(0, 1))
def _winograd(
    rectify: bool, turn: bool, inputs: jax.Array, kernel: jax.Array, bias: jax.Array, prepared: Transformed | None
) -> jax.Array:
    """The convolution; or with `turn` its gradient: the kernel is turned by 180 degrees and its channels swapped."""
    return _convolve(rectify, turn)(inputs, prepared or transform_kernel(kernel), bias)


def _winograd_forward(rectify: bool, turn: bool, *arguments: Any) -> tuple[jax.Array, Any]:
    result = _winograd(rectify, turn, *arguments)
    return result, (*arguments, result)


def _winograd_backward(rectify: bool, turn: bool, residuals: Any, cotangent: jax.Array) -> Any:
    inputs, kernel, bias, prepared, result = residuals
    if rectify:
        cotangent = jnp.where(result > 0, cotangent, 0)
    none = jnp.zeros(inputs.shape[3:], cotangent.dtype)
    gradient = _winograd(False, not turn, cotangent, kernel, none, prepared)

    def convolve(kernel: jax.Array, bias: jax.Array) -> jax.Array:
        turned = kernel[::-1, ::-1].swapaxes(2, 3) if turn else kernel
        return _finish(_correlate(inputs, turned.astype(inputs.dtype)), bias, False)

    # Weights are almost always frozen: the compiler removes their gradients if they are not used.
    weights = jax.linear_transpose(convolve, kernel, bias)
    return gradient, *weights(cotangent), jax.tree.map(jnp.zeros_like, prepared)


_winograd.defvjp(_winograd_forward, _winograd_backward)


@cache
def _convolve(rectify: bool, turn: bool) -> Callable[..., jax.Array]:
    """`_convolve_stack`, which under `vmap` over pictures convolves a larger stack."""
    single = partial(_convolve_stack, rectify=rectify, turn=turn)
    stacked = custom_vmap(single)

    @stacked.def_vmap
    def _(size: int, mapped: Any, inputs: jax.Array, *weights: Any) -> tuple[jax.Array, bool]:
        if any(jax.tree.leaves(mapped[1:])):
            axes = jax.tree.map(lambda axis: 0 if axis else None, tuple(mapped))
            return jax.vmap(single, in_axes=axes)(inputs, *weights), True
        result = stacked(inputs.reshape(-1, *inputs.shape[2:]), *weights)
        return result.reshape(*inputs.shape[:-1], -1), True

    return jax.jit(stacked)  # layers of one shape are traced once


def _convolve_stack(
    inputs: jax.Array, transformed: Transformed, bias: jax.Array, *, rectify: bool, turn: bool
) -> jax.Array:
    """Winograd convolution of `[N, H, W, I]` with a transformed kernel, strip by strip; see `_winograd` for `turn`."""
    count, height, width, channels = inputs.shape
    stack, rows = _strip_shape(count, -(-height // TILE), -(-width // TILE), channels)
    lines = TILE * rows
    across, down = -(-count // stack), -(-height // lines)
    inputs = jnp.pad(inputs, ((0, 0), (0, max(0, lines - height)), (0, 0), (0, 0)))  # less than one strip

    def strip(index: jax.Array, result: jax.Array) -> jax.Array:
        # The last strips overlap the ones before them instead of reaching beyond the pictures.
        picture = jnp.minimum(index // down * stack, count - stack)
        line = jnp.minimum(index % down * lines, inputs.shape[1] - lines)
        window = _window(inputs, picture, line, stack, lines)
        convolved = convolve_strip(window, transformed, turn=turn)[:, :, :width]
        finished = _finish(convolved, bias, rectify).astype(inputs.dtype)
        return lax.dynamic_update_slice(result, finished, (picture, line, 0, 0))

    # All values are overwritten. The initial values depend on the inputs and weights of this layer, for two reasons:
    # the compiler would share zeros among layers, copy them for each, and hold the results of all layers from the
    # beginning; and under `shard_map` the loop's state must vary over the same mesh axes as its result.
    unset = sum((row[0, 0, 0] for row in transformed), bias).astype(inputs.dtype) + inputs[0, 0, 0, 0]
    result = jnp.zeros_like(inputs, shape=(*inputs.shape[:3], *bias.shape)) + unset.reshape(1, 1, 1, -1)
    return lax.fori_loop(0, across * down, strip, result)[:, :height]


def _strip_shape(count: int, down: int, across: int, channels: int) -> tuple[int, int]:
    """Pictures and rows of tiles in a strip, for pictures of `down` by `across` tiles."""
    tiles = max(MIN_TILES, STRIP // (WINDOW**2 * channels))
    strips = max(1, round(down * across / tiles))
    return max(1, min(count, tiles // (down * across))), -(-down // strips)


def _window(inputs: jax.Array, picture: jax.Array, line: jax.Array, stack: int, lines: int) -> jax.Array:
    """Lines of some pictures with one pixel around them, 0 outside the pictures: `[stack, lines + 2, 4 t + 2, I]`."""
    height, width, channels = inputs.shape[1:]

    def read(line: jax.Array, lines: int) -> jax.Array:
        return lax.dynamic_slice(inputs, (picture, line, 0, 0), (stack, lines, width, channels))

    above = jnp.where(line > 0, read(jnp.maximum(line - 1, 0), 1), 0)
    below = jnp.where(line + lines < height, read(jnp.minimum(line + lines, height - 1), 1), 0)
    window = jnp.concatenate([above, read(line, lines), below], axis=1)
    return jnp.pad(window, ((0, 0), (0, 0), (1, 1 + -width % TILE), (0, 0))).astype(jnp.float32)
