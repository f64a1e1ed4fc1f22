"""The measurements of `jaxstyle bench`: operations and rates."""

from jaxstyle.batch import count_operations, matrix_product_rate
from jaxstyle.networks import Network


def test_operations_of_vgg19(network: Network) -> None:
    """One multiplication and one addition for each weight and position, in the loss and again in its gradient."""
    widths = [3, 64, 64, 128, 128, 256, 256, 256, 256, 512, 512, 512, 512, 512]
    halvings = [0, 0, 1, 1, 2, 2, 2, 2, 3, 3, 3, 3, 4]
    positions = [(64 >> halving) * (96 >> halving) for halving in halvings]
    layers = zip(widths, widths[1:], positions, strict=False)
    expected = sum(2 * 9 * inputs * outputs * count for inputs, outputs, count in layers)
    assert count_operations(network, {"relu5_1", "relu1_1"}, 64, 96) == 2 * expected
    assert count_operations(network, {"conv1_1"}, 64, 96) == 4 * 9 * 3 * 64 * 64 * 96


def test_matrix_product_rate_is_plausible() -> None:
    assert 1e8 < matrix_product_rate("float32") < 1e16
