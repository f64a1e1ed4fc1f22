"""Chapter 4: what the space of styles is good for."""

from jaxstyle.stylize import Stylized
from scripts.paper import Lab
from scripts.paper.judge import judge

# A photograph, and the photograph that it takes light, weather or material from.
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

The paper first shows on a few examples what the space of styles can do.

**What we did.** Everything is made at {size} pixels with the default settings but for what each section says, from the
pictures in `examples/`. Which examples the paper shows is not known to us.

## Light, weather and material

The style is a photograph here: a harbour in daylight, a launch site at dusk with lamps, gravel, bricks, an espresso on
wood. There are no two photographs of one place in two seasons among the examples; with yours it is the same command.

```sh
jaxstyle stylize PHOTOGRAPH OTHER_PHOTOGRAPH -o out.png --content-weight 0.3
```

{transfers}

The light of dusk moves to the harbour and to the cat: deep blue, warm along the horizon and down the cat's nose. But
pieces of the lattice towers come along, as strands in the sky and on the forehead, because Gram matrices know what
there is and not where. In daylight the launch site is sepia under a bright sky, with its lamps still lit. The cup made
of gravel is the best of them: the stones arrange themselves along rim and saucer. Of the espresso the cat takes the
red-brown, and some gloss. Of the bricks it takes their joints, which run along its nose and curl up in the eyes.

## Textures

Without a content, from pink noise (Gatys et al., arXiv 1505.07376).

```sh
jaxstyle texture STYLE -o texture.png --size 512
```

{textures}

{texture_numbers}

The swirls have their suns, circles and lights on water, the embers their bands, the facets their shards, each in a new
order. Gravel comes out as gravel, but lighter and darker in places, where the noise was: Gram matrices do not tell how
brightness is spread over a picture. The bricks are joints without courses: what is regular over a distance is lost,
which is the subject of [chapter 7](representations.md). Of the launch site there are lamps below, and pieces of tower
anywhere; a picture of few things is no texture.

## Between two styles, and beyond

The target Gram matrices, and the other statistics of the style, are A = t A_1 + (1 - t) A_2, the share t of the first
style being named above each picture. From 0 to 1 this is interpolation. Beyond, A_1 is exaggerated away from A_2:
extrapolation. Such an A need not be the Gram matrix of any picture.

```sh
jaxstyle grid CONTENT STYLE OTHER_STYLE -o blends.png --columns "style-blend=2,-1;1.5,-0.5;1,0;0.5,0.5;0,1;-0.5,1.5"
```

{blends}

{blend_numbers}

Between the two styles the passage is smooth: blue gives way to red, suns to bands, and half of each is a picture with
both. Beyond them, what the two have in common goes first. Twice the swirls less the embers has no orange left, its
yellow is pale, its darks are gone, and the suns are blue; the embers less the swirls are red alone, with little
contrast. The loss stays three to four times as high there as between, because no picture has such statistics.

## A style minus the style of the photograph

A = (1 + m) A_style - m A_content: what the painting has and the photograph has not.

```sh
jaxstyle stylize CONTENT STYLE CONTENT -o out.png --style-blend 1.5,-0.5
```

{minus}

The photograph has a bright sky over a dark shore. With m = 0.25 little changes. From 0.5 the brightness is taken from
the sky: it turns blue like the painting's night, and the yellow goes down to the houses, where it is first seen in
flecks and single pixels. A target that no picture can meet is met in such ways; half is too much here.

## Content weight by style weight

Color and smoothness keep their weights.

```sh
jaxstyle grid CONTENT STYLE -o weights.png --rows "content-weight=0.01;0.1;1" --columns "style-weight=0.1;0.3;1;3"
```

{weights}

Distances as VGG-19 sees them: |F - P| / |P| at relu4_2 / the mean of |G - A| / |A| over the five style layers.

{weight_numbers}

From the upper right to the lower left the suns shrink to strokes, the strokes to grain, and the shore comes back. It is
the ratio that counts: pictures on one diagonal, where it is nearly the same, are alike, and so are their distances. The
colors are the painting's everywhere, because they have a term of their own; with much content and little style they
sit on the photograph as a stipple.
"""


def make(lab: Lab) -> str:
    """The page."""
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
            [["root of the style loss", *(float(run.history.style[-1] ** 0.5) for run in textures)]],
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
                    f"from {name}",
                    *(f"{judge(run.image, *map(lab.example, (CONTENT, name))).style:.2f}" for run in blends),
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
                [f"{content:g}", *(_judged(lab, weights[content, style]) for style in STYLE_WEIGHTS)]
                for content in CONTENT_WEIGHTS
            ],
        ),
    )


def _judged(lab: Lab, run: Stylized) -> str:
    judgment = judge(run.image, lab.example(CONTENT), lab.example(STYLE))
    return f"{judgment.content:.2f} / {judgment.style:.2f}"
