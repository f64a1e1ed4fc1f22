"""The whole stylisation as one pure function of arrays, for other people's programs: jit, vmap, shard or export it.

It is `stylize` without what looks in from outside: shapes are fixed beforehand, and pictures are resized by JAX.
"""

from collections.abc import Callable
from numbers import Integral
from typing import Any

import flax.struct
import jax
import jax.numpy as jnp
from jax.typing import ArrayLike

from jaxstyle.aims import check_style, check_whole
from jaxstyle.config import StyleConfig
from jaxstyle.errors import ConfigError, PictureError
from jaxstyle.networks import Network, with_layers
from jaxstyle.objective import content_targets, make_objective
from jaxstyle.pyramid import check_scale, enlarge, schedule, shape_at, style_sizes
from jaxstyle.solver import descend
from jaxstyle.starts import match_colours, mix, pink_noise
from jaxstyle.styles import Style, StyleStatistics, blend, make_style, measure
from jaxstyle.stylize import DEFAULTS


@flax.struct.dataclass
class Stylizer:
    """A stylisation of contents of one shape, made by `make_stylizer`: a pytree whose leaves are the network's.

    Pass it through `jit` as an argument; closed over, the network's weights become constants of the compiled program.
    Both of its functions are pure: they can be jitted, vmapped, mapped, sharded, exported and differentiated.

    Attributes:
        network: the recognition network.
        config: what to compare and how to optimise.
        height, width: of the contents.
    """

    network: Network
    config: StyleConfig = flax.struct.field(pytree_node=False)
    height: int = flax.struct.field(pytree_node=False)
    width: int = flax.struct.field(pytree_node=False)

    @property
    def levels(self) -> tuple[tuple[int, int], ...]:
        """The sizes from coarse to fine and the steps at each, `((longest side, steps), ...)`."""
        return schedule(self.config, self.height, self.width)

    def __call__(
        self, content: ArrayLike, style: Style, *, start: ArrayLike | None = None, key: jax.Array | None = None
    ) -> jax.Array:
        """Paint the content in the manner of the style.

        The result is that of `stylize` to float tolerance, but for noise, which comes from the key. An optimisation
        that is lost ends with its last good picture. Values of arrays are not looked at, only their shapes and types.

        Args:
            content: `[height, width, 3]` in [0, 1].
            style: from `measure`, `measure_style` or `load_style`. It is a pytree, and so are a blend of several
                (their weighted mean) and a stack of several, to `vmap` over.
            start: a picture `[h, w, 3]` in [0, 1] to start from, where `config.init` has "picture".
            key: of the noise, where `config.init` has "noise" or "pink".

        Returns:
            `[H, W, 3]` float32 in [0, 1]: the content's proportions, with `config.size` on the longest side.

        Raises:
            PictureError: if a picture has the wrong shape or type.
            ConfigError: if the style does not fit the network or the settings, or a start or key is missing.
        """
        content = _picture("content", content)
        if content.shape[:2] != (self.height, self.width):
            found, expected = list(content.shape), [self.height, self.width, 3]
            raise PictureError(
                f"the content is {found}; this stylizer was made for {expected}: make another, or resize"
            )
        if not isinstance(style, Style):
            raise ConfigError(f"the style is a {type(style).__name__}; expected a Style: measure the picture first")
        check_style(style, self.network, self.config)
        network = self.network if self.network.prepared else self.network.prepare()
        targets = [_at_scale(content, size) for size, _ in self.levels]
        statistics = [
            blend([style.at(size * self.config.style_scale)], self.config.style_blend) for size, _ in self.levels
        ]
        picture = self._start(targets[0], statistics[0], start, key)
        for level, (_, steps) in enumerate(self.levels):
            if level:
                picture = enlarge(picture, targets[level - 1], targets[level], _resize)
            contents = content_targets(network.direct(), targets[level], self.config.content_names)
            objective = make_objective(self.config, contents, statistics[level])
            picture = descend(network, objective, picture, steps, optimizer=self.config.optimizer).clip(0, 1)
        return picture

    def measure(self, picture: ArrayLike) -> Style:
        """Measure a style picture `[h, w, 3]` in [0, 1], of any size, as `measure_style` does.

        Raises:
            PictureError: if it has the wrong shape or type, or is too small.
        """
        picture = _picture("style", picture)
        check_scale("style", picture.shape[0], picture.shape[1], self.config.size * self.config.style_scale)
        sizes, layers, what = style_sizes(self.config), self.config.style_names, self.config.style_representation
        network = self.network.direct()
        statistics = [measure(network, _at_scale(picture, size), layers, what) for size in sizes]
        return make_style(self.network, sizes, statistics, what)

    def _start(self, target: jax.Array, statistics: StyleStatistics, start: ArrayLike | None, key: Any) -> jax.Array:
        """The picture before the first step, of the target's shape; see `StyleConfig.init`."""
        for name, option, given in (("picture", "start=", start), ("noise", "key=", key), ("pink", "key=", key)):
            if dict(self.config.init).get(name) and given is None:
                raise ConfigError(f"init has {name!r}, but there is no {option}; give it to the stylizer")
        makers: dict[str, Callable[[], Any]] = {
            "content": lambda: match_colours(target, statistics),
            "noise": lambda: jax.random.uniform(key, target.shape),
            "pink": lambda: pink_noise(jax.random.normal(key, target.shape)),
            "picture": lambda: _resize(_picture("start", start), target.shape[0], target.shape[1]),
        }
        return mix(self.config.init, makers)


def make_stylizer(network: Network, config: StyleConfig = DEFAULTS, *, height: int, width: int) -> Stylizer:
    """`stylize` as a pure function of arrays, for contents `[height, width, 3]`.

    Raises:
        ConfigError: for a layer that the network does not have, for "style" in `config.init` (no picture of it is
            there then), for regions (which are found in NumPy), or a height or width that is no whole number from 1 up.
        PictureError: if the result would be too thin.
    """
    sides: dict[str, Any] = {"height": height, "width": width}
    for name, pixels in sides.items():
        if not isinstance(pixels, Integral) or pixels < 1:
            raise ConfigError(f"{name} is {pixels!r}; expected a whole number from 1 up")
    check_whole(config)
    if dict(config.init).get("style"):
        raise ConfigError(
            "init has 'style', but a stylizer knows no picture of it; use 'picture', and give it as start"
        )
    config = with_layers(config, network.architecture)
    check_scale("content", height, width, config.size)
    return Stylizer(network, config, int(height), int(width))


def _picture(name: str, picture: Any) -> jax.Array:
    """The picture as float32; PictureError unless it is `[H, W, 3]` of floats."""
    picture = jnp.asarray(picture)
    floats = jnp.issubdtype(picture.dtype, jnp.floating)
    if picture.ndim != 3 or picture.shape[-1] != 3 or not picture.size or not floats:
        raise PictureError(f"the {name} is {picture.dtype} {list(picture.shape)}; expected floats [H, W, 3] in [0, 1]")
    return picture.astype(jnp.float32)


def _at_scale(picture: jax.Array, longest: float) -> jax.Array:
    return _resize(picture, *shape_at(picture.shape[0], picture.shape[1], longest))


def _resize(picture: jax.Array, height: int, width: int) -> jax.Array:
    """`images.resize` of a picture `[h, w, 3]` in JAX, within 1e-5."""
    return jax.image.resize(picture, (height, width, 3), "lanczos3", antialias=True).clip(0, 1)
