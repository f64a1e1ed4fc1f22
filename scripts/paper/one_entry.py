"""Chapter 5: pictures that maximize one entry of a Gram matrix."""

from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax

import jaxstyle
from jaxstyle.images import add_caption
from jaxstyle.laboratory import entry_values, maximize_entries
from jaxstyle.optimization import prepare_network
from scripts.paper import ROOT, Lab

PHOTOGRAPHS = ("content/harbour", "content/coffee", "content/cat", "more/rocket")
LAYERS = {"relu2_1": 128, "relu3_1": 256, "relu4_1": 512}  # with their numbers of channels
THRESHOLDS = {"relu2_1": 15, "relu3_1": 60, "relu4_1": 150}  # of the ratio to the photographs
PAIRS, RANDOM_ENTRIES = 2, 10
COMPARED_ENTRIES = 4  # the last random entries of relu3_1 are also optimized in pixels
STEPS, PIXEL_STEPS = 100, 80

PAGE = """# One entry of a Gram matrix

The paper generates pictures by maximizing a single entry of one of the Gram matrices G_l. Its abstract does not give
the objective or the regularization, so both are ours.

## Method

The entry (i, j) of layer l is the mean over positions of F_i F_j. It is large if two channels are active at the same
positions. Each picture has {size} by {size} pixels. Starting from the same noise, {steps} steps of Adam maximize the
entry:

    maximize over z:    mean over x of s(c_i(x)) s(c_j(x)),    picture = sigmoid(colors * inverse FFT(z / frequency))

- z are Fourier coefficients ("waves"), divided by their frequency, in three decorrelated colors (lightness and two
  color differences). This is the parametrization of Olah, Mordvintsev and Schubert, "Feature Visualization" (Distill,
  2017). There is no other regularization: no total variation and no penalty.
- c are the values before the rectifier. s is a softplus instead of the rectifier, because a channel that is inactive
  everywhere in the noise would have no gradient. All values below are those of the actual entry, with the rectifier.
- Every step shifts the picture circularly by a random offset, so that the result does not depend on the borders or on
  the grid of the pooling. The pictures tile without a seam.

The values are measured in the final pictures, in 8 bits as saved. They are compared with the largest value of the same
entry in four photographs at 256 pixels: {photographs} of `examples/`. The channels were drawn at random, once.

## Results

The first two rows are pairs of channels: the diagonal entries of both channels, and between them the entry of the pair.
The rows below are ten random entries. The captions give the entry and the ratio of its value to the photographs.

{sheets}

Every entry has its own texture, made of one repeated motif. On relu2_1 the motifs are strokes, scales and dots of one
size, mostly in one direction. On relu3_1 they have shapes: rounded stones with a rough surface (18,88), fans like palm
leaves (5,38), cells (67,168), white spots on red bands (36,36). On relu4_1 they are larger and more complex: curls
(37,177), stones shaded in rows (490,374), flat areas full of dots (22,407), a woven grid (11,76). No entry shows an
object that one could name with certainty.

The picture of an off-diagonal entry has to excite two channels at the same positions, and mixes both motifs: 188,36 has
the spots of 36 and the flat stripes of 188. Often one of the two is hardly visible. Areas of strong color remain where
the noise happened to have them, because channels that detect edges do not respond to the color between edges.

## Values of the entries

The values of the ten random entries, relative to the largest value in the four photographs. The last two columns count
the entries that reach a threshold, which we chose for each layer.

{ratios}

{growth}

Most of the growth happens in the first 25 steps. Photographs never repeat one motif at full contrast everywhere, which
explains ratios in the hundreds. If two channels are rarely active together in photographs, the reference value is
almost 0. A large ratio then says as much about the photographs as about the picture. The ratio is infinite if the two
channels are never active together in the photographs.

## Optimization of pixels

The same entries, optimized directly in the pixels from uniform noise, with {pixel_steps} steps of Adam and clipping
to [0, 1]:

{pixels}

{pixel_ratios}

The entries become larger than with the Fourier coefficients ("waves"), because the pixels are less constrained. The
motifs are the same, so they belong to the entry and not to the parametrization. But they are smaller and more crowded,
with fewer and more saturated colors. The Fourier parametrization gives up some of the value for a calmer picture that
also tiles without a seam.

## Other networks, layers and channels

```sh
jaxstyle gram maximize --layer relu3_1 --entry {example} -o entry.png
jaxstyle gram maximize examples/content/*.jpg examples/more/rocket.jpg \\
    --layer relu4_1 --entry 12,40 --entry 12,12 --entry 40,40 -o sheet.png
```

The command compares the entries with those of the given pictures. `jaxstyle gram maximize --help` describes `--size`,
`--steps`, `--seed`, `--network` and `--json`. The Python function is `jaxstyle.laboratory.maximize_entries`.
"""


def make(lab: Lab) -> str:
    """Return the page."""
    network = prepare_network(jaxstyle.load_network())
    results = {layer: lab.cached(layer, partial(_maximize, lab, network, layer)) for layer in LAYERS}
    relu3_1 = results["relu3_1"]
    compared = relu3_1["entries"][-COMPARED_ENTRIES:]
    pixels = lab.cached("pixels", partial(_maximize_pixels, lab, network, "relu3_1", compared))
    return PAGE.format(
        size=lab.size,
        steps=STEPS,
        pixel_steps=PIXEL_STEPS,
        photographs=", ".join(PHOTOGRAPHS),
        sheets="\n\n".join(f"### {layer}\n\n{_sheet(lab, layer, result)}" for layer, result in results.items()),
        ratios=lab.table(
            ["layer", "smallest", "second smallest", "median", "largest", "threshold", "reach the threshold"],
            [_ratio_row(layer, result) for layer, result in results.items()],
        ),
        growth=lab.plot("growth", lambda figure: _plot_growth(figure, results)),
        pixels=lab.sheet(
            "pixels",
            [list(relu3_1["pictures"][-COMPARED_ENTRIES:]), list(pixels["pictures"])],
            rows=["waves", "pixels"],
            columns=[_entry_name(entry) for entry in compared],
        ),
        pixel_ratios=lab.table(
            ["entry", "waves", "pixels"],
            [
                [f"relu3_1 {_entry_name(entry)}", float(wave_ratio), float(pixel_ratio)]
                for entry, wave_ratio, pixel_ratio in zip(
                    compared, relu3_1["ratios"][-COMPARED_ENTRIES:], pixels["ratios"], strict=True
                )
            ],
        ),
        example=_entry_name(relu3_1["entries"][1]),
    )


def _maximize(lab: Lab, network: jaxstyle.Network, layer: str) -> dict[str, Any]:
    random, channels = np.random.default_rng(1602), LAYERS[layer]
    pairs = random.integers(channels, size=(PAIRS, 2))
    entries = [entry for i, j in pairs.tolist() for entry in ((i, i), (i, j), (j, j))]
    entries += [(i, j) for i, j in random.integers(channels, size=(RANDOM_ENTRIES, 2)).tolist()]
    result = maximize_entries(network, layer, entries, size=lab.size, steps=STEPS)
    return _measure(network, layer, entries, np.asarray(result.pictures)) | {"history": np.asarray(result.history)}


def _measure(
    network: jaxstyle.Network, layer: str, entries: list[tuple[int, int]], pictures: np.ndarray
) -> dict[str, Any]:
    """Round the pictures to 8 bits, and compare their entries with those of the photographs."""
    rounded = np.rint(pictures * 255) / np.float32(255)
    gram_matrices = jax.jit(jaxstyle.style_targets, static_argnames="layers")
    photographs = [jaxstyle.read_image(ROOT / f"examples/{name}.jpg", size=256) for name in PHOTOGRAPHS]
    natural = np.max([gram_matrices(network.direct(), photo, layers=(layer,))[layer] for photo in photographs], 0)
    largest = np.array([natural[entry] for entry in entries])
    values = np.asarray(entry_values(network.direct(), rounded, np.array(entries), layer=layer))
    return {"entries": entries, "pictures": rounded, "largest": largest, "ratios": _ratios(values, largest)}


def _ratios(values: np.ndarray, largest: np.ndarray) -> np.ndarray:
    """Values relative to the largest in the photographs; infinite if that is 0."""
    return np.where(largest > 0, values / np.where(largest > 0, largest, 1), np.inf)


def _maximize_pixels(lab: Lab, network: jaxstyle.Network, layer: str, entries: list[tuple[int, int]]) -> dict[str, Any]:
    adam = optax.adam(0.05)

    @jax.jit
    def step(network: jaxstyle.Network, pictures: jax.Array, adam_state: Any) -> tuple[jax.Array, Any]:
        def loss(pictures: jax.Array) -> jax.Array:
            features = network.features(pictures, (layer,))[layer]
            values = [jnp.mean(features[n, ..., i] * features[n, ..., j]) for n, (i, j) in enumerate(entries)]
            return -sum(map(jnp.log, values), jnp.zeros(()))

        update, adam_state = adam.update(jax.grad(loss)(pictures), adam_state)
        return jnp.clip(pictures + update, 0, 1), adam_state

    noise = np.random.default_rng(0).random((1, lab.size, lab.size, 3), np.float32)
    pictures = jnp.repeat(noise, len(entries), 0)
    adam_state = adam.init(pictures)
    for _ in range(PIXEL_STEPS):
        pictures, adam_state = step(network, pictures, adam_state)
    return _measure(network, layer, entries, np.asarray(pictures))


def _sheet(lab: Lab, layer: str, result: dict[str, Any]) -> str:
    """Save a sheet of the pairs and the random entries, with the entry and its ratio below each picture."""
    captions = [
        f"{_entry_name(entry)}: {ratio:.0f} x" for entry, ratio in zip(result["entries"], result["ratios"], strict=True)
    ]
    pictures = list(map(add_caption, result["pictures"], captions))
    pairs, random = pictures[: 3 * PAIRS], pictures[3 * PAIRS :]
    rows = [pairs[i : i + 3] for i in range(0, len(pairs), 3)]
    rows += [random[i : i + RANDOM_ENTRIES // 2] for i in (0, RANDOM_ENTRIES // 2)]
    return lab.sheet(layer, rows, rows=["pair"] * PAIRS + ["random"] * 2)


def _ratio_row(layer: str, result: dict[str, Any]) -> list[object]:
    threshold = THRESHOLDS[layer]
    ratios = np.sort(result["ratios"][3 * PAIRS :])
    count = f"{int((ratios >= threshold).sum())} of {len(ratios)}"
    return [layer, float(ratios[0]), float(ratios[1]), float(np.median(ratios)), float(ratios[-1]), threshold, count]


def _plot_growth(figure: Any, results: dict[str, dict[str, Any]]) -> None:
    all_axes = figure.subplots(1, len(results), sharey=True)
    for axes, (layer, result) in zip(all_axes, results.items(), strict=True):
        for entry, history, largest in zip(result["entries"], result["history"], result["largest"], strict=True):
            if largest == 0:
                continue
            is_diagonal = entry[0] == entry[1]
            axes.semilogy(history / largest, color="tab:blue" if is_diagonal else "tab:orange", linewidth=1)
        axes.set(title=layer, xlabel="step")
    all_axes[0].set_ylim(bottom=1e-2)
    all_axes[0].set_ylabel("times the photographs' largest")
    all_axes[0].plot([], color="tab:blue", label="diagonal")
    all_axes[0].plot([], color="tab:orange", label="off the diagonal")
    all_axes[0].legend()


def _entry_name(entry: tuple[int, int]) -> str:
    return f"{entry[0]},{entry[1]}"
