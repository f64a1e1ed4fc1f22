"""`stylize` end to end at small sizes: results, progress, and divergence."""

import threading
from dataclasses import replace
from itertools import pairwise

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import assume, example, given, settings
from hypothesis import strategies as st
from support import naive
from support.quick import QUICK, compilations, run

from jaxstyle import Progress, stylize
from jaxstyle.config import TERMS, StyleConfig
from jaxstyle.errors import DivergedError
from jaxstyle.images import MIN_SIDE, fit_shape, resize_longest
from jaxstyle.networks import Network, resolve_layers
from jaxstyle.optimization import Objective, State, Terms, network_at, prepare_network, schedule, solver
from jaxstyle.stylize import Stylized

DEFAULT_LAYERS = StyleConfig(size=64, steps=6)


class TestDefaultLayers:
    """The embedded VGG-19 with the default layers at 64 pixels, compiled once for all of these tests."""

    @pytest.fixture(scope="class")
    @classmethod
    def result(cls, photo: np.ndarray, painting: np.ndarray) -> Stylized:
        jax.clear_caches()  # other tests may have compiled for the same shapes
        with compilations() as events:
            result = stylize(photo, painting, config=DEFAULT_LAYERS)
        assert events  # checks that compilations are reported, for the test that expects none
        return result

    def test_image_is_a_picture(self, result: Stylized, photo: np.ndarray) -> None:
        assert result.image.shape == (49, 64, 3) == (*fit_shape(*photo.shape[:2], 64), 3)
        assert isinstance(result.image, np.ndarray) and result.image.dtype == np.float32
        assert result.image.min() >= 0 and result.image.max() <= 1

    def test_losses_decrease(self, result: Stylized) -> None:
        assert result.history.total[-1] < 0.7 * result.history.total[0]
        assert result.history.style[-1] < 0.7 * result.history.style[0]
        assert result.config == resolve_layers(DEFAULT_LAYERS, "vgg19")

    def test_colors_approach_those_of_the_style(
        self, result: Stylized, photo: np.ndarray, painting: np.ndarray
    ) -> None:
        target = naive.color_moments(painting)
        before, after = (naive.color_distance(naive.color_moments(x), target) for x in (photo, result.image))
        assert after < 0.2 * before

    def test_a_second_run_gives_the_same_bytes(
        self, result: Stylized, network: Network, photo: np.ndarray, painting: np.ndarray
    ) -> None:
        again = stylize(photo, painting, network=network, config=DEFAULT_LAYERS)
        assert again.image.tobytes() == result.image.tobytes()
        assert again.history.total.tobytes() == result.history.total.tobytes()

    def test_other_pictures_weights_and_seeds_compile_nothing(
        self, result: Stylized, network: Network, photo: np.ndarray, painting: np.ndarray
    ) -> None:
        config = replace(
            DEFAULT_LAYERS, content_weight=1.0, tv_weight=0.1, steps=5, init=(("content", 1.0), ("noise", 0.5))
        )
        with compilations() as events:
            other = stylize(photo[::-1], painting[:, ::-1], network=network, config=config, seed=5)
        assert not events
        assert np.abs(other.image - result.image).mean() > 0.01


@pytest.mark.usefixtures("small_pyramid")
class TestCoarseToFine:
    CONFIG = replace(QUICK, optimizer="lbfgs", steps=15)

    @pytest.fixture(scope="class")
    @classmethod
    def calls(cls) -> list[Progress]:
        """What the callback is called with."""
        return []

    @pytest.fixture(scope="class")
    @classmethod
    def result(
        cls, small_pyramid: None, network: Network, photo: np.ndarray, painting: np.ndarray, calls: list[Progress]
    ) -> Stylized:
        return run(network, photo, painting, config=cls.CONFIG, callback=calls.append)

    def test_history_is_as_long_as_the_schedule(self, result: Stylized, photo: np.ndarray) -> None:
        levels = schedule(self.CONFIG, *photo.shape[:2])
        assert len(levels) > 1
        np.testing.assert_array_equal(result.sizes, [size for size, steps in levels for _ in range(steps)])
        for values in vars(result.history).values():
            assert isinstance(values, np.ndarray) and values.shape == result.sizes.shape
            assert np.isfinite(values).all()

    def test_the_total_is_the_weighted_sum_of_terms(self, result: Stylized) -> None:
        terms = {name: getattr(result.history, name) for name in TERMS}
        total = sum(getattr(self.CONFIG, f"{name}_weight") * values for name, values in terms.items())
        np.testing.assert_allclose(result.history.total, total, rtol=1e-5)

    def test_the_large_size_starts_from_a_lower_loss(self, result: Stylized) -> None:
        first, last = (result.history.total[result.sizes == size] for size in (32, 64))
        assert last[0] < first[0] and last[-1] < last[0]

    def test_the_callback_is_called_from_the_first_to_the_last_step_of_every_size(
        self, result: Stylized, calls: list[Progress], photo: np.ndarray
    ) -> None:
        levels = schedule(self.CONFIG, *photo.shape[:2])
        for level, (size, steps) in enumerate(levels):
            at_level = [progress for progress in calls if progress.level == level]
            for progress in at_level:
                assert (progress.size, progress.steps, progress.levels) == (size, steps, len(levels))
                assert progress.picture.shape == (*fit_shape(*photo.shape[:2], size), 3)
            counts = [progress.step for progress in at_level]
            assert counts[0] == 0 and counts[-1] == steps and counts == sorted(set(counts)) and len(counts) > 2
        assert [progress.level for progress in calls] == sorted(progress.level for progress in calls)

    def test_the_callback_gets_terms_and_pictures(self, result: Stylized, calls: list[Progress]) -> None:
        total_steps = 0
        for previous, progress in zip([None, *calls], calls, strict=False):
            same_level = previous is not None and previous.level == progress.level
            total_steps += progress.step - previous.step if same_level else 0
            assert progress.picture.min() >= 0 and progress.picture.max() <= 1
            if progress.step == 0:
                assert progress.terms is None
            else:
                expected = Terms(*(float(values[total_steps - 1]) for values in vars(result.history).values()))
                assert progress.terms == expected
        np.testing.assert_array_equal(calls[-1].picture, result.image)

    @pytest.mark.parametrize("index", [0, 1, 3])
    def test_an_exception_from_the_callback_ends_the_run(
        self, network: Network, photo: np.ndarray, painting: np.ndarray, index: int
    ) -> None:
        calls = []

        def stop(progress: Progress) -> None:
            calls.append(progress)
            if len(calls) > index:
                raise KeyboardInterrupt

        with pytest.raises(KeyboardInterrupt):
            run(network, photo, painting, config=self.CONFIG, callback=stop)
        assert len(calls) == index + 1


def test_a_painting_in_its_own_style_stays_as_it_is(network: Network, painting: np.ndarray) -> None:
    large = resize_longest(painting, 256)  # at 128 pixels, too, where it loses detail that it must get back
    config = replace(QUICK, size=256, steps=8, optimizer="lbfgs")
    result = run(network, large, large, config=config)
    assert len(set(result.sizes)) == 2
    assert np.sqrt(np.mean((result.image - large) ** 2)) < 0.01  # 40 dB; only the grain term asks for a change
    without_grain_term = run(network, large, large, config=replace(config, grain_weight=0.0))
    np.testing.assert_allclose(without_grain_term.image, large, atol=0.5 / 255)


class TestSchedule:
    @settings(max_examples=200, deadline=None)
    @given(st.integers(1, 3000), st.integers(1, 3000), st.integers(1, 5000), st.integers(1, 500))
    @example(100, 100, 127, 1)
    @example(100, 100, 512, 1)
    @example(3000, 40, 4096, 40)
    def test_sizes_increase_to_that_of_the_settings(self, height: int, width: int, size: int, steps: int) -> None:
        assume(min(fit_shape(height, width, size)) >= MIN_SIDE)
        levels = schedule(StyleConfig(size=size, steps=steps), height, width)
        sizes = [size for size, _ in levels]
        assert levels[-1] == (size, steps)
        assert all(small < large for small, large in pairwise(sizes))
        assert all(isinstance(steps, int) and steps >= 1 for _, steps in levels)
        assert all(min(fit_shape(height, width, size)) >= MIN_SIDE for size in sizes)

    def test_large_pictures_start_small(self) -> None:
        assert len(schedule(StyleConfig(size=512), 3, 4)) > 1
        assert schedule(StyleConfig(size=4096), 3, 4)[0][0] <= schedule(StyleConfig(size=512), 3, 4)[0][0] <= 256

    def test_no_side_becomes_too_short(self) -> None:
        assert schedule(StyleConfig(size=512), 16, 512) == ((512, StyleConfig().steps),)


class TestDivergence:
    @pytest.mark.parametrize("cause", ["a broken network", "an enormous weight"])
    def test_raises_after_the_callback_got_the_last_accepted_picture(
        self, network: Network, photo: np.ndarray, painting: np.ndarray, cause: str
    ) -> None:
        broken = network.replace(mean=network.mean * jnp.nan) if cause == "a broken network" else network
        config = QUICK if cause == "a broken network" else replace(QUICK, style_weight=3e38, steps=12)
        calls: list[Progress] = []
        with pytest.raises(DivergedError) as caught:
            run(broken, photo, painting, config=config, callback=calls.append)
        message = str(caught.value)
        assert message.isprintable() and "64 px" in message and "lower the weights" in message
        assert np.isfinite(calls[-1].picture).all()


@pytest.mark.usefixtures("small_pyramid")
def test_larger_sizes_are_compiled_while_smaller_ones_are_optimized(
    network: Network, photo: np.ndarray, painting: np.ndarray, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The callback blocks the smaller size until the program of the larger one has been compiled."""
    larger_size, widths, original_compile = threading.Event(), [], solver.run.compile

    def spy(network: Network, objective: Objective, state: State, steps: int, *, optimizer: str) -> None:
        original_compile(network, objective, state, steps, optimizer=optimizer)
        widths.append(state.trial.shape[1])
        if widths[-1] == 64:
            larger_size.set()

    def wait_for_larger_size(progress: Progress) -> None:
        assert progress.level or larger_size.wait(60), "the next size was not compiled"

    monkeypatch.setattr(solver.run, "compile", spy)
    run(network, photo[:48], painting, config=replace(QUICK, steps=2), callback=wait_for_larger_size)
    assert widths == [32, 64]


@pytest.mark.usefixtures("winograd")
@pytest.mark.parametrize(("size", "is_fast"), [(128, False), (129, True)])
def test_only_larger_sizes_use_the_fast_convolution_and_all_give_the_same_features(
    network: Network, photo: np.ndarray, size: int, is_fast: bool
) -> None:
    prepared = prepare_network(network, StyleConfig(content_layers=(("relu2_1", 1),), style_layers=(("relu1_1", 1),)))
    used = network_at(prepared, size)
    assert (used is prepared) == is_fast
    found, expected = (variant.features(photo, ["relu2_1"])["relu2_1"] for variant in (used, network.direct()))
    np.testing.assert_allclose(found, expected, rtol=0, atol=1e-4 * float(expected.max()))
