"""Measure stylized pictures, in PyTorch and independently of jaxstyle.

    python -m scripts.judges.judge CONTENT STYLE RESULT [RESULT...] [--size 512] [--against FILE] [--json]

All pictures are resized to a longest side of `--size` pixels, and results to the size of the content. The network is
the embedded VGG-19 with maximum pooling, unless another is named. Smaller is better for content, style, unseen, lite,
shifts, cfsd, color and alien; the others are best near 1, or near the values of the content and the style.

    content   mean squared distance to the content at relu4_2 (Caffe's scale, 0 to 255)
    style     mean over relu1_1, ..., relu5_1 of |G - A| / |A|, with Frobenius norms and G = F^T F / (H W); the layers
              follow
    unseen    the same mean over relu1_2, relu2_2, relu3_3, relu4_3 and relu5_2, which no default setting optimizes
    lite      the mean of |G - A| / |A| over the outputs of blocks 1a, 2b, 3b, 4c and 5c of EfficientNet-Lite0, another
              family of networks
    shifts    the mean of |C - D| / |D| over relu1_2, relu2_2 and relu3_3, where C and D are the covariances of
              features with those 1 to the right, 1 down, and 3 right and down
    cfsd      content feature structural distance (Chung et al., StyleID, CVPR 2024): the mean Kullback-Leibler
              divergence between the rows of the self-similarity at relu3_1, the softmax over y of F(x) F(y) / C; here
              features are relative to their root mean square in the content, and averaged to at most 64 x 64
    color     sliced Wasserstein distance W1 between the colors of result and style, sRGB in [0, 1], with 128 fixed
              directions: the mean over the directions of the area between the two quantile functions
    alien     share of pixels whose distance to every color of content and style exceeds 0.1, sRGB in [0, 1]
    speckle   root mean square of chroma minus its 5x5 median, relative to that of the style; isolated specks of color
              increase it, edges and areas do not
    luma      grain of luma: the mean absolute Laplacian of Y (BT.601), relative to that of the style
    chroma    the same for the mean of Cb and Cr
    border    grain of luma less than 8 pixels from the border, relative to that inside, over the same for the content
    psnr      peak signal-to-noise ratio to the content in dB, at most 99, and ssim the structural similarity of luma.
              In the identity test, a painting is CONTENT and STYLE, and should be the result: the higher the better
    tv        mean absolute difference between neighboring pixels, sRGB in [0, 1]; relative to the content and the style
              it is tv/content and tv/style

The first row measures the content picture itself, for comparison. With `--against FILE`, the figures are relative to
those of that picture. Requires torch, safetensors, scipy and pillow.
"""

import json
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from scipy.ndimage import median_filter
from scipy.spatial import cKDTree

from scripts.arguments import make_parser
from scripts.judges.pixels import border_ratio, grain_ratios, psnr, ssim, total_variation
from scripts.judges.torch_vgg import Parameters, activations, load_vgg, preprocess, read_picture, to_tensor
from scripts.judges.unseen import UnseenJudge, gram

CONTENT_LAYER = "relu4_2"
STYLE_LAYERS = ("relu1_1", "relu2_1", "relu3_1", "relu4_1", "relu5_1")
DIRECTIONS = 128
QUANTILES = 1024
ALIEN_DISTANCE = 0.1


def statistics(parameters: Parameters, picture: torch.Tensor) -> tuple[torch.Tensor, dict[str, torch.Tensor]]:
    """The content features and the Gram matrices of a picture `[H, W, 3]`."""
    features = activations(parameters, preprocess(picture), (CONTENT_LAYER, *STYLE_LAYERS))
    return features[CONTENT_LAYER], {layer: gram(features[layer]) for layer in STYLE_LAYERS}


def color_quantiles(picture: torch.Tensor) -> torch.Tensor:
    """Quantiles `[QUANTILES, DIRECTIONS]` of a picture's colors along fixed directions."""
    directions = torch.randn(3, DIRECTIONS, generator=torch.Generator().manual_seed(0))
    projections = picture.reshape(-1, 3) @ (directions / directions.norm(dim=0))
    levels = (torch.arange(QUANTILES) + 0.5) / QUANTILES
    return projections.sort(dim=0).values[(levels * len(projections)).long()]


def speckle(picture: np.ndarray) -> float:
    """Root mean square of the two opponent color channels minus their 5x5 medians."""
    red, green, blue = np.moveaxis(picture, -1, 0)
    chroma = ((red - green) / np.sqrt(2), (red + green - 2 * blue) / np.sqrt(6))
    return float(np.sqrt(np.mean([(channel - median_filter(channel, 5)) ** 2 for channel in chroma])))


class Judge:
    """Measures results by one content and one style picture."""

    def __init__(self, content: Path, style: Path, size: int) -> None:
        self.parameters = load_vgg("vgg19")
        self.content, self.style = (to_tensor(read_picture(path, size)) for path in (content, style))
        self.content_features, _ = statistics(self.parameters, self.content)
        _, self.style_grams = statistics(self.parameters, self.style)
        self.unseen = UnseenJudge(self.parameters, self.content, self.style)
        self.style_colors = color_quantiles(self.style)
        pictures = (self.content, self.style)
        self.palette = cKDTree(
            np.unique(np.concatenate([picture.reshape(-1, 3).numpy() for picture in pictures]), axis=0)
        )

    def measure(self, path: Path) -> dict[str, float]:
        """All measures of the picture at `path`, by name."""
        height, width, _ = self.content.shape
        picture = Image.open(path).convert("RGB")
        if picture.size != (width, height):
            picture = picture.resize((width, height), Image.Resampling.LANCZOS)
        result = to_tensor(picture)
        features, grams = statistics(self.parameters, result)
        layers = {
            layer: float(torch.linalg.norm(grams[layer] - target) / torch.linalg.norm(target))
            for layer, target in self.style_grams.items()
        }
        pixels, style, content = result.numpy(), self.style.numpy(), self.content.numpy()
        nearest, _ = self.palette.query(pixels.reshape(-1, 3), distance_upper_bound=ALIEN_DISTANCE)
        variation = total_variation(pixels)
        luma, chroma = grain_ratios(pixels, style)
        return {
            "content": float(torch.mean((features - self.content_features) ** 2)),
            "style": sum(layers.values()) / len(layers),
            **layers,
            **self.unseen.measure(result),
            "color": float(torch.mean((color_quantiles(result) - self.style_colors).abs())),
            "alien": float(np.mean(np.isinf(nearest))),
            "speckle": speckle(pixels) / speckle(style),
            "luma": luma,
            "chroma": chroma,
            "border": border_ratio(pixels) / border_ratio(content),
            "psnr": psnr(pixels, content),
            "ssim": ssim(pixels, content),
            "tv": variation,
            "tv/content": variation / total_variation(content),
            "tv/style": variation / total_variation(style),
        }


def table(rows: dict[str, dict[str, float]]) -> str:
    """Measures as an aligned table."""
    names = list(next(iter(rows.values())))
    width = max(map(len, rows))
    lines = [" " * width + "".join(f"{name:>12}" for name in names)]
    lines += [f"{row:<{width}}" + "".join(f"{values[name]:12.4g}" for name in names) for row, values in rows.items()]
    return "\n".join(lines)


def main() -> None:
    parser = make_parser("judges.judge", __doc__)
    parser.add_argument("content", type=Path)
    parser.add_argument("style", type=Path)
    parser.add_argument("results", type=Path, nargs="+", metavar="RESULT")
    parser.add_argument("--size", type=int, default=512, help="longest side of all pictures (default 512)")
    parser.add_argument("--against", type=Path, metavar="FILE", help="print figures relative to those of this picture")
    parser.add_argument("--threads", type=int, default=1, help="CPU threads (default 1)")
    parser.add_argument("--json", action="store_true", help="print JSON instead of a table")
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    with torch.inference_mode():
        judge = Judge(arguments.content, arguments.style, arguments.size)
        rows = {str(path): judge.measure(path) for path in (arguments.content, *arguments.results)}
        if arguments.against:
            baseline = judge.measure(arguments.against)
            rows = {
                path: {name: value / baseline[name] if baseline[name] else float("nan") for name, value in row.items()}
                for path, row in rows.items()
            }
    print(json.dumps(rows, indent=2) if arguments.json else table(rows))


if __name__ == "__main__":
    main()
