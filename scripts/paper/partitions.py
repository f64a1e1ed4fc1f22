"""Chapter 3: which layers tell the style, and which the content."""

from collections.abc import Iterable

from jaxstyle.config import StyleConfig, Weighted
from jaxstyle.networks.architectures import ARCHITECTURES, resolve_layers
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
# Of style and of content; the last two are swapped.
PRESETS = (
    ("default", "default"),
    ("all", "all"),
    ("falling", "rising"),
    ("shallow", "deep"),
    ("deep", "shallow"),
    ("rising", "falling"),
)

PAGE = """# Partitions of layers

The paper tries different ways to divide the network's layers between style and content. Gatys et al. take the style
from relu1_1, ..., relu5_1 and the content from relu4_2.

**What we did.** One pair, VGG-19, {size} pixels and the default settings but for the layers. First a grid: four sets of
style layers by five content layers. Then the named partitions, `--style-layers` and `--content-layers` each being one
of them. "all" is every rectifier from relu1_1 to relu5_4 with equal weights, "shallow" and "deep" are their first and
second half, and "falling" and "rising" are all of them with weights that halve or double from one to the next. Style
falling with content rising is the proposal of the same authors' second paper (arXiv 1605.04603), w_l^s = 2^(D - d(l))
and w_l^c = 2^d(l); which sets the first paper tried is not known to us, so the rest is our choice. In a partition the
weights are scaled to add up to 1, and each layer's loss is relative to its target.

```sh
jaxstyle grid CONTENT STYLE -o layers.png \\
  --rows "style-layers=relu1_1,relu2_1;relu3_1;relu4_1,relu5_1;default" \\
  --columns "content-layers=relu1_2;relu2_2;relu3_2;relu4_2;relu5_2"
jaxstyle stylize CONTENT STYLE -o out.png --style-layers falling --content-layers rising
```

## Style layers by content layer

{grid}

Down the sheet the marks grow with the depth of the style layers. relu1_1 and relu2_1 bring colors and grain, and leave
the photograph its drawing. relu3_1 adds short strokes. relu4_1 and relu5_1 bring circles and suns, but pale, with
colored fringes, because nothing shallow holds the colors of fine detail. The usual five have both.

Across the sheet, a shallow content layer keeps lines: with relu2_2 the mast and the hills stay sharp and the sky smooth
wherever the style allows it. relu4_2 keeps things and lets strokes replace lines: the sky becomes suns and bands of
paint. relu5_2 holds so little that flecks remain; that the boat is still there is the work of the starting point, which
is the photograph.

All of these are judged by the usual layers: |F - P| / |P| at relu4_2, then the mean of |G - A| / |A| over the five.

{numbers}

## Named partitions

{presets}

{preset_numbers}

Swapping the parts, style from deep layers and content from shallow ones, gives another kind of picture: a sharp
photograph under circles that are drawn over it like a film, with too little of the painting's color. By both distances
it is worse than the usual partition. The opposite, shallow style and deep content, is a calm recoloring with a short
grain. "all", with equal weights, comes near the default's style and is farther from the content.

Weights that double from layer to layer leave nearly all of the weight to the last few: in style falling with content
rising the style is little more than relu1_1 and relu1_2, and at this size the sky breaks into patches. The second paper
uses that rule with Gram matrices that it changes in other ways too, and with other scales of the two losses; here it is
no improvement by itself.
"""


def make(lab: Lab) -> str:
    """The page."""
    grid = {
        (layers, content): _run(lab, _weights(STYLE_SETS[layers]), _weights([content]))
        for layers in STYLE_SETS
        for content in CONTENT_LAYERS
    }
    presets = {(style, content): _run(lab, *_named(style, content)) for style, content in PRESETS}
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
                    *(" / ".join(_judged(lab, grid[layers, content])) for content in CONTENT_LAYERS),
                ]
                for layers in STYLE_SETS
            ],
        ),
        presets=lab.sheet(
            "presets",
            [[presets[each].image for each in PRESETS]],
            columns=[f"style {style}\ncontent {content}" for style, content in PRESETS],
        ),
        preset_numbers=lab.table(
            ["style", "content", "from content", "from style"],
            [[*each, *_judged(lab, presets[each])] for each in PRESETS],
        ),
    )


def _run(lab: Lab, style: Weighted, content: Weighted) -> Stylized:
    return lab.stylized(CONTENT, STYLE, style_layers=style, content_layers=content)


def _weights(layers: Iterable[str]) -> Weighted:
    return _everywhere(dict.fromkeys(layers, 1.0))


def _named(style: str, content: str) -> tuple[Weighted, Weighted]:
    config = resolve_layers(StyleConfig(style_layers=style, content_layers=content), "vgg19")
    return _everywhere(config.weights_of("style_layers")), _everywhere(config.weights_of("content_layers"))


def _everywhere(weights: dict[str, float]) -> Weighted:
    """The weights of all rectifiers, 0 where there is none: all partitions then share one compiled program."""
    return tuple((layer, weights.get(layer, 0.0)) for layer in ARCHITECTURES["vgg19"].stages)


def _judged(lab: Lab, run: Stylized) -> list[str]:
    judgment = judge(run.image, lab.example(CONTENT), lab.example(STYLE))
    return [f"{judgment.content:.2f}", f"{judgment.style:.2f}"]
