"""The convolutional layers of torchvision's AlexNet: one column of "One weird trick" (Krizhevsky, arXiv 1404.5997).

The original AlexNet (Krizhevsky et al. 2012), as in Caffe, is a different network, and its weights do not fit. It has
96, 256, 384, 384 and 256 channels; conv2, conv4 and conv5 are grouped convolutions with two groups; conv1 has no
padding; local response normalization follows relu1 and relu2 (in CaffeNet, pool1 and pool2); its pools round sizes up.
"""

from jaxstyle.networks.graph import PICTURE, chain
from jaxstyle.networks.operations import Convolution, Pool, ReLU

TABLE = chain(
    PICTURE,
    {
        "conv1": Convolution(64, 11, stride=4, padding=2),
        "relu1": ReLU(),
        "pool1": Pool(3, 2),
        "conv2": Convolution(192, 5, padding=2),
        "relu2": ReLU(),
        "pool2": Pool(3, 2),
        "conv3": Convolution(384, 3, padding=1),
        "relu3": ReLU(),
        "conv4": Convolution(256, 3, padding=1),
        "relu4": ReLU(),
        "conv5": Convolution(256, 3, padding=1),
        "relu5": ReLU(),
        "pool5": Pool(3, 2),
    },
)
# As in early style transfer with CaffeNet: content in the fourth layer, style in all five.
CONTENT_LAYERS = ("relu4",)
STYLE_LAYERS = ("relu1", "relu2", "relu3", "relu4", "relu5")
