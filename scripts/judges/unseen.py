"""Distances of features, in PyTorch, by statistics that no default setting optimizes."""

import torch
from torch.nn import functional

from scripts.judges.torch_efficientnet import block_outputs, load_efficientnet
from scripts.judges.torch_vgg import Parameters, activations, preprocess

UNSEEN_LAYERS = ("relu1_2", "relu2_2", "relu3_3", "relu4_3", "relu5_2")
SHIFTED_LAYERS, SHIFTS = ("relu1_2", "relu2_2", "relu3_3"), ((0, 1), (1, 0), (3, 3))
STRUCTURE_LAYER = "relu3_1"
LITE_BLOCKS = ("block1a", "block2b", "block3b", "block4c", "block5c")
POSITIONS = 64  # longest side of the features whose self-similarity is measured

Features = dict[str, torch.Tensor]


def gram(features: torch.Tensor) -> torch.Tensor:
    """`F^T F / (H W)` of `[1, C, H, W]`."""
    columns = features[0].flatten(1)
    return columns @ columns.T / columns.shape[1]


def shifted_covariances(features: torch.Tensor) -> torch.Tensor:
    """The covariances `[len(SHIFTS), C, C]` of features `[1, C, H, W]` at positions and at shifted positions."""
    centered = features[0] - features[0].mean((1, 2), keepdim=True)
    _, height, width = centered.shape
    pairs = [
        (centered[:, : height - down, : width - across].flatten(1), centered[:, down:, across:].flatten(1))
        for down, across in SHIFTS
    ]
    return torch.stack([left @ right.T / left.shape[1] for left, right in pairs])


def structure(features: torch.Tensor, scale: torch.Tensor) -> torch.Tensor:
    """Logarithms of the self-similarity `[M, M]`: the softmax over y of F(x) F(y) / (C scale^2).

    Large features are averaged to at most `POSITIONS` positions a side.
    """
    factor = -(-max(features.shape[2:]) // POSITIONS)
    columns = functional.avg_pool2d(features, factor)[0].flatten(1) / scale
    return functional.log_softmax(columns.T @ columns / columns.shape[0], dim=1)


class UnseenJudge:
    """Measures results by one content and one style picture, `[H, W, 3]` in [0, 1]."""

    def __init__(self, parameters: Parameters, content: torch.Tensor, style: torch.Tensor) -> None:
        self.parameters, self.lite = parameters, load_efficientnet()
        content_features, style_features = self._features(content), self._features(style)
        self.scale = content_features[STRUCTURE_LAYER].square().mean().sqrt()
        self.structure = structure(content_features[STRUCTURE_LAYER], self.scale)
        self.grams = {layer: gram(style_features[layer]) for layer in UNSEEN_LAYERS}
        self.lite_grams = self._lite_grams(style)
        self.shifted = {layer: shifted_covariances(style_features[layer]) for layer in SHIFTED_LAYERS}

    def measure(self, picture: torch.Tensor) -> dict[str, float]:
        """The distances "unseen", "lite", "shifts" and "cfsd", as described in `judge`."""
        features = self._features(picture)
        found = structure(features[STRUCTURE_LAYER], self.scale)
        divergence = functional.kl_div(found, self.structure, reduction="batchmean", log_target=True)
        return {
            "unseen": _mean_ratio({layer: gram(features[layer]) for layer in self.grams}, self.grams),
            "lite": _mean_ratio(self._lite_grams(picture), self.lite_grams),
            "shifts": _mean_ratio({x: shifted_covariances(features[x]) for x in self.shifted}, self.shifted),
            "cfsd": float(divergence),
        }

    def _lite_grams(self, picture: torch.Tensor) -> Features:
        outputs = block_outputs(self.lite, picture)
        return {block: gram(outputs[block]) for block in LITE_BLOCKS}

    def _features(self, picture: torch.Tensor) -> Features:
        return activations(self.parameters, preprocess(picture), {*UNSEEN_LAYERS, *SHIFTED_LAYERS, STRUCTURE_LAYER})


def _mean_ratio(found: Features, targets: Features) -> float:
    ratios = [torch.linalg.norm(found[layer] - target) / torch.linalg.norm(target) for layer, target in targets.items()]
    return float(torch.stack(ratios).mean())
