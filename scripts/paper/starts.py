"""Chapter 2: where the optimization begins."""

from collections.abc import Sequence
from itertools import combinations
from typing import TYPE_CHECKING, Any

import numpy as np

from jaxstyle.stylize import Stylized
from scripts.paper import Lab

if TYPE_CHECKING:
    from matplotlib.figure import Figure

PAIRS = (("harbour", "swirls"), ("cat", "embers"))
STARTS: dict[str, dict[str, Any]] = {
    "content": {"init": (("content", 1.0),)},
    "white noise": {"init": (("noise", 1.0),)},
    "pink noise": {"init": (("pink", 1.0),)},
    "style": {"init": (("style", 1.0),)},
    "content and noise": {"init": (("content", 0.5), ("noise", 0.5))},
    "content and style": {"init": (("content", 0.5), ("style", 0.5))},
}
SEEDED = ("white noise", "pink noise", "content and noise")
SEEDS = 3
LONG = 160  # steps

PAGE = """# Starting points

The paper varies the point at which gradient descent starts. The loss has many minima, so the start decides which one is
found, and how soon.

**What we did.** Two pairs, six starts, and for each the same {steps} steps of L-BFGS at {size} pixels with the default
settings, so that all curves measure the same loss. White noise is uniform. Pink noise has amplitudes that fall as 1/f,
like those of photographs. The content start has the style's mean color and covariance, as everywhere in jaxstyle. A
blend is the mean of two starts. The starts and this budget are our choice.

```sh
jaxstyle grid CONTENT STYLE -o starts.png --columns "init=content;noise;pink;style;content,noise;content,style"
jaxstyle grid CONTENT STYLE -o seeds.png --rows "init=noise;pink;content,noise" --columns "seed=0;1;2" --json
```

## Pictures and losses after {steps} steps

{sheet}

{losses}

{curves}

Each start leaves its mark. From the content the mast, the shore and the cat's face are where they were. From white
noise the same steps end with a fine grain that the smoothness term has not removed, and sky and water are hardly told
apart. Pink noise begins with a higher loss than white noise and ends with a lower one: its large patches turn into suns
and waves, which white noise has to grow. From the style the loss is lowest at first, and ends near that of the content
start, but the painting's own suns and shore remain where they were, and of the photograph little is seen. That is a
small loss and not a wanted picture. Blends lie in between; half content and half style keeps both drawings.

## More steps

{longer}

With four times the steps most of the distance is made up. So noise does not lead to much worse minima here, only
later to them.

## Seeds

What becomes of noise depends on its seed. The distance of two pictures is the root mean square of their
difference, where white is 1 away from black. For comparison, the last line is the distance of the results from
different starts, of the seed 0.

{distances}

{seeds}

From noise, each seed puts its suns elsewhere, while the losses hardly differ: many different pictures are equally good.
Results of two seeds are as far apart as results of different starts. Half content keeps the drawing, and brings the
seeds together.
"""


def make(lab: Lab) -> str:
    """The page."""
    runs = {(pair, start): lab.stylized(*pair, **STARTS[start]) for pair in PAIRS for start in STARTS}
    seeded = {start: [lab.stylized(*PAIRS[0], seed=seed, **STARTS[start]) for seed in range(SEEDS)] for start in SEEDED}
    longer = {
        start: lab.stylized(*PAIRS[0], steps=LONG, **STARTS[start])
        for start in ("content", "white noise", "pink noise")
    }
    names = [" and ".join(pair) for pair in PAIRS]

    def draw(figure: "Figure") -> None:
        for panel, pair, name in zip(figure.subplots(1, len(PAIRS), sharey=True), PAIRS, names, strict=True):
            for start in STARTS:
                panel.semilogy(runs[pair, start].history.total, label=start)
            panel.set(title=name, xlabel="step")
            panel.grid(which="both", alpha=0.3)
        panel.set_ylim(top=10)
        figure.axes[0].set_ylabel("loss")
        figure.axes[0].legend(fontsize=8)

    return PAGE.format(
        size=lab.size,
        steps=len(runs[PAIRS[0], "content"].sizes),
        sheet=lab.sheet(
            "pictures", [[runs[pair, start].image for start in STARTS] for pair in PAIRS], names, [*STARTS]
        ),
        losses=lab.table(
            ["start", *(f"{name}: {term}" for name in names for term in ("loss", "content", "style"))],
            [[start, *(value for pair in PAIRS for value in _last(runs[pair, start]))] for start in STARTS],
        ),
        curves=lab.plot("losses", draw),
        longer=lab.table(
            ["start", *(f"loss after {steps} steps" for steps in (40, 80, LONG))],
            [
                [start, *(float(run.history.total[steps - 1]) for steps in (40, 80, LONG))]
                for start, run in longer.items()
            ],
        ),
        distances=lab.table(
            ["start", "distance of the results", "their losses"],
            [_spread(start, seeded[start]) for start in SEEDED]
            + [["different starts", _apart([runs[PAIRS[0], start].image for start in STARTS]), ""]],
        ),
        seeds=lab.sheet(
            "seeds",
            [[run.image for run in seeded[start]] for start in SEEDED],
            list(SEEDED),
            [f"seed {seed}" for seed in range(SEEDS)],
        ),
    )


def _last(run: Stylized) -> list[float]:
    """The loss of a result, and its distances |F - P| / |P| and |G - A| / |A|."""
    history = run.history
    return [float(history.total[-1]), float(history.content[-1] ** 0.5), float(history.style[-1] ** 0.5)]


def _spread(start: str, runs: Sequence[Stylized]) -> list[Any]:
    losses = [float(run.history.total[-1]) for run in runs]
    spread = f"{min(losses):.3g} to {max(losses):.3g}"
    return [start, _apart([run.image for run in runs]), spread]


def _apart(pictures: Sequence[np.ndarray]) -> float:
    """The mean over pairs of pictures of the root mean square of their difference."""
    return float(np.mean([np.sqrt(np.mean((one - other) ** 2)) for one, other in combinations(pictures, 2)]))
