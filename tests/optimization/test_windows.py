"""Windows and tiles: their geometry, for many sizes and networks."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from support.tiny import tiny_networks

from jaxstyle.networks import ARCHITECTURES, Network
from jaxstyle.optimization.windows import Margins, cover, margins_for

MARGINS = (Margins(16, 80, 80), Margins(16, 80, 208), Margins(1, 1, 0), Margins(4, 8, 4))
SIZES = (1, 15, 16, 17, 100, 159, 160, 161, 176, 177, 400, 1000, 2048)


@pytest.mark.parametrize("margins", MARGINS)
@pytest.mark.parametrize("tile_size", [1, 16, 50, 256])
class TestCover:
    def test_every_pixel_belongs_to_one_tile(self, margins: Margins, tile_size: int) -> None:
        for height, width in ((SIZES[seed], SIZES[-seed - 1] // 3 + 1) for seed in range(len(SIZES))):
            windows = cover(height, width, tile_size, margins)
            count = np.zeros(windows.covered, int)
            for begin, end in zip(windows.all.begin, windows.all.end, strict=True):
                count[begin[0] : end[0], begin[1] : end[1]] += 1
            assert (count == 1).all()
            assert windows.all.is_first.tolist() == [True] + [False] * (len(windows.all.begin) - 1)

    def test_windows_have_margins_except_at_the_border(self, margins: Margins, tile_size: int) -> None:
        for size in SIZES:
            windows = cover(size, 1, tile_size, margins)
            origin, begin, end = (corner[:, 0] for corner in (windows.all.origin, windows.all.begin, windows.all.end))
            stop = origin + windows.shape[0]
            assert ((begin - origin >= margins.before) | (origin == 0)).all()
            assert ((stop - end >= margins.after) | (stop == windows.covered[0])).all()
            assert (origin >= 0).all() and (stop <= windows.covered[0]).all() and (begin < end).all()
            assert not (origin % margins.stride).any() and not (begin % margins.stride).any()
            assert size <= windows.covered[0] < size + margins.stride

    def test_tiles_have_the_size_that_was_asked_for(self, margins: Margins, tile_size: int) -> None:
        rounded = -(-tile_size // margins.stride) * margins.stride
        for size in SIZES:
            windows = cover(size, 1, tile_size, margins)
            most = rounded + margins.before + margins.after
            assert windows.shape[0] <= max(most, windows.covered[0] if len(windows.all.begin) == 1 else 0)
            assert len(windows.all.begin) == 1 or windows.covered[0] > most


class TestMargins:
    @pytest.mark.parametrize(("name", "expected"), [("vgg19", Margins(16, 80, 80)), ("vgg16", Margins(16, 64, 64))])
    def test_vgg(self, name: str, expected: Margins) -> None:
        network = Network({}, jnp.zeros(3), jnp.zeros(3), name)
        layers = (*ARCHITECTURES[name].style_layers, *ARCHITECTURES[name].content_layers)
        assert margins_for(network, dict.fromkeys(layers, 0)) == expected

    def test_neighbors_below_and_to_the_right_need_more(self) -> None:
        network = Network({}, jnp.zeros(3), jnp.zeros(3), "vgg19")
        assert margins_for(network, {"relu5_1": 8}) == Margins(16, 80, 208)
        assert margins_for(network, {"relu5_1": 0, "relu1_1": 8}) == Margins(16, 80, 80)

    @pytest.mark.parametrize("name", ["plain", "mixed"])
    @pytest.mark.parametrize("layer", ["relu1", "pool1", "relu2", "relu3"])
    def test_positions_depend_on_exactly_their_receptive_field(self, name: str, layer: str) -> None:
        """With average pooling and positive kernels, every pixel of the receptive field has a derivative."""
        with tiny_networks() as networks:
            network = networks[name].replace(pooling="avg")
            network = network.replace(parameters=jax.tree.map(np.abs, network.parameters), mean=np.zeros(3, np.float32))
            field, position = network.receptive_field(layer), 5

            def value(picture: jax.Array) -> jax.Array:
                return network.features(picture, (layer,))[layer][position, position].sum()

            used = np.asarray(jax.jit(jax.grad(value))(np.ones((100, 100, 3), np.float32))).any(-1)
        expected = np.arange(field.stride * position - field.before, field.stride * position + field.after + 1)
        for axis in (0, 1):
            assert np.flatnonzero(used.any(axis)).tolist() == expected.tolist()
