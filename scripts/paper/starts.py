"""Chapter 2: the initial picture of the optimization."""

from collections.abc import Sequence
from itertools import combinations
from typing import TYPE_CHECKING, Any

import numpy as np

from jaxstyle.stylize import Stylized
from scripts.paper import Lab

if TYPE_CHECKING:
    from matplotlib.figure import Figure

PAIRS = (("harbour", "swirls"), ("cat", "embers"))
INITIAL_PICTURES: dict[str, dict[str, Any]] = {
    "content": {"init": (("content", 1.0),)},
    "white noise": {"init": (("noise", 1.0),)},
    "pink noise": {"init": (("pink", 1.0),)},
    "style": {"init": (("style", 1.0),)},
    "content and noise": {"init": (("content", 0.5), ("noise", 0.5))},
    "content and style": {"init": (("content", 0.5), ("style", 0.5))},
}
RANDOM = ("white noise", "pink noise", "content and noise")  # the initial pictures that depend on the seed
SEEDS = 3
LONG_STEPS = 160

PAGE = """# Initial pictures

The paper varies the starting point of the gradient descent. The loss has many local minima, so the initial picture
decides which one the optimization finds, and how fast.

**Method.** We optimize two pairs from six initial pictures. Every run takes {steps} steps of L-BFGS at {size} pixels
with the default settings, so all curves show the same loss. White noise is uniform. The amplitudes of pink noise fall
as 1/f, as in photographs. The content is first recolored to the mean color and covariance of the style, as always in
jaxstyle. A mixture is the mean of two initial pictures. The initial pictures and the number of steps are our choice.

```sh
jaxstyle grid CONTENT STYLE -o initial.png --columns "init=content;noise;pink;style;content,noise;content,style"
jaxstyle grid CONTENT STYLE -o seeds.png --rows "init=noise;pink;content,noise" --columns "seed=0;1;2" --json
```

## Pictures and losses after {steps} steps

{sheet}

{losses}

{curves}

The results depend on the initial picture:

- **Content.** The mast, the shore and the cat's face stay where they were.
- **White noise.** The results still have a fine grain, which the total variation term has not removed. Sky and water
  are hard to tell apart.
- **Pink noise.** The loss starts higher than that of white noise and ends lower. The large patches turn into suns and
  waves. White noise has no such patches.
- **Style.** The loss is lowest at first, and ends near that of the content. But the suns and the shore of the painting
  stay where they were, and little of the photograph is visible. The loss is small, but the picture is not the intended
  one.
- **Mixtures.** They lie in between. Half content and half style keeps the drawing of both.

## More steps

{longer}

Four times as many steps close most of the gap. Here, noise does not lead to much worse minima, but it takes longer to
reach them.

## Seeds

The result from noise depends on the seed. The distance between two pictures is the root mean square of their
difference; black and white have distance 1. For comparison, the last row gives the distance between the results from
different initial pictures, all with seed 0.

{distances}

{seeds}

From noise, each seed puts the suns in different places, but the losses hardly differ: many different pictures are
equally good. Results of different seeds are as far apart as results from different initial pictures. Half content
preserves the drawing and makes the seeds more alike.
"""


def make(lab: Lab) -> str:
    """Return the page."""
    runs = {(pair, name): lab.stylized(*pair, **init) for pair in PAIRS for name, init in INITIAL_PICTURES.items()}
    seeded = {
        name: [lab.stylized(*PAIRS[0], seed=seed, **INITIAL_PICTURES[name]) for seed in range(SEEDS)] for name in RANDOM
    }
    longer = {
        name: lab.stylized(*PAIRS[0], steps=LONG_STEPS, **INITIAL_PICTURES[name])
        for name in ("content", "white noise", "pink noise")
    }
    pair_names = [" and ".join(pair) for pair in PAIRS]

    def draw(figure: "Figure") -> None:
        for axes, pair, title in zip(figure.subplots(1, len(PAIRS), sharey=True), PAIRS, pair_names, strict=True):
            for name in INITIAL_PICTURES:
                axes.semilogy(runs[pair, name].history.total, label=name)
            axes.set(title=title, xlabel="step")
            axes.grid(which="both", alpha=0.3)
        axes.set_ylim(top=10)
        figure.axes[0].set_ylabel("loss")
        figure.axes[0].legend(fontsize=8)

    return PAGE.format(
        size=lab.size,
        steps=len(runs[PAIRS[0], "content"].sizes),
        sheet=lab.sheet(
            "pictures",
            [[runs[pair, name].image for name in INITIAL_PICTURES] for pair in PAIRS],
            pair_names,
            [*INITIAL_PICTURES],
        ),
        losses=lab.table(
            ["initial picture", *(f"{pair}: {term}" for pair in pair_names for term in ("loss", "content", "style"))],
            [[name, *(value for pair in PAIRS for value in _losses(runs[pair, name]))] for name in INITIAL_PICTURES],
        ),
        curves=lab.plot("losses", draw),
        longer=lab.table(
            ["initial picture", *(f"loss after {steps} steps" for steps in (40, 80, LONG_STEPS))],
            [
                [name, *(float(run.history.total[steps - 1]) for steps in (40, 80, LONG_STEPS))]
                for name, run in longer.items()
            ],
        ),
        distances=lab.table(
            ["initial picture", "distance between results", "losses"],
            [_seed_row(name, seeded[name]) for name in RANDOM]
            + [
                [
                    "different initial pictures",
                    _mean_distance([runs[PAIRS[0], name].image for name in INITIAL_PICTURES]),
                    "",
                ]
            ],
        ),
        seeds=lab.sheet(
            "seeds",
            [[run.image for run in seeded[name]] for name in RANDOM],
            list(RANDOM),
            [f"seed {seed}" for seed in range(SEEDS)],
        ),
    )


def _losses(run: Stylized) -> list[float]:
    """The final loss, and the final distances |F - P| / |P| and |G - A| / |A|."""
    history = run.history
    return [float(history.total[-1]), float(history.content[-1] ** 0.5), float(history.style[-1] ** 0.5)]


def _seed_row(name: str, runs: Sequence[Stylized]) -> list[Any]:
    losses = [float(run.history.total[-1]) for run in runs]
    return [name, _mean_distance([run.image for run in runs]), f"{min(losses):.3g} to {max(losses):.3g}"]


def _mean_distance(pictures: Sequence[np.ndarray]) -> float:
    """The root mean square difference of two pictures, averaged over all pairs of pictures."""
    return float(np.mean([np.sqrt(np.mean((first - second) ** 2)) for first, second in combinations(pictures, 2)]))
