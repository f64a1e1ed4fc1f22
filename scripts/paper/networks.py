"""Chapter 1: the network that looks."""

from jaxstyle.stylize import Stylized
from scripts.paper import Lab
from scripts.paper.judge import judge

PRETRAINED = ("vgg19", "vgg16", "efficientnet-lite0")
NETWORKS = (*PRETRAINED, *(f"random:{name}" for name in PRETRAINED))
JUDGES = ("vgg19", "efficientnet-lite0")
PAIRS = (("harbour", "swirls"), ("cat", "facets"))
TEXTURE = "swirls"

PAGE = """# Recognition networks

The paper varies the recognition network whose features are compared.

**Method.** The default settings with three networks whose pretrained weights are part of jaxstyle: VGG-19, VGG-16 and
EfficientNet-Lite0, which has depthwise convolutions and residual blocks; and the same three with random weights. Random
kernels are normal with the variance of He et al., 2 / (h w I); the biases are 0. Each network uses its own default
layers. All results have {size} pixels. AlexNet and GoogLeNet work too (`jaxstyle weights fetch alexnet`), but their
weights are not part of jaxstyle.

```sh
jaxstyle grid CONTENT STYLE -o networks.png --columns "network=vgg19;vgg16;efficientnet-lite0;random:vgg19"
jaxstyle texture STYLE -o texture.png --network efficientnet-lite0
```

{sheet}

- **VGG-19 and VGG-16** give similar results: brush strokes and suns in the sky, and shards with edges on the cat.
  VGG-16's strokes are bolder.
- **EfficientNet-Lite0** finds the same motifs, but draws them with thin, sharp lines. The cat has facets only in
  places. Its pictures have fine colored grain, most visible in the texture. Its first
  convolution has a stride of 2, and no style layer has the full resolution.
- **Random weights** transfer the colors, and the photograph keeps its shapes, but there are no strokes and no shards.
  The textures, which start from the same pink noise, show it more clearly: patches of the right colors, contrast and
  grain, without any motif. The grain of EfficientNet-Lite0 appears with random weights too, so it comes from the
  architecture and not from the training.

No setting was changed for any network, because the losses are relative to their targets.

The table has distances of the results, measured with VGG-19 and with EfficientNet-Lite0: |F - P| / |P| at the default
content layer, and the mean of |G - A| / |A| over the default style layers; and the distance of the colors. The first
two rows are the photograph and the painting themselves.

{numbers}

Each of the two networks finds its own results closest in style, so the distances of one network alone do not rank the
others. Both agree that the pretrained networks come closer in style than those with random weights. All networks match
the colors, because the color term of the loss does not use the network.

The loss with each network's own layers, before the first step and after the last:

{losses}

Random networks reach the smallest losses, although their pictures are the least like the painting. A loss says little
without the features that it compares.
"""


def make(lab: Lab) -> str:
    """The page."""
    runs = {(network, pair): lab.stylized(*pair, network=network) for network in NETWORKS for pair in PAIRS}
    textures = {network: lab.stylized(None, TEXTURE, network=network) for network in NETWORKS}
    results = {network: [*(runs[network, pair] for pair in PAIRS), textures[network]] for network in NETWORKS}
    columns = [*(" and ".join(pair) for pair in PAIRS), f"texture of {TEXTURE}"]
    pictures = [[result.image for result in results[network]] for network in NETWORKS]
    ways = [[network, *map(_way, results[network])] for network in NETWORKS]
    return PAGE.format(
        size=lab.size,
        sheet=lab.sheet("pictures", pictures, [network.replace(":", ":\n") for network in NETWORKS], columns),
        numbers=_numbers(lab, runs),
        losses=lab.table(["network", *columns], ways),
    )


def _numbers(lab: Lab, runs: dict[tuple[str, tuple[str, str]], Stylized]) -> str:
    """The distances of photographs, paintings and results, as both judges measure them."""
    pictures = {
        "the photograph": [lab.example(content) for content, _ in PAIRS],
        "the painting": [lab.example(style) for _, style in PAIRS],
        **{network: [runs[network, pair].image for pair in PAIRS] for network in NETWORKS},
    }
    rows = []
    for name, images in pictures.items():
        judgments = [
            judge(image, lab.example(content), lab.example(style), network)
            for image, (content, style) in zip(images, PAIRS, strict=True)
            for network in JUDGES
        ]
        distances = [f"{value:.2f}" for found in judgments for value in (found.content, found.style)]
        rows.append([name, *distances, *(f"{found.color:.2f}" for found in judgments[:: len(JUDGES)])])
    terms = [f"{pair[0]}: {term}, {name}" for pair in PAIRS for name in JUDGES for term in ("content", "style")]
    return lab.table(["picture", *terms, *(f"{pair[0]}: color" for pair in PAIRS)], rows)


def _way(run: Stylized) -> str:
    return f"{run.history.total[0]:.3g} to {run.history.total[-1]:.3g}"
