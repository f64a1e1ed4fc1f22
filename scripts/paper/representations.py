"""Chapter 7: other representations of style, and local style."""

from functools import cache
from typing import Any

import jax.numpy as jnp
import numpy as np

import jaxstyle
from jaxstyle.styles import color_distance, color_moments, find_masks, resample_masks
from scripts.paper import Lab
from scripts.paper.judge import judge

CONTENT, STYLE, OTHER_STYLE = "harbour", "swirls", "embers"
HORIZONS = {"harbour": 0.36, "swirls": 0.62, "embers": 0.69}  # lower end of the sky, as a share of the height
METHODS = {"whole": "the style as a whole", "found": "two regions, found", "masks": "two masks, drawn"}
PAVEMENT = "brick"  # the example's name
TEXTURE_STEPS = 80
HIGH_CONTENT_WEIGHT = 0.5

COMPARED = ("gram", "moments", "shifted", "activation-shift", "neighbors")

PAGE = """# Two new representations of style, and others

The paper proposes two new style representations built on the network's features, and discusses how one of them could
make style transfer local and content-aware. Its abstract does not define them. The second paper by the same authors
(arXiv 1605.04603) tries more.

**Method.** A representation maps the features F of every style layer to one or several matrices. The style loss of a
layer is the distance between the matrices of the picture and those of the style, relative to the style, for every
representation. Of those in `jaxstyle/styles/representations.py`, these five are compared:

| name | definition | source |
| --- | --- | --- |
| `gram` | G_ij = mean of F_i(x) F_j(x) | Gatys et al. |
| `moments` | mean and standard deviation of each F_i | Li et al., arXiv 1701.01036 |
| `shifted` | G_dij = mean of (F_i(x) - m_i)(F_j(x + d) - m_j), m_i the mean of F_i | our reading of the first new one |
| `activation-shift` | G_ij = mean of (F_i(x) + s)(F_j(x) + s), s = -(the mean of all of F) | arXiv 1605.04603 |
| `neighbors` | G_ij = mean of F_i(x) H_j(x), H the previous style layer | arXiv 1605.04603 |

The idea of `shifted` is from Berger and Memisevic (arXiv 1606.01286). These details are ours:

- The shifts d of `shifted` are 0, 2, 4 and 8 positions of the layer, to the right and down. Its means are subtracted,
  because they are the same for all shifts and hide everything else: in the layers of the wall below they make up 0.8 to
  0.97 of the Gram matrix.
- The shift s of `activation-shift` is in units of the mean activation. In the second paper s is -1, for activations of
  about that size.
- `neighbors` averages the finer layer over the positions of the coarser one.
- Regions, below, are our reading of the second new representation: any of them, measured in each region of the
  picture separately.

## One pair

All results have {size} pixels and the default settings.

```sh
jaxstyle stylize CONTENT STYLE -o out.png --style-representation shifted
```

{pair}

The table gives the square root of the style loss in the representation itself, before the first step and after the
last. The other columns are distances measured with VGG-19: |F - P| / |P| at relu4_2 for the content, the mean of
|G - A| / |A| over the Gram matrices of the five style layers, and the square root of the distance of the colors.

{pair_numbers}

Four of the five give nearly the same picture: the blues and yellows of the painting, its strokes, and a swirl or a lamp
where the photograph has a dark edge. At this size, and with a separate color term, the shift of activations and the
neighboring layers make no visible difference. The two numbers per channel of `moments` work as well as a Gram matrix.

`shifted` is different. It paints stars into the sky, dark hills below them, and lights on the water at the bottom: the
layout of the painting. The boats and most of the photograph are gone, and the content distance is the largest. A shift
of 8 positions in a deep layer reaches across a picture of this size, so the style nearly determines the painting
itself. With a content weight of {high_content_weight}, five times the default, the boats return, and the layout is
again that of the photograph.

## Regular textures

The textures are made from pink noise without content. Their sources are a brick wall, drawn for this page, and a
photograph of a pavement.

```sh
jaxstyle texture WALL -o texture.png --style-representation shifted --steps {steps}
```

{textures}

The autocorrelation of the gray levels measures regularity: it is near 1 for shifts that move bricks onto bricks. The
table compares the autocorrelations of source and texture, for all shifts of up to a quarter of the picture: the root
mean square difference (0 if equal) and the correlation coefficient (1 if equal).

{texture_numbers}

Gram matrices give bricks of all sizes, in rows that begin and end anywhere, with areas of mortar between them. So do
`moments`, `activation-shift` and `neighbors`. With `shifted`, the rows run through the whole picture, and their number
is that of the wall. The ends of the bricks within a row are right less often. The rows of the pavement run from top to
bottom as well, though less cleanly: there are colored specks in the joints, and some bricks have an extra joint. The
table agrees: the autocorrelation with `shifted` is closer to that of the source, and rises and falls where that of the
source does. In a blind comparison of `gram` and `shifted` with the source, one viewer chose `shifted` both times,
clearly for the wall and slightly for the pavement.

## Local style

A mask assigns each position to one of K regions. The representation is measured in each region, with the mask as
weights, resampled to the positions of each layer. Region k of the picture is compared with region k of the style:
E = sum over k of s_k |G_k - A_k|^2 / |A_k|^2, where s_k is the share of region k in the content. Color statistics and
the initial picture are local in the same way.

The user can provide masks, as pictures of flat colors. Otherwise, `--regions 2` computes them by soft k-means
clustering. It clusters the positions of both pictures together by their features at relu4_2, at 256 pixels. The
features are blurred, centered in each picture and scaled to length 1. A region that hardly occurs in the style uses the
statistics of the whole style.

```sh
jaxstyle stylize CONTENT STYLE -o out.png --regions 2
jaxstyle stylize CONTENT STYLE -o out.png --content-mask SKY.png --style-mask SKY_OF_STYLE.png
```

{local}

The table gives the square root of the distance between the color distributions of result and style, in the sky and
below it. Both regions are those of the drawn masks, for all results.

{local_numbers}

With the style as a whole, bright areas take the colors of bright areas: the pale sky of the photograph gets the pale
yellow of the stars, and the dark water gets dark blue. With regions, the sky is a blue night with stars. The lamps are
gone from the houses, and the hull and the roofs have the broken yellow of the lights on the water. With the sunset as
the style, the land changes from the red of the sky to the purple of the hills.

In all four rows, the colors are closer to those of the corresponding region of the style, both with computed regions
and with masks. Masks are best, as expected of a measure that uses the same masks. Computed regions can be wrong: the
sky was one region in the photograph and in the night, but an upper corner of the sunset's sky was assigned to the
hills, and red stayed on the land. The drawn masks end in a straight line, which runs through the hills of the results.
"""


def make(lab: Lab) -> str:
    """Return the page."""
    pair, pair_numbers = compare_on_one_pair(lab)
    textures, texture_numbers = compare_textures(lab)
    local, local_numbers = compare_local_styles(lab)
    return PAGE.format(
        size=lab.size,
        steps=TEXTURE_STEPS,
        high_content_weight=HIGH_CONTENT_WEIGHT,
        pair=pair,
        pair_numbers=pair_numbers,
        textures=textures,
        texture_numbers=texture_numbers,
        local=local,
        local_numbers=local_numbers,
    )


def compare_on_one_pair(lab: Lab) -> tuple[str, str]:
    """Stylize one pair with every representation: a sheet, and the distances from content and style."""
    content, style = lab.example(CONTENT), lab.example(STYLE)
    runs = {name: lab.stylized(CONTENT, STYLE, style_representation=name) for name in COMPARED}
    high_weight = lab.stylized(CONTENT, STYLE, style_representation="shifted", content_weight=HIGH_CONTENT_WEIGHT)
    runs |= {f"shifted, content weight {HIGH_CONTENT_WEIGHT}": high_weight}
    rows = []
    for name, run in runs.items():
        judgment = judge(run.image, content, style)
        losses = [f"{loss**0.5:.3f}" for loss in run.history.style[[0, -1]]]
        rows.append([name, *losses, *(f"{value:.3f}" for value in (judgment.content, judgment.style, judgment.color))])
    pictures = [[content, style, *(run.image for run in runs.values())]]
    header = ["representation", "first style loss", "last style loss", "content", "style (Gram)", "color"]
    return lab.sheet("pair", pictures, columns=["content", "style", *runs]), lab.table(header, rows)


def compare_textures(lab: Lab) -> tuple[str, str]:
    """Make textures of regular sources: a sheet, and comparisons of the autocorrelations."""
    sources = {"wall": brick_wall(lab.size * 3 // 4, lab.size), "pavement": lab.example(PAVEMENT)}
    representations = {"wall": COMPARED, "pavement": ("gram", "shifted")}
    pictures: list[list[np.ndarray | None]] = []
    rows = []
    for source, picture in sources.items():
        textures = {name: _texture(lab, source, picture, name) for name in representations[source]}
        pictures.append([picture, *map(textures.get, COMPARED)])
        expected = autocorrelation(picture)
        results = {name: autocorrelation(texture) for name, texture in textures.items()}
        differences = {name: np.sqrt(np.mean((result - expected) ** 2)) for name, result in results.items()}
        correlations = {name: np.corrcoef(result.ravel(), expected.ravel())[0, 1] for name, result in results.items()}
        for measure, numbers in (("difference", differences), ("correlation", correlations)):
            cells = [f"{numbers[name]:.2f}" if name in numbers else "" for name in COMPARED]
            rows.append([f"{source}, {measure}", *cells])
    return (
        lab.sheet("textures", pictures, list(sources), ["source", *COMPARED]),
        lab.table(["autocorrelation", *COMPARED], rows),
    )


def compare_local_styles(lab: Lab) -> tuple[str, str]:
    """Stylize with computed regions and with masks: a sheet, and color distances in each region."""
    pictures, rows = [], []
    for style in (STYLE, OTHER_STYLE):
        results = {method: _stylize_locally(lab, style, method) for method in METHODS}
        masks = find_masks(_network(), lab.example(CONTENT), [lab.example(style)], 2)
        mask_pictures = [_mask_picture(mask, lab.example(CONTENT).shape) for mask in (masks.content, *masks.styles)]
        pictures.append([lab.example(CONTENT), lab.example(style), *mask_pictures, *results.values()])
        for region, region_name in enumerate(("sky", "below it")):
            distances = [_color_distance(lab, result, style, region) for result in results.values()]
            rows.append([f"{region_name}, {style}", *(f"{value:.3f}" for value in distances)])
    titles = ["content", "style", "regions found", "in the style", *METHODS.values()]
    return lab.sheet("local", pictures, columns=titles), lab.table(["color distance", *METHODS.values()], rows)


def brick_wall(height: int, width: int) -> np.ndarray:
    """Draw rows of bricks in varying reds with light mortar, `[height, width, 3]`."""
    rng = np.random.default_rng(0)
    brick_height, brick_width = width // 8, width // 4
    picture = np.tile(np.array([0.75, 0.72, 0.66], np.float32), (height, width, 1))
    for row in range(height // brick_height + 1):
        for column in range(-1, width // brick_width + 2):
            top, left = row * brick_height, column * brick_width + row % 2 * brick_width // 2
            rows = slice(top + 1, top + brick_height - 2)
            columns = slice(max(0, left + 1), max(0, left + brick_width - 2))
            picture[rows, columns] = np.array([0.62, 0.25, 0.16], np.float32) * rng.uniform(0.7, 1.25)
    return (picture + rng.normal(0, 0.03, picture.shape).astype(np.float32)).clip(0, 1)


def autocorrelation(picture: np.ndarray) -> np.ndarray:
    """The autocorrelation of the gray levels of `[H, W, 3]`, for shifts down and across by up to a quarter.

    It is 1 for shift 0.
    """
    gray = picture.mean(-1, dtype=np.float64)
    gray, ones = gray - gray.mean(), np.ones(gray.shape)
    padded_shape = [2 * side for side in gray.shape]
    sums, counts = (
        np.fft.irfft2(np.abs(np.fft.rfft2(values, padded_shape)) ** 2, padded_shape) for values in (gray, ones)
    )
    down, across = gray.shape[0] // 4, gray.shape[1] // 4

    def crop(values: np.ndarray) -> np.ndarray:
        return np.concatenate([values[: down + 1, -across:], values[: down + 1, : across + 1]], 1)

    return crop(sums) / crop(counts) / gray.var()


def _texture(lab: Lab, name: str, source: np.ndarray, representation: str) -> np.ndarray:
    config = jaxstyle.StyleConfig(style_representation=representation, steps=TEXTURE_STEPS)

    def run() -> np.ndarray:
        height, width = source.shape[:2]
        return jaxstyle.texture(source, height=height, width=width, network=_network(), config=config).image

    return lab.cached(f"texture {name} {representation} {TEXTURE_STEPS}", run)


def _stylize_locally(lab: Lab, style: str, method: str) -> np.ndarray:
    if method == "whole":
        return lab.stylized(CONTENT, style, style_representation="gram").image  # cached by the first section
    if method == "found":
        return lab.stylized(CONTENT, style, regions=2).image
    content_mask, style_mask = (_sky_mask(lab, name) for name in (CONTENT, style))

    def run() -> np.ndarray:
        options: dict[str, Any] = {"network": _network(), "config": jaxstyle.StyleConfig(size=lab.size)}
        pictures = lab.example(CONTENT), lab.example(style)
        return jaxstyle.stylize(*pictures, content_mask=content_mask, style_mask=style_mask, **options).image

    return lab.cached(f"masks {style} {HORIZONS}", run)


def _sky_mask(lab: Lab, name: str) -> np.ndarray:
    """A mask of an example, `[H, W]`: 1 in the sky and 0 below it."""
    height, width = lab.example(name).shape[:2]
    mask = np.zeros((height, width), np.float32)
    mask[: round(HORIZONS[name] * height)] = 1
    return mask


def _color_distance(lab: Lab, picture: np.ndarray, style: str, region: int) -> float:
    """The distance between the colors of result and style in the sky (region 0) or below it (region 1)."""
    result_moments, style_moments = (
        color_moments(jnp.asarray(colors), weights=jnp.asarray(np.abs(_sky_mask(lab, name) - region)))
        for colors, name in ((picture, CONTENT), (lab.example(style), style))
    )
    return float(color_distance(result_moments, style_moments) ** 0.5)


def _mask_picture(mask: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
    """A mask of two regions as a black and white picture."""
    return np.repeat(resample_masks(mask[:1], *shape[:2]).transpose(1, 2, 0), 3, -1)


@cache
def _network() -> jaxstyle.Network:
    return jaxstyle.load_network("vgg19")
