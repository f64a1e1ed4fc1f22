"""One Gram entry: pictures in which a single entry of a Gram matrix is as large as can be."""

from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax

import jaxstyle
from jaxstyle.images.sheet import add_caption
from jaxstyle.laboratory.maximize import entry_values, maximize_entries
from jaxstyle.stylize import prepare_network
from scripts.paper import ROOT, Lab

PHOTOGRAPHS = ("content/harbour", "content/coffee", "content/cat", "more/rocket")
LAYERS = {"relu2_1": 128, "relu3_1": 256, "relu4_1": 512}  # with their channels
PAIRS, RANDOM = 2, 10
STEPS, PIXEL_STEPS = 100, 80


def make(lab: Lab) -> str:
    network = prepare_network(jaxstyle.load_network())
    found = {layer: lab.cached(layer, partial(_maximized, lab, network, layer)) for layer in LAYERS}
    pixels = lab.cached("pixels", partial(_from_pixels, lab, network, "relu3_1", found["relu3_1"]["entries"][-4:]))
    sheets = "\n\n".join(f"### {layer}\n\n{_sheet(lab, layer, found[layer])}" for layer in LAYERS)
    ratios = [_ratios(layer, found[layer]) for layer in LAYERS]
    header = ["layer", "smallest", "second smallest", "median", "largest", "wanted", "as many reach it"]
    three = found["relu3_1"]
    compared = lab.sheet(
        "pixels",
        [list(three["pictures"][-4:]), list(pixels["pictures"])],
        rows=["waves", "pixels"],
        columns=[_named(entry) for entry in three["entries"][-4:]],
    )
    compared_rows = [
        [f"relu3_1 {_named(entry)}", float(ratio), float(other)]
        for entry, ratio, other in zip(three["entries"][-4:], three["ratios"][-4:], pixels["ratios"], strict=True)
    ]
    return f"""# One entry of a Gram matrix

The paper maximizes a single entry of one of the matrices G_l and finds interesting results. It says no more than
that in its abstract, so the objective and what keeps the result a picture are ours.

## What was done

The entry (i, j) of layer l is the mean over positions of F_i F_j: how strongly two channels answer in the same
places. From one and the same noise, {STEPS} steps of Adam make it grow, in pictures of {lab.size} by {lab.size}
pixels:

    maximize over z:    mean over x of s(c_i(x)) s(c_j(x)),    picture = sigmoid(colors * inverse FFT(z / frequency))

- z are waves, each divided by its frequency, in three decorrelated colors (lightness and two differences). That is
  the parametrization of Olah, Mordvintsev and Schubert, "Feature Visualization" (Distill, 2017). Nothing else keeps
  the result a picture: there is no total variation and no penalty.
- c are the values before the rectifier and s is a softplus, not the rectifier itself, because a channel that the
  noise does not activate anywhere would have no gradient. All values below are of the true entry.
- Every step rolls the picture by a random way, so that borders and the grid of the pooling are of no use. The
  pictures repeat without a seam.

The values are those of the finished pictures in 8 bits, as saved. They are compared with the largest value of the
same entry over four photographs at 256 pixels: {", ".join(PHOTOGRAPHS)} of `examples/`.
The channels were drawn at random, once.

## What is seen

The first two rows are pairs of channels: the diagonal entries of both and, between them, the entry of the pair. Below
them are ten entries drawn at random.

{sheets}

Every entry has a texture of its own, made of one motif that repeats. On relu2_1 these are strokes, scales and dots of
one size, mostly in one direction. On relu3_1 they have a shape: rounded stones with a rough skin (18,88), fans like
palm leaves (5,38), cells (67,168), white spots on red bands (36,36). On relu4_1 they are larger and have parts: curls
(37,177), stones shaded in rows (490,374), flat fields full of dots (22,407), a woven grid (11,76). No entry gives a
thing that one could name with certainty.

Off the diagonal the picture has to please two channels in the same places, and it mixes both motifs: 188,36 has the
spots of 36 and the flat stripes of 188. Often one of the two is hardly seen. Fields of strong color remain where the
noise happened to have them: channels that look for edges do not care what color lies between.

## How large entries become

The ten random entries, times the largest value over the four photographs:

{lab.table(header, ratios)}

{lab.plot("growth", lambda figure: _growth(figure, found))}

Most of it happens in the first 25 steps. A photograph is never one motif at full contrast all over, hence the
hundreds. Where two channels hardly ever meet in photographs, the entry that the picture is compared with is next to
nothing, so that a large ratio says as much about the photographs as about the picture; it is infinite where they never
meet.

## Without the waves

The same entries, from uniform noise, by {PIXEL_STEPS} steps of Adam on the pixels themselves, clipped to [0, 1]:

{compared}

{lab.table(["entry", "waves", "pixels"], compared_rows)}

Without waves the entries become larger, as nothing is in their way. The motifs are the same, so they are the entry's
and not the parametrization's. But they are smaller and more crowded, and their colors fewer and at the limits of the
screen. The waves give up part of the value for a calmer picture that also repeats without a seam.

## With your own network, layers and channels

    jaxstyle gram maximize --layer relu3_1 --entry {_named(three["entries"][1])} -o entry.png
    jaxstyle gram maximize examples/content/*.jpg examples/more/rocket.jpg \\
        --layer relu4_1 --entry 12,40 --entry 12,12 --entry 40,40 -o sheet.png

Pictures that are given are what the entry is compared with. `jaxstyle gram maximize --help` tells of `--size`,
`--steps`, `--seed`, `--network` and `--json`. In Python: `jaxstyle.laboratory.maximize_entries`.
"""


def _maximized(lab: Lab, network: jaxstyle.Network, layer: str) -> dict[str, Any]:
    random, channels = np.random.default_rng(1602), LAYERS[layer]
    pairs = random.integers(channels, size=(PAIRS, 2))
    entries = [entry for i, j in pairs.tolist() for entry in ((i, i), (i, j), (j, j))]
    entries += [(i, j) for i, j in random.integers(channels, size=(RANDOM, 2)).tolist()]
    made = maximize_entries(network, layer, entries, size=lab.size, steps=STEPS)
    return _measured(network, layer, entries, np.asarray(made.pictures)) | {"history": np.asarray(made.history)}


def _measured(
    network: jaxstyle.Network, layer: str, entries: list[tuple[int, int]], pictures: np.ndarray
) -> dict[str, Any]:
    """Pictures in 8 bits with what they reach."""
    levels = np.rint(pictures * 255) / np.float32(255)
    measure = jax.jit(jaxstyle.style_targets, static_argnames="layers")
    photographs = [jaxstyle.read_image(ROOT / f"examples/{name}.jpg", size=256) for name in PHOTOGRAPHS]
    natural = np.max([measure(network.direct(), photo, layers=(layer,))[layer] for photo in photographs], 0)
    largest = np.array([natural[entry] for entry in entries])
    values = np.asarray(entry_values(network.direct(), levels, np.array(entries), layer=layer))
    return {"entries": entries, "pictures": levels, "largest": largest, "ratios": _ratio(values, largest)}


def _ratio(values: np.ndarray, largest: np.ndarray) -> np.ndarray:
    """Infinite where the photographs have nothing."""
    return np.where(largest > 0, values / np.where(largest > 0, largest, 1), np.inf)


def _from_pixels(lab: Lab, network: jaxstyle.Network, layer: str, entries: list[tuple[int, int]]) -> dict[str, Any]:
    adam = optax.adam(0.05)

    @jax.jit
    def step(network: jaxstyle.Network, pictures: jax.Array, memory: Any) -> tuple[jax.Array, Any]:
        def loss(pictures: jax.Array) -> jax.Array:
            features = network.features(pictures, (layer,))[layer]
            values = [jnp.mean(features[n, ..., i] * features[n, ..., j]) for n, (i, j) in enumerate(entries)]
            return -sum(map(jnp.log, values), jnp.zeros(()))

        update, memory = adam.update(jax.grad(loss)(pictures), memory)
        return jnp.clip(pictures + update, 0, 1), memory

    start = np.random.default_rng(0).random((1, lab.size, lab.size, 3), np.float32)
    pictures = jnp.repeat(start, len(entries), 0)
    memory = adam.init(pictures)
    for _ in range(PIXEL_STEPS):
        pictures, memory = step(network, pictures, memory)
    return _measured(network, layer, entries, np.asarray(pictures))


def _sheet(lab: Lab, layer: str, found: dict[str, Any]) -> str:
    """The pairs and the random entries, each picture with its entry and ratio below."""
    words = [f"{_named(entry)}: {ratio:.0f} x" for entry, ratio in zip(found["entries"], found["ratios"], strict=True)]
    pictures = list(map(add_caption, found["pictures"], words))
    pairs, random = pictures[: 3 * PAIRS], pictures[3 * PAIRS :]
    rows = [pairs[at : at + 3] for at in range(0, len(pairs), 3)]
    rows += [random[at : at + RANDOM // 2] for at in (0, RANDOM // 2)]
    return lab.sheet(layer, rows, rows=["pair"] * PAIRS + ["random"] * 2)


def _ratios(layer: str, found: dict[str, Any]) -> list[object]:
    wanted = {"relu2_1": 15, "relu3_1": 60, "relu4_1": 150}[layer]
    ratios = np.sort(found["ratios"][3 * PAIRS :])
    reach = f"{int((ratios >= wanted).sum())} of {len(ratios)}"
    return [layer, float(ratios[0]), float(ratios[1]), float(np.median(ratios)), float(ratios[-1]), wanted, reach]


def _growth(figure: Any, found: dict[str, dict[str, Any]]) -> None:
    axes = figure.subplots(1, len(found), sharey=True)
    for place, (layer, each) in zip(axes, found.items(), strict=True):
        for entry, history, largest in zip(each["entries"], each["history"], each["largest"], strict=True):
            if largest == 0:
                continue
            diagonal = entry[0] == entry[1]
            place.semilogy(history / largest, color="tab:blue" if diagonal else "tab:orange", linewidth=1)
        place.set(title=layer, xlabel="step")
    axes[0].set_ylim(bottom=1e-2)
    axes[0].set_ylabel("times the photographs' largest")
    axes[0].plot([], color="tab:blue", label="diagonal")
    axes[0].plot([], color="tab:orange", label="off the diagonal")
    axes[0].legend()


def _named(entry: tuple[int, int]) -> str:
    return f"{entry[0]},{entry[1]}"
