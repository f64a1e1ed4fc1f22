"""Chapter 3: the layers of the style and of the content."""

from collections.abc import Iterable

from jaxstyle.config import StyleConfig, Weighted
from jaxstyle.networks import ARCHITECTURES, resolve_layers
from jaxstyle.stylize import Stylized
from scripts.paper import Lab
from scripts.paper.judge import judge

CONTENT, STYLE = "harbour", "swirls"
STYLE_SETS = {
    "relu1_1\nrelu2_1": ("relu1_1", "relu2_1"),
    "relu3_1": ("relu3_1",),
    "relu4_1\nrelu5_1": ("relu4_1", "relu5_1"),
    "the usual five": ("relu1_1", "relu2_1", "relu3_1", "relu4_1", "relu5_1"),
}
CONTENT_LAYERS = ("relu1_2", "relu2_2", "relu3_2", "relu4_2", "relu5_2")
# (style, content); the last two swap the usual roles of shallow and deep layers.
PRESETS = (
    ("default", "default"),
    ("all", "all"),
    ("falling", "rising"),
    ("shallow", "deep"),
    ("deep", "shallow"),
    ("rising", "falling"),
)

PAGE = """# Partitions of layers

The paper tries different ways to partition the network's layers between style and content. Gatys et al. use relu1_1,
..., relu5_1 for the style and relu4_2 for the content.

**Method.** We use one pair, VGG-19 and {size} pixels. All settings except the layers are the defaults. First, a grid
combines four sets of style layers with five content layers. Then we compare named partitions, given as
`--style-layers` and `--content-layers`:

- "all" is every rectifier from relu1_1 to relu5_4, with equal weights.
- "shallow" and "deep" are the first and the second half of these layers.
- "falling" and "rising" are all of them, with weights that halve or double from one layer to the next.

The second paper by the same authors (arXiv 1605.04603) proposes falling weights for the style and rising weights for
the content, w_l^s = 2^(D - d(l)) and w_l^c = 2^d(l). We do not know which partitions the first paper tried, so the
others are our choice. The weights of a partition are scaled to sum to 1. Each layer's loss is relative to its target.

```sh
jaxstyle grid CONTENT STYLE -o layers.png \\
  --rows "style-layers=relu1_1,relu2_1;relu3_1;relu4_1,relu5_1;default" \\
  --columns "content-layers=relu1_2;relu2_2;relu3_2;relu4_2;relu5_2"
jaxstyle stylize CONTENT STYLE -o out.png --style-layers falling --content-layers rising
```

## Style layers by content layer

{grid}

From top to bottom, the marks grow with the depth of the style layers. relu1_1 and relu2_1 transfer colors and grain,
and leave the drawing of the photograph intact. relu3_1 adds short strokes. relu4_1 and relu5_1 add circles and suns,
but these are pale and have colored fringes, because no shallow layer constrains the colors of fine detail. The usual
five layers do both.

From left to right, the content layer gets deeper. Shallow layers preserve lines: with relu2_2 the mast and the hills
stay sharp, and the sky stays smooth wherever the style allows it. relu4_2 preserves objects, and strokes may replace
lines: the sky turns into suns and bands of paint. relu5_2 constrains so little that flecks remain. The boat is still
there only because the initial picture is the photograph.

The table gives the distances in the usual layers: |F - P| / |P| at relu4_2, then the mean of |G - A| / |A| over the
five style layers.

{numbers}

## Named partitions

{presets}

{preset_numbers}

Swapped roles, with style from deep layers and content from shallow ones, give a different kind of picture: a sharp
photograph under a film of drawn circles, with too little of the painting's color. Both distances are larger than those
of the usual partition. The opposite, shallow style and deep content, gives a calm recoloring with a short grain. "all"
comes close to the default in style, and is farther from the content.

If weights double from layer to layer, the last few layers get nearly all of the weight. With falling style weights and
rising content weights, the style is little more than relu1_1 and relu1_2, and at this size the sky breaks into patches.
The second paper combines this rule with other changes to the Gram matrices and with other weights of the two losses.
By itself, the rule is no improvement here.
"""


def make(lab: Lab) -> str:
    """Return the page."""
    grid = {
        (layers, content): _run(lab, _equal_weights(STYLE_SETS[layers]), _equal_weights([content]))
        for layers in STYLE_SETS
        for content in CONTENT_LAYERS
    }
    presets = {(style, content): _run(lab, *_preset_weights(style, content)) for style, content in PRESETS}
    return PAGE.format(
        size=lab.size,
        grid=lab.sheet(
            "grid",
            [[grid[layers, content].image for content in CONTENT_LAYERS] for layers in STYLE_SETS],
            [f"style\n{layers}" for layers in STYLE_SETS],
            [f"content {content}" for content in CONTENT_LAYERS],
        ),
        numbers=lab.table(
            ["style layers", *CONTENT_LAYERS],
            [
                [
                    layers.replace("\n", ", "),
                    *(" / ".join(_distances(lab, grid[layers, content])) for content in CONTENT_LAYERS),
                ]
                for layers in STYLE_SETS
            ],
        ),
        presets=lab.sheet(
            "presets",
            [[presets[preset].image for preset in PRESETS]],
            columns=[f"style {style}\ncontent {content}" for style, content in PRESETS],
        ),
        preset_numbers=lab.table(
            ["style layers", "content layers", "content distance", "style distance"],
            [[*preset, *_distances(lab, presets[preset])] for preset in PRESETS],
        ),
    )


def _run(lab: Lab, style: Weighted, content: Weighted) -> Stylized:
    return lab.stylized(CONTENT, STYLE, style_layers=style, content_layers=content)


def _equal_weights(layers: Iterable[str]) -> Weighted:
    return _all_layers(dict.fromkeys(layers, 1.0))


def _preset_weights(style: str, content: str) -> tuple[Weighted, Weighted]:
    config = resolve_layers(StyleConfig(style_layers=style, content_layers=content), "vgg19")
    return _all_layers(config.weights_of("style_layers")), _all_layers(config.weights_of("content_layers"))


def _all_layers(weights: dict[str, float]) -> Weighted:
    """Add the missing rectifiers with weight 0, so that all partitions share one compiled program."""
    return tuple((layer, weights.get(layer, 0.0)) for layer in ARCHITECTURES["vgg19"].stages)


def _distances(lab: Lab, run: Stylized) -> list[str]:
    judgment = judge(run.image, lab.example(CONTENT), lab.example(STYLE))
    return [f"{judgment.content:.2f}", f"{judgment.style:.2f}"]
