"""Chapter 6: Gram matrices that no picture had, with the sparsity and the intensities of a painting's."""

from dataclasses import replace
from functools import partial
from typing import Any

import numpy as np

import jaxstyle
from jaxstyle.laboratory import describe
from jaxstyle.laboratory.describe import by_energy, heat_map, intensities, spectrum
from jaxstyle.laboratory.synthetic import SAMPLERS, sample_style
from jaxstyle.stylize import prepare_network
from scripts.paper import Lab

PAINTING, OTHERS = "swirls", ("facets", "embers", "harbour", "coffee", "cat")
STRENGTHS = (0.2, 1.0)
STEPS, LONG = 60, 300
SHOWN = "relu3_1"

PAGE = """# Synthetic Gram matrices

The paper mimics the sparsity and the distribution of intensities of a real painting's Gram matrices, and generates more
complex textures from such matrices. How it sampled is not in its abstract; the three ways below are ours.

**What we did.** Gram matrices of rectified features are symmetric, positive semidefinite and nowhere negative. We
measure those of `examples/style/{painting}.jpg`, sample others S that have these three properties too, and make a
texture of {size} by {height} pixels from noise with {steps} steps, without total variation, keeping the painting's
colors. On the way from G to S, the mixtures (1 - t) G + t S have the properties as well; t is the strength.

- **permuted**: S = P G P^T with a random permutation P of a layer's channels. Entries and eigenvalues are exactly G's.
- **shuffled**: the entries of G in random places, those of the diagonal on the diagonal. That is no longer positive
  semidefinite, so two projections take turns, 15 times: negative eigenvalues are dropped, and the k-th largest entry
  gets the value of the k-th largest entry of G. What is then missing is added to the diagonal.
- **spectral**: the first eigenvalue stays, the others are drawn again from G's own with replacement and scaled to the
  same sum. The first eigenvector is permuted, the others are random directions. Negative entries are projected away.

Every layer is sampled by itself, and all sizes of a style in the same way.

```sh
jaxstyle gram show PAINTING -o gram.png
jaxstyle gram sample PAINTING -o sampled.safetensors --sampler permuted --strength 0.2 --seed 0 --size {size}
jaxstyle texture sampled.safetensors -o texture.png --size {size}
```

## The painting's matrices

{described}

Sparsity is the share of entries below a hundredth of the mean entry, the effective rank is the exponential of the
eigenvalues' entropy, and the first is the largest eigenvalue's share of their sum.

## The samples of {shown}

Channels are in the order of their energy, colors are logarithms over four decades.

{heat}

{curves}

{alike}

Two rows of sorted numbers are compared by their distance |x - y| / |y|.

Permuting keeps both exactly. The others keep the entries within 3 to 14 %. Shuffling pays with the spectrum: its
eigenvalues are more even, with up to nearly five times the effective rank. The spectral samples keep the eigenvalues
within 15 %.

## The textures

{sheet}

The first sheet has the samplers in rows, and the second the texture of the painting's own matrices, and textures of
what the first ones have, from another seed and with {long} steps. At strength 0.2 suns, strokes and colors are the
painting's, over a fine weave that it does not have. At strength 1 nothing of the painting is left but the palette:
dark blue shards, hatched and dotted in single pixels, with patches of scales and stray green and red, which look like
no painting. All three samplers lead to much the same picture, from the same noise. More complex they are, in that no
motif rules; beautiful they are not.

## How close the textures come

Means over the five layers. "To the target" is |G - A| / |A| for the texture's matrices G and the wanted ones A. "From
the painting" and "from real ones" are the distances |A - B| / |A| of what was wanted to the painting's matrices B, and
to the nearest of those of {others}: how far the sample is from any real one at hand.

{distances}

A full sample cannot be reached. It is more than 0.9 from any real picture's matrices, and the texture stops nearly as
far from it. Channels of a network are not alike: some answer strongly to every edge, others hardly to anything, and
layers depend on each other, so that matrices sampled layer by layer contradict each other, although each of them by
itself has all the properties that we asked for. Being positive semidefinite and non-negative is necessary and far
from sufficient. On the way, the texture follows the target up to a part that grows with the strength.

What the textures of full samples have is feasible by construction, and far from the painting and from every other
picture here. From another seed, textures come much closer to it, after {long} steps. They look like the ones that they
were measured on, so a style that no picture had can be found by sampling, but it is found by the optimization that
projects the sample to what the network can see, and not by the sampler.
"""


def make(lab: Lab) -> str:
    network = prepare_network(jaxstyle.load_network())
    config = replace(jaxstyle.StyleConfig(), size=lab.size, tv_weight=0.0, steps=STEPS)

    def measured(picture: np.ndarray) -> jaxstyle.Style:
        return jaxstyle.measure_style(picture, network=network, config=config)

    def textured(key: str, style: jaxstyle.Style, *, steps: int = STEPS, seed: int = 0) -> np.ndarray:
        def work() -> np.ndarray:
            options: dict[str, Any] = {"config": replace(config, steps=steps), "network": network, "seed": seed}
            made = jaxstyle.texture(style, height=3 * lab.size // 4, width=lab.size, **options)
            return np.rint(made.image * 255) / np.float32(255)

        return lab.cached(f"texture {key} {steps}", work)

    painting = measured(lab.example(PAINTING))
    wanted = {"the painting": painting} | {
        f"{sampler}, {strength:g}": lab.cached(
            f"sample {sampler} {strength}", partial(sample_style, painting, sampler, strength=strength)
        )
        for strength in STRENGTHS
        for sampler in SAMPLERS
    }
    textures = {name: textured(name, style) for name, style in wanted.items()}
    # What a texture has is feasible, because there is a picture that has it.
    found = {name: measured(picture) for name, picture in textures.items()}
    feasible = {f"what the texture of {name} has": found[name] for name in (f"{name}, 1" for name in SAMPLERS)}
    again = {name: textured(name, style, steps=LONG, seed=1) for name, style in feasible.items()}
    wanted |= feasible
    found |= {name: measured(picture) for name, picture in again.items()}
    real = [measured(lab.example(name)) for name in OTHERS]
    distances = [
        [
            name,
            _distance(found[name], style),
            _distance(painting, style),
            min(_distance(other, style) for other in real),
        ]
        for name, style in wanted.items()
    ]
    rows = [[textures[f"{sampler}, {strength:g}"] for strength in STRENGTHS] for sampler in SAMPLERS]
    last = [[textures["the painting"], *(again.values())]]
    full = {"painting": painting} | {name: wanted[f"{name}, 1"] for name in SAMPLERS}
    matrices = {name: _grams(style) for name, style in full.items()}
    return PAGE.format(
        painting=PAINTING,
        size=lab.size,
        height=3 * lab.size // 4,
        steps=STEPS,
        long=LONG,
        shown=SHOWN,
        others=", ".join(OTHERS),
        described=lab.table(
            ["layer", "mean", "sparsity", "dead channels", "effective rank", "first"],
            [[layer, *vars(describe(gram)).values()] for layer, gram in matrices["painting"].items()],
        ),
        heat=lab.sheet(
            "matrices",
            [[heat_map(by_energy(grams[SHOWN]), 192) for grams in matrices.values()]],
            columns=list(matrices),
        ),
        curves=lab.plot("curves", lambda figure: _curves(figure, matrices)),
        alike=lab.table(
            ["sampler", "layer", "entries", "eigenvalues", "sparsity", "effective rank"],
            [
                [name, layer, *_likeness(grams[layer], matrices["painting"][layer])]
                for name, grams in matrices.items()
                if name != "painting"
                for layer in grams
            ],
        ),
        sheet=lab.sheet("textures", rows, rows=list(SAMPLERS), columns=[f"strength {t:g}" for t in STRENGTHS])
        + "\n\n"
        + lab.sheet("again", last, columns=["the painting's texture", *(f"{name}, again" for name in SAMPLERS)]),
        distances=lab.table(["wanted", "to the target", "from the painting", "from real ones"], distances),
    )


def _grams(style: jaxstyle.Style) -> dict[str, np.ndarray]:
    """At the largest size."""
    return {layer: np.asarray(gram, np.float64) for layer, gram in style.statistics[-1].measured.items()}


def _distance(found: jaxstyle.Style, wanted: jaxstyle.Style) -> float:
    """The mean over layers of |G - A| / |A|: the square roots of what the relative losses are made of."""
    both = zip(_grams(found).values(), _grams(wanted).values(), strict=True)
    return float(np.mean([_relative(gram, target) for gram, target in both]))


def _relative(found: np.ndarray, wanted: np.ndarray) -> float:
    return float(np.linalg.norm(found - wanted) / np.linalg.norm(wanted))


def _likeness(gram: np.ndarray, real: np.ndarray) -> list[float]:
    entries = _relative(np.sort(gram, None), np.sort(real, None))
    numbers = describe(gram)
    return [entries, _relative(spectrum(gram), spectrum(real)), numbers.sparsity, numbers.effective_rank]


def _curves(figure: Any, matrices: dict[str, dict[str, np.ndarray]]) -> None:
    values, shares = figure.subplots(1, 2)
    for name, grams in matrices.items():
        values.semilogy(spectrum(grams[SHOWN]) / np.trace(grams[SHOWN]), label=name)
        shares.plot(np.linspace(-4, 0, 40), intensities(grams[SHOWN]), label=name)
    values.set(title=f"eigenvalues of {SHOWN}", xlabel="rank", ylabel="share of their sum", ylim=(1e-7, 1))
    shares.set(title=f"entries of {SHOWN}", xlabel="logarithm, below the largest", ylabel="share of the entries")
    values.legend()
