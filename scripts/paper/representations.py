"""Chapter 7: other representations of style, and style that is local."""

from functools import cache
from typing import Any

import jax.numpy as jnp
import numpy as np

import jaxstyle
from jaxstyle.config import REPRESENTATIONS
from jaxstyle.styles.regions import find_masks, resample_masks
from jaxstyle.styles.statistics import color_distance, color_moments
from scripts.paper import Lab
from scripts.paper.judge import judge

CONTENT, STYLE, OTHER = "harbour", "swirls", "embers"
# Where the sky ends, from the top.
HORIZONS = {"harbour": 0.36, "swirls": 0.62, "embers": 0.69}
WAYS = {"whole": "the style as a whole", "found": "two regions, found", "masks": "two masks, drawn"}
PAVEMENT = "brick"  # the example's name
TEXTURE_STEPS = 80
HEAVIER = 0.5  # content weight

PAGE = """# Two new representations of style, and others

The paper ends with two new representations of style that are built on the network's features, and says how one of them
could make style transfer local and aware of the content. Its abstract does not say what they are. The follow-up by the
same authors (arXiv 1605.04603) tries more.

**What we did.** A representation measures the features F of every style layer and gives a matrix or several; how far
those of the picture are from the style's, relative to the style's, is the style loss of that layer, whatever they are.
`jaxstyle/representations.py` has five. All are means over positions x:

| name | what is measured | whose idea |
| --- | --- | --- |
| `gram` | G_ij = mean of F_i(x) F_j(x) | Gatys et al. |
| `moments` | mean and standard deviation of each F_i | Li et al., arXiv 1701.01036 |
| `shifted` | G_dij = mean of (F_i(x) - m_i)(F_j(x + d) - m_j), m_i the mean of F_i | our reading of the first new one |
| `activation-shift` | G_ij = mean of (F_i(x) + s)(F_j(x) + s), s = -(the mean of all of F) | arXiv 1605.04603 |
| `neighbors` | G_ij = mean of F_i(x) H_j(x), H the style layer before | arXiv 1605.04603 |

Ours are: the distances d of `shifted`, 0, 2, 4 and 8 positions of the layer to the right and down; that it takes off
the means, which can be most of a Gram matrix (0.8 to 0.97 of it in the layers of the wall below), are the same at all
distances, and hide everything else;
the unit of s, which is -1 there for activations of about that size; and the blur of `neighbors`, which averages the
finer layer over the positions of the coarser. Regions, below, are our reading of the second new representation: all of
these measured in each part of the picture by itself.

## On one pair

Everything at {size} pixels with the default settings.

```sh
jaxstyle stylize CONTENT STYLE -o out.png --style-representation shifted
```

{pair}

The roots of the style losses as each measures its own, and the distances as the Gram matrices of VGG-19 see them: that
of the style is the mean of |G - A| / |A| over the five style layers, that of the content |F - P| / |P| at relu4_2.

{pair_numbers}

Four of the five give nearly the same picture: the blues and yellows of the painting, its strokes, and a whirl or a lamp
where the photograph has a dark edge. At this size, and with the colors compared by a term of their own, neither the
shift of activations nor the neighbors change what one sees; the two numbers per channel of `moments` do as well as a
Gram matrix. The fifth is another matter. `shifted` paints stars into the sky, dark hills below them, and lights on the
water at the bottom: the arrangement of the painting. The boats are gone, and so is most of the photograph: the content
distance is the largest. Distances of 8 positions in deep layers reach across a picture of this size, so that the style
is nearly the painting itself. With a content weight of {heavier}, five times the default, the boats are back, and the
arrangement is the photograph's again.

## What keeps an arrangement

Textures, from pink noise and without content, of a wall that was drawn for this page and of a pavement.

```sh
jaxstyle texture WALL -o texture.png --style-representation shifted --steps {steps}
```

{textures}

The autocorrelation of a picture's gray levels tells which distances repeat: it is near 1 for shifts that bring brick
onto brick. Compared is that of the source with that of the texture, for all shifts up to a quarter of the picture: by
the root of the mean squared difference (0 for the same), and by their correlation (1 for the same).

{texture_numbers}

Gram matrices make bricks of all sizes in rows that begin and end anywhere, with heaps of mortar between them; so do
moments, shifted activations and neighbors. With `shifted` the rows run through the whole picture and are as many as
the wall's; where a brick ends within its row is right less often. The pavement's rows run from top to bottom as well.
It is not as clean, though: there are colored specks in the joints, and some bricks have a joint too many. The numbers
say the same: the autocorrelation is nearer to the source's, and has its ups and downs where the source has them.
Somebody who saw each source beside the textures of `gram` and `shifted`, without being told which is which, took the
shifted one both times: clearly for the wall, slightly for the pavement.

## Sky like sky

A mask says to which of K regions a position belongs. Everything is measured in each region, with the mask as weights
brought to the positions of each layer, and region k of the picture is compared with region k of the style:
E = sum over k of s_k |G_k - A_k|^2 / |A_k|^2, s_k being the share of region k in the content. The colors, and the
picture that the optimization starts from, are local in the same way. Masks come from the user, as pictures of flat
colors, or are found: `--regions 2` groups the positions of both pictures together by their features at relu4_2 at 256
pixels (blurred, less the mean of each picture, of length 1) with k-means, softly. A region that the style hardly has
takes the style of the whole.

```sh
jaxstyle stylize CONTENT STYLE -o out.png --regions 2
jaxstyle stylize CONTENT STYLE -o out.png --content-mask SKY.png --style-mask SKY_OF_STYLE.png
```

{local}

How far the colors of the sky, and of what is below, are from those of the same part of the style: the root of the
distance between the two distributions. The parts are those of the drawn masks, for all results.

{local_numbers}

With the style as a whole, the pale sky of the photograph takes the pale colors of the painting, the yellow of its
stars, and the dark water its dark blue: light goes with light. With regions the sky is a blue night with stars in it,
and the lamps are gone from the houses; the hull and the roofs have the broken yellow of the lights on the water. With
the sunset, the land changes from the red of the sky to the purple of the hills. In all four parts the colors are
nearer to those of the same part of the style, with regions that were found as well as with masks; masks are best, as
they should be by a measure that uses the same masks. What is found is a guess: it took the sky for one region in the
photograph and in the night, but in the sunset it put an upper corner of the sky to the hills, and red stayed on the
land. The drawn masks end in a straight line, which runs through the hills in the results.
"""


def make(lab: Lab) -> str:
    """The page."""
    pair, pair_numbers = one_pair(lab)
    textures, texture_numbers = arrangements(lab)
    local, local_numbers = skies(lab)
    return PAGE.format(
        size=lab.size,
        steps=TEXTURE_STEPS,
        heavier=HEAVIER,
        pair=pair,
        pair_numbers=pair_numbers,
        textures=textures,
        texture_numbers=texture_numbers,
        local=local,
        local_numbers=local_numbers,
    )


def one_pair(lab: Lab) -> tuple[str, str]:
    """Every representation on one pair, and how far each result is from content and style."""
    content, style = lab.example(CONTENT), lab.example(STYLE)
    runs = {name: lab.stylized(CONTENT, STYLE, style_representation=name) for name in REPRESENTATIONS}
    heavier = lab.stylized(CONTENT, STYLE, style_representation="shifted", content_weight=HEAVIER)
    runs |= {f"shifted, content weight {HEAVIER}": heavier}
    rows = []
    for name, run in runs.items():
        found = judge(run.image, content, style)
        own = [f"{loss**0.5:.3f}" for loss in run.history.style[[0, -1]]]
        rows.append([name, *own, *(f"{value:.3f}" for value in (found.content, found.style, found.color))])
    pictures = [[content, style, *(run.image for run in runs.values())]]
    return (
        lab.sheet("pair", pictures, columns=["content", "style", *runs]),
        lab.table(["representation", "own, at first", "own, at last", "content", "style by Gram", "color"], rows),
    )


def arrangements(lab: Lab) -> tuple[str, str]:
    """Textures of regular sources, and how far their autocorrelations are from the sources'."""
    sources = {"wall": wall(lab.size * 3 // 4, lab.size), "pavement": lab.example(PAVEMENT)}
    names = {"wall": REPRESENTATIONS, "pavement": ("gram", "shifted")}
    pictures: list[list[np.ndarray | None]] = []
    rows = []
    for source, picture in sources.items():
        made = {name: _texture(lab, source, picture, name) for name in names[source]}
        pictures.append([picture, *map(made.get, REPRESENTATIONS)])
        wanted = autocorrelation(picture)
        found = {name: autocorrelation(texture) for name, texture in made.items()}
        errors = {name: np.sqrt(np.mean((each - wanted) ** 2)) for name, each in found.items()}
        alike = {name: np.corrcoef(each.ravel(), wanted.ravel())[0, 1] for name, each in found.items()}
        for measure, numbers in (("difference", errors), ("correlation", alike)):
            cells = [f"{numbers[name]:.2f}" if name in numbers else "" for name in REPRESENTATIONS]
            rows.append([f"{source}, {measure}", *cells])
    return (
        lab.sheet("textures", pictures, list(sources), ["source", *REPRESENTATIONS]),
        lab.table(["autocorrelation", *REPRESENTATIONS], rows),
    )


def skies(lab: Lab) -> tuple[str, str]:
    """Local style by found regions and by masks, and how far the colors of each part are from the style's."""
    pictures, rows = [], []
    for style in (STYLE, OTHER):
        made = {way: _local(lab, style, way) for way in WAYS}
        masks = find_masks(_network(), lab.example(CONTENT), [lab.example(style)], 2)
        shown = [_shown(mask, lab.example(CONTENT).shape) for mask in (masks.content, *masks.styles)]
        pictures.append([lab.example(CONTENT), lab.example(style), *shown, *made.values()])
        for index, part in enumerate(("sky", "below it")):
            colors = [_colors(lab, made[way], style, index) for way in WAYS]
            rows.append([f"{part}, {style}", *(f"{value:.3f}" for value in colors)])
    titles = ["content", "style", "regions found", "in the style", *WAYS.values()]
    return lab.sheet("local", pictures, columns=titles), lab.table(["colors of", *WAYS.values()], rows)


def wall(height: int, width: int) -> np.ndarray:
    """Bricks in rows, of reds that vary, with light mortar between them."""
    rng = np.random.default_rng(0)
    tall, long = width // 8, width // 4
    picture = np.tile(np.array([0.75, 0.72, 0.66], np.float32), (height, width, 1))
    for row in range(height // tall + 1):
        for column in range(-1, width // long + 2):
            top, left = row * tall, column * long + row % 2 * long // 2
            brick = (slice(top + 1, top + tall - 2), slice(max(0, left + 1), max(0, left + long - 2)))
            picture[brick] = np.array([0.62, 0.25, 0.16], np.float32) * rng.uniform(0.7, 1.25)
    return (picture + rng.normal(0, 0.03, picture.shape).astype(np.float32)).clip(0, 1)


def autocorrelation(picture: np.ndarray) -> np.ndarray:
    """Of the gray levels of `[H, W, 3]`, at all shifts down and across by up to a quarter: 1 at none."""
    gray = picture.mean(-1, dtype=np.float64)
    gray, ones = gray - gray.mean(), np.ones(gray.shape)
    wide = [2 * side for side in gray.shape]
    sums, counts = (np.fft.irfft2(np.abs(np.fft.rfft2(each, wide)) ** 2, wide) for each in (gray, ones))
    down, across = gray.shape[0] // 4, gray.shape[1] // 4
    both = [np.concatenate([each[: down + 1, -across:], each[: down + 1, : across + 1]], 1) for each in (sums, counts)]
    return both[0] / both[1] / gray.var()


def _texture(lab: Lab, name: str, source: np.ndarray, representation: str) -> np.ndarray:
    config = jaxstyle.StyleConfig(style_representation=representation, steps=TEXTURE_STEPS)

    def run() -> np.ndarray:
        height, width = source.shape[:2]
        return jaxstyle.texture(source, height=height, width=width, network=_network(), config=config).image

    return lab.cached(f"texture {name} {representation} {TEXTURE_STEPS}", run)


def _local(lab: Lab, style: str, way: str) -> np.ndarray:
    if way == "whole":
        return lab.stylized(CONTENT, style, style_representation="gram").image  # as in the first section
    if way == "found":
        return lab.stylized(CONTENT, style, regions=2).image
    content_mask, style_mask = (_sky(lab, name) for name in (CONTENT, style))

    def run() -> np.ndarray:
        config = jaxstyle.StyleConfig(size=lab.size)
        given: dict[str, Any] = {"network": _network(), "config": config}
        pictures = lab.example(CONTENT), lab.example(style)
        return jaxstyle.stylize(*pictures, content_mask=content_mask, style_mask=style_mask, **given).image

    return lab.cached(f"masks {style} {HORIZONS}", run)


def _sky(lab: Lab, name: str) -> np.ndarray:
    """1 in the sky of an example and 0 below it, `[H, W]`."""
    height, width = lab.example(name).shape[:2]
    mask = np.zeros((height, width), np.float32)
    mask[: round(HORIZONS[name] * height)] = 1
    return mask


def _colors(lab: Lab, picture: np.ndarray, style: str, part: int) -> float:
    """How far the colors of the sky, or of what is below it, are from those of the same part of the style."""
    found, wanted = (
        color_moments(jnp.asarray(each), weights=jnp.asarray(np.abs(_sky(lab, name) - part)))
        for each, name in ((picture, CONTENT), (lab.example(style), style))
    )
    return float(color_distance(found, wanted) ** 0.5)


def _shown(mask: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
    """A mask of two regions, black and white."""
    return np.repeat(resample_masks(mask[:1], *shape[:2]).transpose(1, 2, 0), 3, -1)


@cache
def _network() -> jaxstyle.Network:
    return jaxstyle.load_network("vgg19")
