"""Chapter 1: the network that looks."""

from jaxstyle.stylize import Stylized
from scripts.paper import Lab
from scripts.paper.judge import judge

NETWORKS = ("vgg19", "vgg16", "random:vgg19", "random:vgg16", "random:alexnet", "random:googlenet")
PAIRS = (("harbour", "swirls"), ("cat", "facets"))
TEXTURE = "swirls"

PAGE = """# Recognition networks

The paper varies the recognition network whose features are compared.

**What we did.** The same settings, defaults throughout, with every network that is at hand: VGG-19 and VGG-16 with
their pretrained weights, and four architectures with random ones, because the pretrained weights of AlexNet and
GoogLeNet cannot be shipped with jaxstyle. With `jaxstyle weights fetch alexnet` and a machine that reaches their
makers' servers the same commands take them. Random kernels are normal with the variance of He et al., 2 / (h w I), the
biases 0. Each network compares its own usual layers. {size} pixels.

```sh
jaxstyle grid CONTENT STYLE -o networks.png --columns "network=vgg19;vgg16;random:vgg19;random:alexnet"
jaxstyle texture STYLE -o texture.png --network random:vgg19
```

{sheet}

The two pretrained networks agree with each other. The sky becomes brush strokes and suns, the cat becomes shards with
edges, and VGG-16's marks are somewhat bolder. No setting was changed for it: relative losses carry over.

With random weights the colors are the painting's, and the photograph keeps all of its drawing, but there is no stroke
and no shard. What these networks find alike is color, contrast and grain. The textures, which all begin from the same
pink noise, say it more clearly: both pretrained networks make suns, circles and lights on water of it; for a random
one it is good as it is, once blue and yellow are in clouds of the right contrast and grain. That random networks make
textures is known; in a few steps, with these layers, they make plain ones.

Every result as VGG-19 sees it, whatever made it: |F - P| / |P| at relu4_2, the mean of |G - A| / |A| over relu1_1, ...,
relu5_1, and the distance of the colors. For comparison, the photograph itself and the painting itself.

{numbers}

Random networks leave the style two to three times as far away as the pretrained ones do, as VGG-19 sees it, although
each ends with the smaller loss by its own layers, as the next table shows. A small loss of a network that has learned
nothing says little. All networks match the colors, because that term of the loss does not go through the network.
VGG-16 comes out farther from the content than VGG-19, which judges here by its own layers.

The loss of each network by its own layers, before the first step and after the last: how far the solver came.

{losses}
"""


def make(lab: Lab) -> str:
    """The page."""
    runs = {(network, pair): lab.stylized(*pair, network=network) for network in NETWORKS for pair in PAIRS}
    textures = {network: lab.stylized(None, TEXTURE, network=network) for network in NETWORKS}
    columns = [*(" and ".join(pair) for pair in PAIRS), f"texture of {TEXTURE}"]
    return PAGE.format(
        size=lab.size,
        sheet=lab.sheet(
            "pictures",
            [[*(runs[network, pair].image for pair in PAIRS), textures[network].image] for network in NETWORKS],
            [network.replace(":", ":\n") for network in NETWORKS],
            columns,
        ),
        numbers=lab.table(
            [
                "network",
                *(f"{' and '.join(pair)}: {term}" for pair in PAIRS for term in ("content", "style", "color")),
            ],
            [
                ["the photograph", *(value for pair in PAIRS for value in _judged(lab, pair, pair[0]))],
                ["the painting", *(value for pair in PAIRS for value in _judged(lab, pair, pair[1]))],
                *(
                    [network, *(value for pair in PAIRS for value in _judged(lab, pair, runs[network, pair]))]
                    for network in NETWORKS
                ),
            ],
        ),
        losses=lab.table(
            ["network", *columns],
            [
                [network, *(_way(run) for run in (*(runs[network, pair] for pair in PAIRS), textures[network]))]
                for network in NETWORKS
            ],
        ),
    )


def _judged(lab: Lab, pair: tuple[str, str], picture: str | Stylized) -> list[str]:
    image = lab.example(picture) if isinstance(picture, str) else picture.image
    judgment = judge(image, *map(lab.example, pair))
    return [f"{value:.2f}" for value in (judgment.content, judgment.style, judgment.color)]


def _way(run: Stylized) -> str:
    return f"{run.history.total[0]:.3g} to {run.history.total[-1]:.3g}"
