"""Chapter 4: examples from the space of styles."""

from jaxstyle.stylize import Stylized
from scripts.paper import Lab
from scripts.paper.judge import judge

# (content, style), both photographs.
TRANSFERS = (
    ("harbour", "rocket"),
    ("cat", "rocket"),
    ("rocket", "harbour"),
    ("coffee", "gravel"),
    ("cat", "coffee"),
    ("cat", "brick"),
)
TEXTURES = ("swirls", "embers", "facets", "gravel", "brick", "rocket")
CONTENT, STYLE, OTHER = "harbour", "swirls", "embers"
SHARES = ((2.0, -1.0), (1.5, -0.5), (1.0, 0.0), (0.75, 0.25), (0.5, 0.5), (0.25, 0.75), (0.0, 1.0), (-0.5, 1.5))
MINUS = (0.0, 0.25, 0.5, 0.75)
CONTENT_WEIGHTS, STYLE_WEIGHTS = (0.01, 0.1, 1.0), (0.1, 0.3, 1.0, 3.0)

PAGE = """# The style space by examples

The paper first demonstrates the space of styles on a few examples.

**Method.** All results have {size} pixels. The settings are the defaults, except where a section says otherwise. The
pictures are those of `examples/`. We do not know which examples the paper uses.

## Light, weather and material

Here the style is a photograph: a harbor in daylight, a launch site with lamps at dusk, gravel, bricks, or an espresso
on wood. The examples have no photographs of one place in two seasons; the command for them would be the same.

```sh
jaxstyle stylize PHOTOGRAPH OTHER_PHOTOGRAPH -o out.png --content-weight 0.3
```

{transfers}

The light of dusk is transferred to the harbor and to the cat: deep blue, with warm colors along the horizon and down
the cat's nose. Pieces of the lattice towers are transferred too, as strands in the sky and on the forehead, because
Gram matrices describe what a picture contains but not where. In daylight, the launch site turns sepia under a bright
sky, with its lamps still lit. The cup of gravel is the best result: the stones follow the rim and the saucer. From the
espresso, the cat takes the red-brown color and some gloss. From the bricks, it takes the joints, which run along its
nose and curl up in its eyes.

## Textures

Textures are made from pink noise, without a content (Gatys et al., arXiv 1505.07376).

```sh
jaxstyle texture STYLE -o texture.png --size 512
```

{textures}

{texture_numbers}

The paintings keep their motifs in a new arrangement: suns, circles and lights on water for swirls, bands for embers,
shards for facets. Gravel is preserved, but its brightness varies with the initial noise, because Gram matrices do not
describe how brightness is distributed over a picture. The bricks become joints without courses. Regularity over long
distances is lost; it is the subject of [chapter 7](representations.md). The launch site becomes lamps at the bottom and
pieces of the towers everywhere: a picture of a few distinct objects makes no texture.

## Interpolation and extrapolation of two styles

The target Gram matrices, and the other statistics of the style, are A = t A_1 + (1 - t) A_2. The titles of the pictures
give the shares of both styles. For t from 0 to 1 this is interpolation. For other t it is extrapolation: A_1 is
exaggerated away from A_2, or the reverse, and A need not be the Gram matrix of any picture.

```sh
jaxstyle grid CONTENT STYLE OTHER_STYLE -o blends.png --columns "style-blend=2,-1;1.5,-0.5;1,0;0.5,0.5;0,1;-0.5,1.5"
```

{blends}

{blend_numbers}

Interpolation is smooth: blue gives way to red and suns give way to bands, and with equal shares the picture shows both.
Extrapolation first removes what the two styles have in common. Twice the swirls minus the embers has no orange, a pale
yellow, no dark colors, and blue suns. The embers minus the swirls is purely red, with low contrast. The loss stays
three to four times as high as for interpolation, because no picture has these statistics.

## A style minus the style of the photograph

A = (1 + m) A_style - m A_content amplifies what distinguishes the painting from the photograph.

```sh
jaxstyle stylize CONTENT STYLE CONTENT -o out.png --style-blend 1.5,-0.5
```

{minus}

The photograph has a bright sky over a dark shore. With m = 0.25 little changes. From m = 0.5 on, the sky darkens to the
blue of the painting's night, and yellow moves down to the houses, first as flecks and single pixels. These are typical
compromises with targets that no picture can reach: m = 0.5 is too much here.

## Content weight by style weight

The weights of the other terms do not change.

```sh
jaxstyle grid CONTENT STYLE -o weights.png --rows "content-weight=0.01;0.1;1" --columns "style-weight=0.1;0.3;1;3"
```

{weights}

The distances are measured with VGG-19: |F - P| / |P| at relu4_2, then the mean of |G - A| / |A| over the five style
layers.

{weight_numbers}

From the upper right to the lower left, the suns shrink to strokes, the strokes shrink to grain, and the shore returns.
The ratio of the weights is what matters: the ratio is nearly constant along a diagonal, and so are the pictures and the
distances. The colors match the painting everywhere, because they have their own term in the loss. With a high content
weight and a low style weight, they appear as a stipple on the photograph.
"""


def make(lab: Lab) -> str:
    """Return the page."""
    transfers = [lab.stylized(*pair, content_weight=0.3) for pair in TRANSFERS]
    textures = [lab.stylized(None, name) for name in TEXTURES]
    blends = [lab.stylized(CONTENT, (STYLE, OTHER), style_blend=shares) for shares in SHARES]
    minus = [lab.stylized(CONTENT, (STYLE, CONTENT), style_blend=(1 + share, -share)) for share in MINUS]
    weights = {
        (content, style): lab.stylized(CONTENT, STYLE, content_weight=content, style_weight=style)
        for content in CONTENT_WEIGHTS
        for style in STYLE_WEIGHTS
    }
    return PAGE.format(
        size=lab.size,
        transfers=lab.sheet(
            "transfers",
            [
                [lab.example(content) for content, _ in TRANSFERS],
                [lab.example(style) for _, style in TRANSFERS],
                [run.image for run in transfers],
            ],
            ["photograph", "style", "result"],
        ),
        textures=lab.sheet(
            "textures",
            [[lab.example(name) for name in TEXTURES], [run.image for run in textures]],
            ["source", "texture"],
            TEXTURES,
        ),
        texture_numbers=lab.table(
            ["texture of", *TEXTURES],
            [["square root of the style loss", *(float(run.history.style[-1] ** 0.5) for run in textures)]],
        ),
        blends=lab.sheet(
            "blends",
            [[run.image for run in blends]],
            columns=[f"{share:g} {STYLE}\n{other:g} {OTHER}" for share, other in SHARES],
        ),
        blend_numbers=lab.table(
            [f"share of {STYLE}", *(f"{share:g}" for share, _ in SHARES)],
            [
                [
                    f"distance from {name}",
                    *(f"{judge(run.image, lab.example(CONTENT), lab.example(name)).style:.2f}" for run in blends),
                ]
                for name in (STYLE, OTHER)
            ],
        ),
        minus=lab.sheet("minus", [[run.image for run in minus]], columns=[f"m = {share:g}" for share in MINUS]),
        weights=lab.sheet(
            "weights",
            [[weights[content, style].image for style in STYLE_WEIGHTS] for content in CONTENT_WEIGHTS],
            [f"content\n{content:g}" for content in CONTENT_WEIGHTS],
            [f"style {style:g}" for style in STYLE_WEIGHTS],
        ),
        weight_numbers=lab.table(
            ["content weight", *(f"style {style:g}" for style in STYLE_WEIGHTS)],
            [
                [f"{content:g}", *(_distances(lab, weights[content, style]) for style in STYLE_WEIGHTS)]
                for content in CONTENT_WEIGHTS
            ],
        ),
    )


def _distances(lab: Lab, run: Stylized) -> str:
    judgment = judge(run.image, lab.example(CONTENT), lab.example(STYLE))
    return f"{judgment.content:.2f} / {judgment.style:.2f}"
