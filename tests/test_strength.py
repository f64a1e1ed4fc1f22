"""Strength: from the content itself over what the weights say to twice that."""

from dataclasses import replace

import jax
import numpy as np
import pytest
from support.quick import QUICK, first_layer, run

from jaxstyle import make_stylizer, measure_style, stylize_batch, texture
from jaxstyle.config import StyleConfig
from jaxstyle.errors import ConfigError
from jaxstyle.images import resize_longest
from jaxstyle.networks import Network
from jaxstyle.optimization import Progress, targets_of_strength
from jaxstyle.stylize import Stylized
from jaxstyle.stylizer import Stylizer


def of_strength(strength: float, config: StyleConfig = QUICK) -> StyleConfig:
    return replace(config, strength=strength)


class TestZero:
    @pytest.mark.parametrize("colors", ["style", "content", "luminance"])
    def test_gives_the_content_to_the_bit(
        self, network: Network, photo: np.ndarray, painting: np.ndarray, colors: str
    ) -> None:
        calls: list[Progress] = []
        config = replace(of_strength(0), colors=((colors, 1.0),))
        result = run(network, photo, painting, config=config, callback=calls.append)
        expected = resize_longest(photo, QUICK.size)
        assert result.image.tobytes() == expected.tobytes()
        assert all(progress.picture.tobytes() == expected.tobytes() for progress in calls)
        assert result.history.total.shape == (1,)
        (found,) = stylize_batch([photo], [painting], network=first_layer(network), config=config)
        assert found.image.tobytes() == expected.tobytes()

    def test_of_a_transparent_content_and_of_a_picture_at_full_size(
        self, network: Network, photo: np.ndarray, painting: np.ndarray
    ) -> None:
        content = np.dstack([photo, np.tile(np.linspace(0, 1, 96, dtype=np.float32), (73, 1))])
        result = run(network, content, painting, config=replace(of_strength(0), size=96))
        visible = content[..., 3] >= 0.05  # fainter ones take the colors around them
        assert result.image[visible].tobytes() == photo[visible].tobytes()

    def test_of_a_stylizer(self, network: Network, photo: np.ndarray, painting: np.ndarray) -> None:
        first, config = first_layer(network), replace(of_strength(0), size=96)
        stylizer = make_stylizer(first, config, height=73, width=96)
        found = stylizer(photo, measure_style(painting, network=first, config=config))
        assert np.asarray(found).tobytes() == photo.tobytes()


@pytest.fixture(scope="module")
def results(network: Network, photo: np.ndarray, painting: np.ndarray) -> list[Stylized]:
    config = replace(QUICK, steps=20)
    return [run(network, photo, painting, config=of_strength(s, config)) for s in (0, 0.25, 0.5, 0.75, 1, 1.5, 2)]


class TestSteps:
    def test_are_monotone_and_roughly_even(self, results: list[Stylized]) -> None:
        content = results[0].image
        distances = [float(np.sqrt(np.mean((result.image - content) ** 2))) for result in results]
        steps = np.diff(distances)
        assert distances[0] == 0 and (steps > 0).all()
        below_1 = steps[:4] / distances[4]
        assert below_1.min() > 0.1 and below_1.max() < 0.45

    def test_go_from_the_content_to_the_style(self, results: list[Stylized]) -> None:
        content = [result.history.content[-1] for result in results[1:]]
        assert (np.diff(content) > 0).all()
        assert results[-1].history.style[-1] <= results[4].history.style[-1]

    def test_one_is_what_the_weights_say(self, network: Network, photo: np.ndarray, painting: np.ndarray) -> None:
        style = measure_style(painting, network=first_layer(network), config=QUICK).at(64)
        assert targets_of_strength(QUICK, style, lambda: pytest.fail("nothing to measure")) is style
        plain = run(network, photo, painting).image
        assert run(network, photo, painting, config=of_strength(1)).image.tobytes() == plain.tobytes()


class TestEverywhere:
    def test_pairs_of_a_batch_are_as_alone(self, network: Network, photo: np.ndarray, painting: np.ndarray) -> None:
        strengths = (0.5, 1.0, 1.5)
        configs = [of_strength(strength) for strength in strengths]
        alone = [run(network, photo, painting, config=config).image for config in configs]
        first = first_layer(network)
        found = stylize_batch([photo] * 3, [painting] * 3, network=first, config=configs)
        together = stylize_batch([photo] * 3, [painting] * 3, network=first, config=configs, batch_size=3)
        for one, other, expected in zip(found, together, alone, strict=True):
            assert one.image.tobytes() == expected.tobytes()
            assert np.abs(other.image - expected).mean() < 1e-3

    def test_a_stylizer_agrees(self, network: Network, photo: np.ndarray, painting: np.ndarray) -> None:
        first, config = first_layer(network), of_strength(0.5)
        expected = run(network, photo, painting, config=config).image
        stylizer = make_stylizer(first, config, height=73, width=96)
        found = jax.jit(Stylizer.__call__)(stylizer, photo, measure_style(painting, network=first, config=config))
        # L-BFGS amplifies what differs by rounding.
        assert np.abs(np.asarray(found) - expected).mean() < 5e-4

    def test_in_regions(self, network: Network, photo: np.ndarray, painting: np.ndarray) -> None:
        """The whole of both pictures as a single region is as without regions."""
        masks = {"content_mask": np.ones((1, 73, 96)), "style_mask": np.ones((1, 64, 80))}
        expected = run(network, photo, painting, config=of_strength(0.5))
        found = run(network, photo, painting, config=of_strength(0.5), **masks)
        assert found.history.total[0] == pytest.approx(expected.history.total[0], rel=1e-3)
        np.testing.assert_allclose(found.image, expected.image, atol=0.02)

    def test_of_samples_of_features(self, network: Network, photo: np.ndarray, painting: np.ndarray) -> None:
        """The mixture is one of samples: of each picture as many vectors as its share."""
        config, first = replace(of_strength(0.25), style_representation="nearest"), first_layer(network)
        content, style = (measure_style(picture, network=first, config=config).at(64) for picture in (photo, painting))
        targets = targets_of_strength(config, style, lambda: content)
        (found,), (of_photo,), (of_painting,) = (
            statistics.measured.values() for statistics in (targets, content, style)
        )
        count = round(len(of_photo) * (1 - 0.25**1.5))
        np.testing.assert_array_equal(found[:count], of_photo[:count])
        np.testing.assert_array_equal(found[count:], of_painting[: len(found) - count])

    def test_textures_have_none(self, network: Network, painting: np.ndarray) -> None:
        with pytest.raises(ConfigError, match=r"strength is 0\.5, but a texture has no content"):
            texture(painting, height=64, width=64, network=first_layer(network), config=of_strength(0.5))
