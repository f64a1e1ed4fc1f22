"""The options of a stylization: one dataclass for the command's options, the columns of manifests, and Python.

`Options` holds the values as text and numbers, with a help text for each.
"""

from dataclasses import dataclass, field
from pathlib import Path

from jaxstyle.arguments import check_seed
from jaxstyle.config import COLORS, DEFAULTS, NORMALIZATIONS, OPTIMIZERS, PARTITIONS, StyleConfig
from jaxstyle.options.described import described
from jaxstyle.options.file import FileOptions
from jaxstyle.options.network import NetworkOptions
from jaxstyle.options.parsing import (
    NAMED_INITS,
    check_size,
    format_weighted,
    parse_init,
    parse_layers,
    parse_numbers,
    parse_scales,
    parse_weighted,
)
from jaxstyle.options.settings import Settings
from jaxstyle.styles import REPRESENTATIONS, check_representation

# Groups of options in `--help`.
PICTURE, STYLE, OPTIMIZATION = "Picture", "Style", "Optimization"

_LAYERS = f"NAME or NAME=WEIGHT, comma-separated, or one of {', '.join(PARTITIONS)}"


@dataclass(frozen=True)
class StyleOptions:
    """The options that say what the result looks like."""

    size: int | str = field(
        default=DEFAULTS.size,
        metadata=described(
            "Longest side of the result in pixels. Larger: finer detail, but more time and memory; max: the largest "
            "that fits the memory.",
            metavar="PIXELS",
        ),
    )
    steps: int = field(
        default=DEFAULTS.steps,
        metadata=described(
            "Optimization steps at each size, coarse to fine. More: closer to the style, but slower.",
            metavar="N",
        ),
    )
    strength: float = field(
        default=DEFAULTS.strength,
        metadata=described(
            "How much of the style, from 0, the content itself, over 1 to 2. It changes the picture evenly, where "
            "weights act in jumps.",
            PICTURE,
            metavar="0..2",
        ),
    )
    strength_mask: Path | None = field(
        default=None,
        metadata=described(
            "Where and how strongly to paint: a gray picture of the content's proportions. Black stays the content "
            "exactly, white is painted in full.",
            PICTURE,
            metavar="MASK",
        ),
    )
    content_weight: float = field(
        default=DEFAULTS.content_weight,
        metadata=described(
            "Weight of the content. Higher: shapes closer to the content; lower: shapes dissolve into the style. Try "
            "0.03 to 0.3.",
            PICTURE,
            metavar="WEIGHT",
        ),
    )
    style_weight: float = field(
        default=DEFAULTS.style_weight,
        metadata=described(
            "Weight of the style. Higher: stronger strokes and textures; 0: only the style's colors.",
            PICTURE,
            metavar="WEIGHT",
        ),
    )
    color_weight: float = field(
        default=DEFAULTS.color_weight,
        metadata=described(
            "Weight of the style's color distribution. Higher: colors closer to the style's; 0: paler colors.",
            PICTURE,
            metavar="WEIGHT",
        ),
    )
    tv_weight: float = field(
        default=DEFAULTS.tv_weight,
        metadata=described(
            "Weight of the total variation. Higher: smoother; 0: crisp. Try 0.3 to 3.",
            PICTURE,
            metavar="WEIGHT",
        ),
    )
    grain_weight: float = field(
        default=DEFAULTS.grain_weight,
        metadata=described(
            "Weight of the grain beyond the style's own. Higher: hardly any more than the style has; 0: any.",
            PICTURE,
            metavar="WEIGHT",
        ),
    )
    colors: str = field(
        default=format_weighted(DEFAULTS.colors),
        metadata=described(
            "Whose colors the result has: style; content, where the style is recolored before; luminance, where only "
            "light and dark are painted and the content keeps its colors exactly; or a share such as content=0.5.",
            PICTURE,
            metavar="COLORS",
            choices=COLORS,
        ),
    )
    background: str | None = field(
        default=None,
        metadata=described(
            "Color under transparent pictures, such as white or '#1e90ff'. Without it, only what is visible counts, "
            "and the result is as transparent as the content and must be .png, .webp or .tiff.",
            PICTURE,
            metavar="COLOR",
        ),
    )
    style_scale: str = field(
        default="1",
        metadata=described(
            "Size of the style pictures relative to the result, or of each, such as 1,2. Above 1: larger strokes; "
            "below 1: finer strokes.",
            STYLE,
            metavar="FACTOR,...",
        ),
    )
    rotate_style: float = field(
        default=DEFAULTS.rotate_style,
        metadata=described(
            "Degrees by which the style pictures are turned, counterclockwise: strokes in another direction.",
            STYLE,
            metavar="DEGREES",
        ),
    )
    style_blend: str = field(
        default="",
        metadata=described(
            "Share of each style, such as 0.7,0.3. Higher: more of that style; negative: away from it.",
            STYLE,
            metavar="SHARE,...",
            default="equal shares",
        ),
    )
    style_representation: str = field(
        default=DEFAULTS.style_representation,
        metadata=described(
            "Statistics that describe the style. "
            + "; ".join(f"{name}: {representation.effect}" for name, representation in REPRESENTATIONS.items())
            + ".",
            STYLE,
            metavar="NAME",
            choices=tuple(REPRESENTATIONS),
        ),
    )
    regions: int = field(
        default=DEFAULTS.regions,
        metadata=described(
            "Number of regions to find in the content and in the style, such as sky and ground. Above 1: each region "
            "takes the style of the most similar region, not of the whole picture.",
            STYLE,
            metavar="N",
        ),
    )
    content_layers: str = field(
        default="default",
        metadata=described(
            "Layers that compare the result with the content. Shallow: every detail stays; deep: only shapes. "
            f"{_LAYERS}.",
            STYLE,
            metavar="LAYERS",
            default="the usual ones",
        ),
    )
    style_layers: str = field(
        default="default",
        metadata=described(
            f"Layers that compare the result with the style. Shallow: fine texture; deep: large patterns. {_LAYERS}.",
            STYLE,
            metavar="LAYERS",
            default="the usual ones",
        ),
    )
    normalization: str = field(
        default=DEFAULTS.normalization,
        metadata=described(
            "Scale of the losses. relative: the default weights suit most pictures; gatys: as in Gatys et al., with "
            "weights to be found for each picture.",
            STYLE,
            metavar="NAME",
            choices=NORMALIZATIONS,
        ),
    )
    init: str = field(
        default=format_weighted(DEFAULTS.init),
        metadata=described(
            "Initial picture: content (in the style's colors), noise, pink (noise with large blotches), style, a "
            "picture file, or a mixture such as content=0.7,noise=0.3. More noise: farther from the content. A result "
            "as picture file: goes on from it, at the same or a larger --size.",
            OPTIMIZATION,
            metavar="INIT",
            choices=NAMED_INITS,
        ),
    )
    seed: int = field(
        default=0,
        metadata=described(
            "Seed of the noise. Another seed: another result, if --init has noise.", OPTIMIZATION, metavar="N"
        ),
    )
    levels: int | None = field(
        default=None,
        metadata=described(
            "Number of sizes, each half of the next one. 1: full size alone, with finer strokes, and the default if "
            "--init is a picture file; more: larger strokes and swirls.",
            OPTIMIZATION,
            metavar="N",
            default="from 128 pixels up",
        ),
    )
    tile_size: int | None = field(
        default=None,
        metadata=described(
            "Compute pictures that are larger than this, in pixels, by tiles of this size: the same result with less "
            "memory, but in up to twice the time. Try 512 or 1024.",
            OPTIMIZATION,
            metavar="PIXELS",
            default="only if needed",
        ),
    )
    optimizer: str = field(
        default=DEFAULTS.optimizer,
        metadata=described(
            "lbfgs: close to the style after few steps; adam: changes the picture more gradually. The results are "
            "similar.",
            OPTIMIZATION,
            choices=OPTIMIZERS,
        ),
    )


@dataclass(frozen=True)
class Options(FileOptions, NetworkOptions, StyleOptions):
    """The options of a stylization, as typed; those of the last base class come first.

    A field has the name of its column in a manifest, and with dashes the name of its option of the command.
    """

    def settings(self, *, folder: Path = Path()) -> Settings:
        """Parse the options; the path of an initial picture is relative to `folder`.

        Raises:
            ConfigError: naming the option or setting, for an invalid value.
        """
        check_seed(self.seed)
        check_representation(self.style_representation)
        init, initial_picture = parse_init("--init", self.init, folder=folder)
        config = StyleConfig(
            size=check_size(self.size),
            content_layers=parse_layers("--content-layers", self.content_layers),
            style_layers=parse_layers("--style-layers", self.style_layers),
            strength=self.strength,
            content_weight=self.content_weight,
            style_weight=self.style_weight,
            color_weight=self.color_weight,
            tv_weight=self.tv_weight,
            grain_weight=self.grain_weight,
            colors=parse_weighted("--colors", self.colors),
            style_blend=parse_numbers("--style-blend", self.style_blend),
            style_scale=parse_scales("--style-scale", self.style_scale),
            rotate_style=self.rotate_style,
            style_representation=self.style_representation,
            regions=self.regions,
            normalization=self.normalization,
            init=init,
            optimizer=self.optimizer,
            steps=self.steps,
            levels=self.levels,
            tile_size=self.tile_size,
        )
        network = (self.network, self.weights, self.pooling, self.precision)
        file = self.file_settings()
        return Settings(config, self.seed, initial_picture, self.strength_mask, self.background, file, *network)
