"""Going on from a result as the initial picture, and the number of sizes."""

from dataclasses import replace

import numpy as np
import pytest
from support.quick import QUICK, first_layer, run

from jaxstyle import make_stylizer, stylize_batch
from jaxstyle.config import StyleConfig
from jaxstyle.images import read_image, resize, write_image
from jaxstyle.networks import Network
from jaxstyle.optimization import Progress, schedule

QUICK = replace(QUICK, optimizer="lbfgs")
FROM_PICTURE = replace(QUICK, init=(("picture", 1.0),))


class TestNumberOfSizes:
    @pytest.mark.parametrize(
        ("settings", "sizes"),
        [
            ({}, [128, 256, 512]),
            ({"levels": 1}, [512]),
            ({"levels": 2}, [256, 512]),
            ({"levels": 9}, [128, 256, 512]),
            ({"init": (("picture", 2.0), ("noise", 0.0))}, [512]),
            ({"init": (("picture", 2.0), ("noise", 1.0))}, [128, 256, 512]),
            ({"init": (("picture", 1.0),), "levels": 2}, [256, 512]),
        ],
    )
    def test_is_that_of_the_settings_or_1_from_a_picture_alone(self, settings: dict, sizes: list[int]) -> None:
        config = StyleConfig(steps=7, **settings)
        assert schedule(config, 3, 4) == tuple((size, 7) for size in sizes)

    def test_stylizers_have_the_same(self, network: Network) -> None:
        first = first_layer(network)
        for config in (replace(QUICK, size=256, levels=1), replace(FROM_PICTURE, size=256)):
            assert make_stylizer(first, config, height=60, width=80).levels == ((256, QUICK.steps),)


class TestGoingOn:
    @pytest.mark.usefixtures("small_pyramid")
    def test_starts_with_the_file_of_a_result_to_the_bit_and_lowers_its_loss(
        self, network: Network, photo: np.ndarray, painting: np.ndarray, tmp_path
    ) -> None:
        before = run(network, photo, painting)
        assert len(set(before.sizes)) == 2
        write_image(tmp_path / "result.png", before.image)
        result = read_image(tmp_path / "result.png", size=QUICK.size)
        calls: list[Progress] = []
        after = run(network, photo, painting, config=FROM_PICTURE, initial_picture=result, callback=calls.append)
        assert calls[0].step == 0 and set(after.sizes) == {QUICK.size}
        np.testing.assert_array_equal(calls[0].picture, result)
        assert np.abs(calls[0].picture - before.image).max() < 1 / 255
        assert after.history.total[0] < before.history.total[-QUICK.steps]
        assert after.history.total[-1] < 0.97 * after.history.total[0]

    def test_at_a_larger_size_starts_with_the_enlarged_result(
        self, network: Network, photo: np.ndarray, painting: np.ndarray
    ) -> None:
        small = run(network, photo, painting).image
        calls: list[Progress] = []
        config = replace(FROM_PICTURE, size=96, steps=4)
        run(network, photo, painting, config=config, initial_picture=small, callback=calls.append)
        np.testing.assert_array_equal(calls[0].picture, resize(small, 73, 96))

    def test_when_only_the_luminance_is_painted(
        self, network: Network, photo: np.ndarray, painting: np.ndarray
    ) -> None:
        """The optimization compares gray pictures, so it must start with a gray one too."""
        colors = (("luminance", 1.0),)
        result = run(network, photo, painting, config=replace(QUICK, colors=colors)).image
        calls: list[tuple[np.ndarray, np.ndarray]] = []
        config = replace(FROM_PICTURE, colors=colors)

        def callback(progress: Progress) -> None:
            calls.append((progress.picture, np.array(progress.state.picture)))

        after = run(network, photo, painting, config=config, initial_picture=result, callback=callback)
        np.testing.assert_allclose(calls[0][0], result, atol=1 / 255)
        assert np.ptp(calls[0][1], axis=-1).max() < 1e-6 < np.ptp(result, axis=-1).max()
        (found,) = stylize_batch(
            [photo], [painting], network=first_layer(network), config=config, initial_pictures=[result]
        )
        assert found.image.tobytes() == after.image.tobytes()
