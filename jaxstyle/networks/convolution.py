"""The 3x3 convolution that every VGG layer is made of, fast on each backend.

On GPUs and TPUs this is the compiler's own convolution. On CPU it is Winograd's F(4x4, 3x3) (Lavin and Gray,
arXiv 1509.09308): a 4x4 tile of the result costs 36 products for each pair of channels instead of 144. The picture is
worked through in strips of tile rows whose transforms stay in cache; without the strips the wide, shallow layers would
spend more time moving their transforms through memory than they save.

Conventions: pictures `[N, H, W, C]`, kernels `[3, 3, I, O]`, stride 1, zero padding 1.
"""

from collections.abc import Callable, Sequence
from functools import cache, partial
from typing import Any

import flax.struct
import jax
import jax.numpy as jnp
import numpy as np
from jax import lax
from jax.custom_batching import custom_vmap

# Winograd's F(4, 3) on the points 0, 1, -1, 2, -2 and infinity, in the notation of Lavin and Gray:
# result = AT [(G kernel) * (BT window)]. BT and AT are functions below, because most of their entries are 0 or 1, and
# what the points of a pair need is computed once.
TILE = 4
WINDOW = TILE + 2
G = np.array([[6, 0, 0], [-4, -4, -4], [-4, 4, -4], [1, 2, 4], [1, -2, 4], [0, 0, 24]]) / 24

# The rows of a transformed kernel, each an array of its own: the compiler would copy the parts of a larger one.
Transformed = tuple[jax.Array, ...]

# A strip's transforms hold STRIP floats or so, which stay near a core, but it has no fewer than MIN_TILES tiles: the
# reading of the kernel would take longer than the products.
STRIP = 900_000
MIN_TILES = 256

# With fewer channels than this on either side (the picture's own three) the transforms cost more than they save.
MIN_CHANNELS = 16

# For the compilation of programs that convolve. Small products of matrices, which Winograd is made of, take up to twice
# as long in the library that jaxlib gives them to by default from 0.9 on (YNNPACK) as in the one before it (Eigen).
COMPILER_OPTIONS: dict[str, bool | str] = (
    {"xla_cpu_experimental_ynn_fusion_type": ""} if jax.__version_info__ >= (0, 9) else {}
)


@flax.struct.dataclass
class Prepared:
    """A kernel transformed once for many convolutions: six `[6, I, O]`, and six `[6, O, I]` for the gradient."""

    forward: Transformed
    backward: Transformed


# In the place of a transformed kernel: leave the convolution to the compiler. On CPU it is then slower to compute, but
# far quicker to compile, which counts for more where it is computed once.
DIRECT = Prepared(forward=(), backward=())


def prepare(kernel: jax.Array) -> Prepared:
    """Transform a kernel `[3, 3, I, O]` for `conv3x3`, which otherwise does it at every call."""
    return Prepared(forward=_transform_kernel(kernel), backward=_transform_kernel(_transposed(kernel)))


def conv3x3(
    inputs: jax.Array,
    kernel: jax.Array,
    prepared: Prepared | None = None,
    *,
    bias: jax.Array | None = None,
    rectify: bool = False,
) -> jax.Array:
    """3x3 convolution: `[N, H, W, I]` with a kernel `[3, 3, I, O]` gives `[N, H, W, O]`.

    Args:
        inputs: any float dtype; any size from one pixel up.
        kernel: weights, correlated (not flipped), as in every deep-learning framework.
        prepared: `prepare(kernel)`, for callers that convolve with one kernel many times, or `DIRECT`, for those that
            do so once.
        bias: `[O]`, added to the convolution.
        rectify: whether what is below 0 then becomes 0; both are free here, and passes over memory elsewhere.

    Returns:
        The convolution in the dtype of `inputs`, within 1e-4 of the direct one relative to its largest value.
    """
    bias = jnp.zeros(kernel.shape[3:], inputs.dtype) if bias is None else bias.astype(inputs.dtype)
    compilers = partial(_finished_direct, rectify=rectify)
    if prepared == DIRECT or min(kernel.shape[2:]) < MIN_CHANNELS:
        return compilers(inputs, kernel, bias, prepared)
    winograd = partial(_winograd, rectify)
    return lax.platform_dependent(inputs, kernel, bias, prepared, cpu=winograd, default=compilers)


def direct(inputs: jax.Array, kernel: jax.Array, stride: int = 1, padding: int = 1) -> jax.Array:
    """The compiler's own convolution: `[N, H, W, I]` with a kernel `[h, w, I, O]` gives `[N, H', W', O]`."""
    # Read here, because it may be another when the gradient is traced.
    precision = jax.config.jax_default_matmul_precision  # type: ignore[attr-defined]
    correlate = partial(_correlate, stride=stride, padding=padding, precision=precision)
    return _direct(correlate, inputs, kernel.astype(inputs.dtype))


def _correlate(
    inputs: jax.Array,
    kernel: jax.Array,
    *,
    stride: int = 1,
    padding: int = 1,
    precision: str | None = None,
    order: str = "HWIO",
) -> jax.Array:
    around, axes = [(padding, padding)] * 2, ("NHWC", order, "NHWC")
    return lax.conv_general_dilated(
        inputs, kernel, (stride, stride), around, dimension_numbers=axes, precision=precision
    )


@partial(jax.custom_vjp, nondiff_argnums=(0,))
def _direct(correlate: Callable[..., jax.Array], inputs: jax.Array, kernel: jax.Array) -> jax.Array:
    return correlate(inputs, kernel)


def _direct_backward(
    correlate: Callable[..., jax.Array], residuals: tuple[jax.Array, jax.Array], cotangent: jax.Array
) -> tuple[jax.Array, jax.Array]:
    """The gradients, that of the inputs with a kernel whose channels are swapped in memory too.

    Left to itself the compiler reads a kernel the other way round inside of loops, where it then does without its fast
    routine on CPU; the barrier keeps it from that.
    """
    inputs, kernel = residuals
    swapped = kernel.swapaxes(2, 3)
    swapped = lax.platform_dependent(swapped, cpu=lax.optimization_barrier, default=lambda kernel: kernel)
    of_inputs = jax.linear_transpose(lambda inputs: correlate(inputs, swapped, order="HWOI"), inputs)
    of_kernel = jax.linear_transpose(lambda kernel: correlate(inputs, kernel), kernel)
    return *of_inputs(cotangent), *of_kernel(cotangent)


_direct.defvjp(lambda correlate, inputs, kernel: (correlate(inputs, kernel), (inputs, kernel)), _direct_backward)


def _transposed(kernel: jax.Array) -> jax.Array:
    """The kernel of the gradient: turned by 180 degrees, its channels swapped."""
    return kernel[::-1, ::-1].swapaxes(2, 3)


def _finished_direct(
    inputs: jax.Array, kernel: jax.Array, bias: jax.Array, prepared: Prepared | None, *, rectify: bool
) -> jax.Array:
    return _finish(direct(inputs, kernel), bias, rectify)


def _finish(convolved: jax.Array, bias: jax.Array, rectify: bool) -> jax.Array:
    convolved = convolved + bias.reshape((1,) * (convolved.ndim - 1) + bias.shape)
    return _rectified(convolved) if rectify else convolved


@jax.custom_vjp
def _rectified(x: jax.Array) -> jax.Array:
    """The rectifier, whose gradient asks the result: that of `jax.nn.relu` keeps what is not rectified besides."""
    return jnp.maximum(x, 0)


def _rectified_forward(x: jax.Array) -> tuple[jax.Array, jax.Array]:
    result = _rectified(x)
    return result, result


_rectified.defvjp(_rectified_forward, lambda result, cotangent: (jnp.where(result > 0, cotangent, 0),))


@partial(jax.custom_vjp, nondiff_argnums=(0,))
def _winograd(
    rectify: bool, inputs: jax.Array, kernel: jax.Array, bias: jax.Array, prepared: Prepared | None
) -> jax.Array:
    transformed = prepared.forward if prepared else _transform_kernel(kernel)
    return _convolve(rectify)(inputs, transformed, bias)


def _winograd_forward(rectify: bool, *arguments: Any) -> tuple[jax.Array, Any]:
    result = _winograd(rectify, *arguments)
    return result, (*arguments, result)


def _winograd_backward(rectify: bool, residuals: Any, cotangent: jax.Array) -> Any:
    inputs, kernel, bias, prepared, result = residuals
    if rectify:
        cotangent = jnp.where(result > 0, cotangent, 0)
    turned = Prepared(prepared.backward, prepared.forward) if prepared else None
    none = jnp.zeros(kernel.shape[2], cotangent.dtype)
    # Weights are frozen nearly always: the compiler drops their gradients when nobody asks for them.
    weights = jax.linear_transpose(
        lambda kernel, bias: _finish(_correlate(inputs, kernel.astype(inputs.dtype)), bias, False), kernel, bias
    )
    gradient = _winograd(False, cotangent, _transposed(kernel), none, turned)
    return gradient, *weights(cotangent), jax.tree.map(jnp.zeros_like, prepared)


_winograd.defvjp(_winograd_forward, _winograd_backward)


def _transform_kernel(kernel: jax.Array) -> Transformed:
    # Row by row: one product for all would be held beside the rows that it is taken apart into.
    rows = np.kron(G, G).astype(np.float32).reshape(WINDOW, WINDOW, 9)
    flat = kernel.astype(jnp.float32).reshape(9, -1)
    products = (jnp.matmul(row, flat, precision=lax.Precision.HIGHEST) for row in rows)
    return tuple(product.reshape(WINDOW, *kernel.shape[2:]) for product in products)


@cache
def _convolve(rectify: bool) -> Callable[..., jax.Array]:
    """`_convolve_stack`, to which a further axis of pictures is just more pictures."""
    single = partial(_convolve_stack, rectify=rectify)
    stacked = custom_vmap(single)

    @stacked.def_vmap
    def _(size: int, mapped: Any, inputs: jax.Array, *weights: Any) -> tuple[jax.Array, bool]:
        if any(jax.tree.leaves(mapped[1:])):
            axes = jax.tree.map(lambda axis: 0 if axis else None, tuple(mapped))
            return jax.vmap(single, in_axes=axes)(inputs, *weights), True
        result = stacked(inputs.reshape(-1, *inputs.shape[2:]), *weights)
        return result.reshape(*inputs.shape[:-1], -1), True

    return jax.jit(stacked)  # layers of one shape are traced once


def _convolve_stack(inputs: jax.Array, transformed: Transformed, bias: jax.Array, *, rectify: bool) -> jax.Array:
    """Winograd convolution of `[N, H, W, I]` with a transformed kernel, strip by strip."""
    count, height, width, channels = inputs.shape
    stack, rows = _strip_shape(count, -(-height // TILE), -(-width // TILE), channels)
    lines = TILE * rows
    across, down = -(-count // stack), -(-height // lines)
    inputs = jnp.pad(inputs, ((0, 0), (0, max(0, lines - height)), (0, 0), (0, 0)))  # less than one strip

    def strip(index: jax.Array, result: jax.Array) -> jax.Array:
        # The last strips overlap those before them rather than reach beyond the pictures.
        picture = jnp.minimum(index // down * stack, count - stack)
        line = jnp.minimum(index % down * lines, inputs.shape[1] - lines)
        convolved = _convolve_strip(_window(inputs, picture, line, stack, lines), transformed)[:, :, :width]
        finished = _finish(convolved, bias, rectify).astype(inputs.dtype)
        return lax.dynamic_update_slice(result, finished, (picture, line, 0, 0))

    # All of it is overwritten. It starts from this layer's inputs and weights because the compiler would share zeros
    # among layers and copy them for each, and hold the results of all layers from the beginning; and because under
    # shard_map it varies, from the start, wherever one of these does.
    unset = sum((rows[0, 0] for rows in transformed), bias).astype(inputs.dtype) + inputs[0, 0, 0, 0]
    result = jnp.zeros_like(inputs, shape=(*inputs.shape[:3], *bias.shape)) + unset.reshape(1, 1, 1, -1)
    return lax.fori_loop(0, across * down, strip, result)[:, :height]


def _strip_shape(count: int, down: int, across: int, channels: int) -> tuple[int, int]:
    """Pictures and rows of tiles in a strip, for pictures of `down` by `across` tiles."""
    tiles = max(MIN_TILES, STRIP // (WINDOW**2 * channels))
    strips = max(1, round(down * across / tiles))
    return max(1, min(count, tiles // (down * across))), -(-down // strips)


def _window(inputs: jax.Array, picture: jax.Array, line: jax.Array, stack: int, lines: int) -> jax.Array:
    """Lines `[stack, lines + 2, 4 t + 2, I]` of some pictures with their neighbors, which outside them are 0."""
    height, width, channels = inputs.shape[1:]

    def read(line: jax.Array, lines: int) -> jax.Array:
        return lax.dynamic_slice(inputs, (picture, line, 0, 0), (stack, lines, width, channels))

    above = jnp.where(line > 0, read(jnp.maximum(line - 1, 0), 1), 0)
    below = jnp.where(line + lines < height, read(jnp.minimum(line + lines, height - 1), 1), 0)
    window = jnp.concatenate([above, read(line, lines), below], axis=1)
    return jnp.pad(window, ((0, 0), (0, 0), (1, 1 + -width % TILE), (0, 0))).astype(jnp.float32)


def _convolve_strip(strip: jax.Array, transformed: Transformed) -> jax.Array:
    """`[n, 4 r + 2, 4 t + 2, I]` with a transformed kernel gives `[n, 4 r, 4 t, O]`.

    A row of the transforms, from the strip through the products and nearly to the result, stays in a core's own cache,
    and the six rows depend on nothing but the strip: cores take them in parallel.

    It is written in `lax`, which is traced faster than `jnp`, and with few changes of shape, because half of a
    compilation goes by the number of operations.
    """
    count, down, across, channels = strip.shape[0], strip.shape[1] // TILE, strip.shape[2] // TILE, strip.shape[3]
    parts = []
    for row, kernel in zip(_transform_window(_positions(strip, axis=1)), transformed, strict=True):
        # With their new axis any sooner, the compiler would compute the row anew for every use of it.
        points = [lax.expand_dims(x, (0,)) for x in _transform_window(_positions(row, axis=2))]
        tiles = lax.reshape(lax.concatenate(points, 0), (WINDOW, count * down * across, channels))
        products = lax.dot_general(tiles, kernel, (((2,), (1,)), ((0,), (0,))))
        products = lax.reshape(products, (WINDOW, count, down, 1, across, 1, kernel.shape[-1]))
        columns = [lax.slice_in_dim(products, i, i + 1) for i in range(WINDOW)]
        parts.append(lax.concatenate(_transform_products(columns), 5))  # [1, n, r, 1, t, TILE, O]
    result = lax.concatenate(_transform_products(parts), 3)
    return lax.reshape(result, (count, down * TILE, across * TILE, result.shape[-1]))


def _positions(x: jax.Array, axis: int) -> list[jax.Array]:
    """For each of the positions in a window along an axis, what lies there in every tile."""
    tiles = x.shape[axis] // TILE
    return [lax.slice_in_dim(x, i, i + TILE * tiles - 3, TILE, axis) for i in range(WINDOW)]


def _transform_window(x: Sequence[jax.Array]) -> list[jax.Array]:
    """BT of what lies at the six positions of a window."""
    ones, minus_ones = _sum_and_difference(_plus(x[4], -4, x[2]), _plus(x[3], -4, x[1]))
    twos, minus_twos = _sum_and_difference(lax.sub(x[4], x[2]), _times(2, lax.sub(x[3], x[1])))
    zeros, infinities = (lax.add(_plus(_times(4, x[i]), -5, x[i + 2]), x[i + 4]) for i in (0, 1))
    return [zeros, ones, minus_ones, twos, minus_twos, infinities]


def _transform_products(x: Sequence[jax.Array]) -> list[jax.Array]:
    """AT of the products at the six points."""
    (even, odd), (even_twos, odd_twos) = _sum_and_difference(x[1], x[2]), _sum_and_difference(x[3], x[4])
    return [
        lax.add(x[0], lax.add(even, even_twos)),
        _plus(odd, 2, odd_twos),
        _plus(even, 4, even_twos),
        lax.add(_plus(odd, 8, odd_twos), x[5]),
    ]


def _sum_and_difference(x: jax.Array, y: jax.Array) -> tuple[jax.Array, jax.Array]:
    return lax.add(x, y), lax.sub(x, y)


def _plus(x: jax.Array, factor: float, y: jax.Array) -> jax.Array:
    return lax.add(x, _times(factor, y))


def _times(factor: float, x: jax.Array) -> jax.Array:
    return lax.mul(x, np.float32(factor))
