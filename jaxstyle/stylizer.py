"""The whole stylization as one pure function of arrays, to jit, vmap, shard or export in other JAX programs.

It does the same as `stylize`, without a callback. Shapes are fixed in advance, and pictures are resized by JAX.
"""

from collections.abc import Callable
from typing import Any

import flax.struct
import jax
import jax.numpy as jnp
from jax.typing import ArrayLike

from jaxstyle.arguments import check_count, check_type, describe_value
from jaxstyle.config import DEFAULTS, StyleConfig, check_config
from jaxstyle.errors import ConfigError, PictureError
from jaxstyle.images import check_same_proportions, check_scaled_shape, scaled_shape
from jaxstyle.networks import Network, check_network, resolve_layers
from jaxstyle.optimization import (
    blend_scale,
    check_style,
    check_without_content,
    content_of_picture,
    descend,
    enlarge,
    make_objective,
    match_colors,
    pink_noise,
    schedule,
    statistics_of_picture,
    style_sizes,
    targets_of_strength,
    weighted_mean,
)
from jaxstyle.styles import (
    Regions,
    Style,
    StyleStatistics,
    blend_statistics,
    check_representation,
    make_style,
    regions_at_size,
    resample_masks,
)


@flax.struct.dataclass
class Stylizer:
    """A stylization of contents of one shape, made by `make_stylizer`.

    A pytree with the network's parameters as leaves. Pass it to jitted functions as an argument. If it is closed over,
    the network's parameters become constants of the compiled program. Calling it and `measure` are pure functions: they
    can be jitted, vmapped, sharded, exported and differentiated.

    Attributes:
        network: the recognition network.
        config: what to compare and how to optimize.
        height: the height of the contents in pixels.
        width: the width of the contents in pixels.
    """

    network: Network
    config: StyleConfig = flax.struct.field(pytree_node=False)
    height: int = flax.struct.field(pytree_node=False)
    width: int = flax.struct.field(pytree_node=False)

    @property
    def levels(self) -> tuple[tuple[int, int], ...]:
        """The sizes, coarse to fine, and the steps at each: `((longest side, steps), ...)`."""
        return schedule(self.config, self.height, self.width)

    def __call__(
        self,
        content: ArrayLike,
        style: Style,
        *,
        initial_picture: ArrayLike | None = None,
        strength_mask: ArrayLike | None = None,
        key: jax.Array | None = None,
    ) -> jax.Array:
        """Stylize a content picture.

        The result equals that of `stylize` to float tolerance, except that noise comes from the key. An optimization
        that diverges ends with its last accepted picture. Arrays are checked for shape and dtype, but not for values.

        Args:
            content: `[height, width, 3]` in [0, 1].
            style: from `measure`, `measure_style` or `load_style`. It is a pytree: to blend styles take their weighted
                mean, unless they are samples, and to use several at once stack and vmap them.
            initial_picture: a picture `[h, w, 3]` in [0, 1] to start from, with the content's aspect ratio, if
                `config.init` has "picture".
            strength_mask: where and how strongly to paint, `[h, w]` in [0, 1] with the content's aspect ratio; see
                `stylize`.
            key: the random key of the noise, if `config.init` has "noise" or "pink".

        Returns:
            `[H, W, 3]` float32 in [0, 1], with the content's aspect ratio and `config.size` as its longest side.

        Raises:
            PictureError: if a picture or mask has the wrong shape, dtype or proportions.
            ConfigError: if the style does not fit the network or the settings, if the key is none, or if an initial
                picture or key is missing.
        """
        if key is not None:
            _check_key(key)
        content = _check_picture("content", content)
        if content.shape[:2] != (self.height, self.width):
            found, expected = list(content.shape), [self.height, self.width, 3]
            raise PictureError(
                f"the content is {found}, but this stylizer expects {expected}; resize it, or make another stylizer"
            )
        check_type("style", style, Style, "a Style: measure the picture first")
        check_style(style, self.network, self.config)
        network = self.network if self.network.prepared else self.network.prepare()
        contents = [_resize_longest(content, size) for size, _ in self.levels]
        if self.config.strength == 0:
            return contents[-1]
        statistics = [
            blend_statistics([style.at(size * blend_scale(self.config))], self.config.style_blend)
            for size, _ in self.levels
        ]
        mask = None if strength_mask is None else self._check_strength_mask(strength_mask)
        regions = [None if mask is None else self._painted(mask, content) for content in contents]
        statistics = list(map(self._targets, contents, statistics, regions))
        picture = self._initial_picture(contents[0], statistics[0], regions[0], initial_picture, key)
        for level, (_, steps) in enumerate(self.levels):
            if level:
                picture = enlarge(picture, contents[level - 1], contents[level], _resize)
            targets = content_of_picture(network, self.config, contents[level])
            tile_size = self.config.tile_size_for(contents[level].shape)
            objective = make_objective(
                self.config, targets, statistics[level], regions=regions[level], tile_size=tile_size
            )
            picture = descend(network, objective, picture, steps, optimizer=self.config.optimizer).clip(0, 1)
        return picture if regions[-1] is None else _within(regions[-1], picture, contents[-1])

    def measure(self, picture: ArrayLike) -> Style:
        """Measure a style picture `[h, w, 3]` in [0, 1] of any size, as `measure_style` does.

        Raises:
            PictureError: if it has the wrong shape or dtype, or is too small.
        """
        picture = _check_picture("style", picture)
        check_scaled_shape("style", picture.shape[0], picture.shape[1], self.config.size * blend_scale(self.config))
        sizes = style_sizes(self.config)
        measured = [statistics_of_picture(self.network, self.config, _resize_longest(picture, size)) for size in sizes]
        return make_style(self.network, sizes, measured, self.config.style_representation)

    def _targets(self, content: jax.Array, style: StyleStatistics, regions: Regions | None) -> StyleStatistics:
        """The statistics to optimize towards at the size of this content."""
        if regions is not None:
            style = jax.tree.map(lambda values: values[None], style)
        return targets_of_strength(
            self.config, style, lambda: statistics_of_picture(self.network, self.config, content, regions)
        )

    def _painted(self, mask: jax.Array, content: jax.Array) -> Regions:
        """What is painted of the content at its size, as its only region."""
        return regions_at_size(self.network, mask[None], self.config.style_names, content.shape)

    def _initial_picture(
        self,
        content: jax.Array,
        statistics: StyleStatistics,
        regions: Regions | None,
        initial_picture: ArrayLike | None,
        key: Any,
    ) -> jax.Array:
        """The picture before the first step, with the shape of the content; see `StyleConfig.init`."""
        for name, argument, value in (
            ("picture", "initial_picture=", initial_picture),
            ("noise", "key=", key),
            ("pink", "key=", key),
        ):
            if dict(self.config.init).get(name) and value is None:
                raise ConfigError(f"init has {name!r}, but {argument} is missing; pass it to the stylizer")
        height, width = content.shape[:2]
        makers: dict[str, Callable[[], Any]] = {
            "content": lambda: _recolored(content, statistics, regions),
            "noise": lambda: jax.random.uniform(key, content.shape),
            "pink": lambda: pink_noise(jax.random.normal(key, content.shape)),
            "picture": lambda: _resize(self._check_initial_picture(initial_picture), height, width),
        }
        return weighted_mean(self.config.init, makers)

    def _check_strength_mask(self, mask: ArrayLike) -> jax.Array:
        """The mask at the shape of the contents."""
        mask = jnp.asarray(mask, jnp.float32)
        if mask.ndim != 2 or not mask.size:
            raise PictureError(f"the strength mask is {list(mask.shape)}; expected [H, W]")
        check_same_proportions("the strength mask", mask.shape, "the content", (self.height, self.width))
        return resample_masks(mask[None], self.height, self.width)[0]

    def _check_initial_picture(self, picture: Any) -> jax.Array:
        picture = _check_picture("initial picture", picture)
        check_same_proportions("the initial picture", picture.shape, "the content", (self.height, self.width))
        return picture


def make_stylizer(network: Network, config: StyleConfig = DEFAULTS, *, height: int, width: int) -> Stylizer:
    """Make a pure function of arrays that does the same as `stylize`, for contents `[height, width, 3]`.

    Args:
        network: the recognition network.
        config: what to compare and how to optimize. Whole pictures are computed unless it has a `tile_size`.
        height: the height of the contents in pixels.
        width: the width of the contents in pixels.

    Raises:
        ConfigError: for a layer that the network does not have; for settings that need a style picture ("style" in
            `init`, `rotate_style`, several scales or shares) or depend on a content (regions, colors); or for a height
            or width that is not a positive integer.
        PictureError: if a side of the result would be too short.
    """
    check_network(network)
    check_config(config)
    check_count("height", height)
    check_count("width", width)
    check_without_content(config)
    check_representation(config.style_representation)
    if dict(config.init).get("style"):
        raise ConfigError(
            "init has 'style', but a stylizer has no style picture; use 'picture', and pass the picture as "
            "initial_picture="
        )
    if len(config.style_scales) > 1 or len(config.style_blend) > 1 or config.rotate_style:
        raise ConfigError(
            "style_scale or style_blend has several numbers, or rotate_style an angle, but a stylizer takes one "
            "measured style; give them to measure_style, and leave them out here"
        )
    config = resolve_layers(config, network.architecture)
    check_scaled_shape("content", height, width, config.size)
    return Stylizer(network, config, int(height), int(width))


def _recolored(content: jax.Array, statistics: StyleStatistics, regions: Regions | None) -> jax.Array:
    """The content in the colors of the style, or of its region where that is painted."""
    if regions is None:
        return match_colors(content, statistics)
    style = jax.tree.map(lambda values: values[0], statistics)
    return _within(regions, match_colors(content, style, regions.picture[0]), content)


def _within(regions: Regions, painted: jax.Array, content: jax.Array) -> jax.Array:
    """The painted picture within the region, and the content, to the bit, outside."""
    share = regions.picture[0, ..., None]
    return jnp.where(share > 0, share * painted + (1 - share) * content, content)


def _check_key(key: Any) -> None:
    """Raise ConfigError unless it is one random key of JAX, typed or raw."""
    dtype = getattr(key, "dtype", None)
    is_typed = dtype is not None and jnp.issubdtype(dtype, jax.dtypes.prng_key)
    if not (is_typed and key.ndim == 0) and not (dtype == jnp.uint32 and key.ndim == 1):
        raise ConfigError(f"key is {describe_value(key)}; expected one random key: jax.random.key(0)")


def _check_picture(name: str, picture: Any) -> jax.Array:
    """The picture as float32; PictureError unless it is a float array `[H, W, 3]`."""
    picture = jnp.asarray(picture)
    floats = jnp.issubdtype(picture.dtype, jnp.floating)
    if picture.ndim != 3 or picture.shape[-1] != 3 or not picture.size or not floats:
        raise PictureError(f"the {name} is {picture.dtype} {list(picture.shape)}; expected floats [H, W, 3] in [0, 1]")
    return picture.astype(jnp.float32)


def _resize_longest(picture: jax.Array, longest: float) -> jax.Array:
    return _resize(picture, *scaled_shape(picture.shape[0], picture.shape[1], longest))


def _resize(picture: jax.Array, height: int, width: int) -> jax.Array:
    """Resize a picture `[h, w, 3]` in JAX; equal to `images.resize` within 1e-5."""
    return jax.image.resize(picture, (height, width, 3), "lanczos3", antialias=True).clip(0, 1)
