"""The time that a stylization will take, predicted from the speed of this device."""

import jax

from jaxstyle.batch.benchmark import count_operations, matrix_product_rate
from jaxstyle.config import StyleConfig
from jaxstyle.images import scaled_shape
from jaxstyle.networks import Network
from jaxstyle.optimization import Shape, schedule, tiled_work

# The rate of operations in large pictures, counted as in direct convolutions, relative to that of a large matrix
# product; see docs/speed.md. On a CPU, Winograd convolutions need fewer operations, so it exceeds 1.
_OF_PEAK = {"cpu": 1.8}
_OF_PEAK_ELSEWHERE = 0.5


def predict_seconds(network: Network, config: StyleConfig, content: Shape) -> float:
    """The seconds of all steps for a content of this shape; reading, compiling and writing take time besides.

    Measures the rate of a matrix product, which takes a second or less.
    """
    layers = (*config.content_names, *config.style_names)
    operations = 0.0
    for size, steps in schedule(config, *content):
        shape = scaled_shape(*content, size)
        operations += steps * count_operations(network, layers, *shape) * tiled_work(network, config, shape)
    of_peak = _OF_PEAK.get(jax.local_devices()[0].platform, _OF_PEAK_ELSEWHERE)
    return operations / (of_peak * matrix_product_rate(network.precision))
