"""Chapter 6: synthetic Gram matrices with the sparsity and the entry distribution of a painting's."""

from dataclasses import replace
from functools import partial
from typing import Any

import numpy as np

import jaxstyle
from jaxstyle.laboratory import (
    SAMPLERS,
    draw_heat_map,
    eigenvalues,
    entry_histogram,
    sample_style,
    sort_by_energy,
    summarize_gram,
)
from jaxstyle.optimization import prepare_network
from scripts.paper import Lab

PAINTING, OTHERS = "swirls", ("facets", "embers", "harbour", "coffee", "cat")
STRENGTHS = (0.2, 1.0)
STEPS, LONG_STEPS = 60, 300
LAYER = "relu3_1"  # whose matrices are drawn

PAGE = """# Synthetic Gram matrices

The paper mimics the sparsity and the intensity distribution of Gram matrices of a real painting, and generates more
complex textures from them. Its abstract does not say how the matrices are sampled. The three samplers below are ours.

**Method.** Gram matrices of rectified features are symmetric, positive semidefinite and have no negative entries. We
measure the Gram matrices G of `examples/style/{painting}.jpg`, and sample matrices S with the same three properties.
From a sample we make a texture of {size} by {height} pixels, with {steps} steps from noise, without total variation,
and with the color statistics of the painting. The mixtures (1 - t) G + t S also have the three properties; t is the
strength of the sample.

- **permuted**: S = P G P^T with a random permutation P of the channels of a layer. Entries and eigenvalues are exactly
  those of G.
- **shuffled**: the entries of G are shuffled, on and off the diagonal separately. The result is not positive
  semidefinite. Two projections therefore alternate 15 times: negative eigenvalues are dropped, and the k-th largest
  entry is replaced by the k-th largest entry of G. Finally, a multiple of the identity makes the matrix positive
  semidefinite.
- **spectral**: the largest eigenvalue is that of G. The others are drawn from those of G with replacement and scaled to
  the same sum. The first eigenvector is permuted, the others are random directions. Negative entries are projected
  away.

Each layer is sampled independently. All sizes of a style use the same random draws.

```sh
jaxstyle gram show PAINTING -o gram.png
jaxstyle gram sample PAINTING -o sampled.safetensors --sampler permuted --strength 0.2 --seed 0 --size {size}
jaxstyle texture sampled.safetensors -o texture.png --size {size}
```

## Gram matrices of the painting

{summary}

Sparsity is the share of entries below a hundredth of the mean entry. The effective rank is the exponential of the
entropy of the normalized eigenvalues. The last column is the largest eigenvalue as a share of their sum.

## Samples of {layer}

Channels are sorted by energy. Colors are on a log scale of four decades.

{heat_maps}

{curves}

The table compares the samples with the painting. The distance between two sorted lists of numbers, entries or
eigenvalues, is |x - y| / |y|.

{comparison}

The permuted samples preserve entries and eigenvalues exactly. The others preserve the entries within 3 to 14 %. The
shuffled samples change the eigenvalues: these are more even, with up to nearly five times the effective rank. The
spectral samples preserve the eigenvalues within 15 %.

## Textures

{sheets}

The rows of the first sheet are the samplers. The second sheet has the texture of the painting's own Gram matrices, and
textures of second-generation styles ("again"): each is measured from the strength 1 texture above, and its texture is
made from another seed with {long_steps} steps.

At strength 0.2, the suns, strokes and colors are those of the painting, under a fine weave that the painting does not
have. At strength 1, only the palette is left: dark blue shards, hatched and dotted with single pixels, with patches of
scales and stray green and red. No painting looks like this. The three samplers give similar pictures from the same
noise. The textures are more complex in that no motif dominates.

## Distances

All distances are means over the five layers. "To the target" is |G - A| / |A| for the Gram matrices G of the texture
and the target A. "From the painting" is |A - B| / |A| for the Gram matrices B of the painting. "From real pictures" is
the same for the nearest of {others}.

{distances}

A sample of strength 1 cannot be reached. Its distance from the matrices of every real picture is more than 0.9, and the
texture stays nearly as far from it. The channels of a network are not interchangeable: some respond strongly to every
edge, others hardly to anything. Layers depend on each other, so matrices that are sampled layer by layer contradict
each other, even though each has all three properties. These properties are necessary, but far from sufficient. For
mixtures, the texture follows the target up to a distance that grows with the strength.

The second-generation styles are feasible by construction, and far from the painting and from every other picture here.
From another seed and with {long_steps} steps, textures come much closer to them, and look like the textures that they
were measured from. So sampling leads to a style that no picture had. But this style comes from the optimization, which
projects the sample onto Gram matrices of a picture, and not from the sampler.
"""


def make(lab: Lab) -> str:
    """Return the page."""
    network = prepare_network(jaxstyle.load_network())
    config = replace(jaxstyle.StyleConfig(), size=lab.size, grain_weight=0.0, steps=STEPS)

    def measure(picture: np.ndarray) -> jaxstyle.Style:
        return jaxstyle.measure_style(picture, network=network, config=config)

    def texture(key: str, style: jaxstyle.Style, *, steps: int = STEPS, seed: int = 0) -> np.ndarray:
        def run() -> np.ndarray:
            options: dict[str, Any] = {"config": replace(config, steps=steps), "network": network, "seed": seed}
            result = jaxstyle.texture(style, height=3 * lab.size // 4, width=lab.size, **options)
            return np.rint(result.image * 255) / np.float32(255)

        return lab.cached(f"texture {key} {steps}", run)

    painting = measure(lab.example(PAINTING))
    targets = {"the painting": painting} | {
        f"{sampler}, {strength:g}": lab.cached(
            f"sample {sampler} {strength}", partial(sample_style, painting, sampler, strength=strength)
        )
        for strength in STRENGTHS
        for sampler in SAMPLERS
    }
    textures = {name: texture(name, style) for name, style in targets.items()}
    styles = {name: measure(picture) for name, picture in textures.items()}
    # The style of a texture is feasible, because a picture has it.
    second_targets = {f"the texture of {sampler}, 1": styles[f"{sampler}, 1"] for sampler in SAMPLERS}
    second_textures = {name: texture(name, style, steps=LONG_STEPS, seed=1) for name, style in second_targets.items()}
    targets |= second_targets
    styles |= {name: measure(picture) for name, picture in second_textures.items()}
    real = [measure(lab.example(name)) for name in OTHERS]
    distances = [
        [
            name,
            _distance(styles[name], target),
            _distance(painting, target),
            min(_distance(other, target) for other in real),
        ]
        for name, target in targets.items()
    ]
    rows = [[textures[f"{sampler}, {strength:g}"] for strength in STRENGTHS] for sampler in SAMPLERS]
    second_row = [textures["the painting"], *second_textures.values()]
    second_titles = ["the painting's texture", *(f"{name}, again" for name in SAMPLERS)]
    full_samples = {"painting": painting} | {sampler: targets[f"{sampler}, 1"] for sampler in SAMPLERS}
    matrices = {name: _gram_matrices(style) for name, style in full_samples.items()}
    return PAGE.format(
        painting=PAINTING,
        size=lab.size,
        height=3 * lab.size // 4,
        steps=STEPS,
        long_steps=LONG_STEPS,
        layer=LAYER,
        others=", ".join(OTHERS),
        summary=lab.table(
            ["layer", "mean", "sparsity", "dead channels", "effective rank", "largest eigenvalue"],
            [[layer, *vars(summarize_gram(gram)).values()] for layer, gram in matrices["painting"].items()],
        ),
        heat_maps=lab.sheet(
            "matrices",
            [[draw_heat_map(sort_by_energy(grams[LAYER]), 192) for grams in matrices.values()]],
            columns=list(matrices),
        ),
        curves=lab.plot("curves", lambda figure: _plot_curves(figure, matrices)),
        comparison=lab.table(
            ["sampler", "layer", "entries", "eigenvalues", "sparsity", "effective rank"],
            [
                [name, layer, *_compare(grams[layer], matrices["painting"][layer])]
                for name, grams in matrices.items()
                if name != "painting"
                for layer in grams
            ],
        ),
        sheets="\n\n".join(
            [
                lab.sheet("textures", rows, rows=list(SAMPLERS), columns=[f"strength {t:g}" for t in STRENGTHS]),
                lab.sheet("again", [second_row], columns=second_titles),
            ]
        ),
        distances=lab.table(["target", "to the target", "from the painting", "from real pictures"], distances),
    )


def _gram_matrices(style: jaxstyle.Style) -> dict[str, np.ndarray]:
    """The Gram matrices at the largest size."""
    return {layer: np.asarray(gram, np.float64) for layer, gram in style.statistics[-1].measured.items()}


def _distance(style: jaxstyle.Style, target: jaxstyle.Style) -> float:
    """The mean over layers of |G - A| / |A|, the square roots of the relative losses."""
    pairs = zip(_gram_matrices(style).values(), _gram_matrices(target).values(), strict=True)
    return float(np.mean([_relative_distance(gram, target_gram) for gram, target_gram in pairs]))


def _relative_distance(values: np.ndarray, reference: np.ndarray) -> float:
    return float(np.linalg.norm(values - reference) / np.linalg.norm(reference))


def _compare(gram: np.ndarray, real: np.ndarray) -> list[float]:
    entries = _relative_distance(np.sort(gram, None), np.sort(real, None))
    summary = summarize_gram(gram)
    spectra = _relative_distance(eigenvalues(gram), eigenvalues(real))
    return [entries, spectra, summary.sparsity, summary.effective_rank]


def _plot_curves(figure: Any, matrices: dict[str, dict[str, np.ndarray]]) -> None:
    spectrum_axes, entry_axes = figure.subplots(1, 2)
    for name, grams in matrices.items():
        spectrum_axes.semilogy(eigenvalues(grams[LAYER]) / np.trace(grams[LAYER]), label=name)
        entry_axes.plot(np.linspace(-4, 0, 40), entry_histogram(grams[LAYER]), label=name)
    spectrum_axes.set(title=f"eigenvalues of {LAYER}", xlabel="rank", ylabel="share of their sum", ylim=(1e-7, 1))
    entry_axes.set(title=f"entries of {LAYER}", xlabel="logarithm, below the largest", ylabel="share of the entries")
    spectrum_axes.legend()
