"""The main path end to end at small sizes: what comes out, what it says on the way, and how it ends."""

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
from jaxstyle.config import StyleConfig
from jaxstyle.errors import DivergedError
from jaxstyle.images.resizing import MIN_SIDE, fit_shape
from jaxstyle.networks.architectures import resolve_layers
from jaxstyle.networks.network import Network
from jaxstyle.optimization import solver
from jaxstyle.optimization.objective import Objective, Terms
from jaxstyle.optimization.pyramid import schedule
from jaxstyle.optimization.solver import State
from jaxstyle.stylize import Stylized

WHOLE = StyleConfig(size=64, steps=6)


class TestTheRealNetwork:
    """The embedded VGG-19 with the default layers, 64 pixels, 6 steps: compiled once for all of these."""

    @pytest.fixture(scope="class")
    @classmethod
    def result(cls, photo: np.ndarray, painting: np.ndarray) -> Stylized:
        jax.clear_caches()  # of what other tests compiled for the same shapes
        with compilations() as seen:
            result = stylize(photo, painting, config=WHOLE)
        assert seen  # or else the test that counts nothing sees nothing
        return result

    def test_picture(self, result: Stylized, photo: np.ndarray) -> None:
        assert result.image.shape == (49, 64, 3) == (*fit_shape(*photo.shape[:2], 64), 3)
        assert isinstance(result.image, np.ndarray) and result.image.dtype == np.float32
        assert result.image.min() >= 0 and result.image.max() <= 1

    def test_losses_fall(self, result: Stylized) -> None:
        assert result.history.total[-1] < 0.7 * result.history.total[0]
        assert result.history.style[-1] < 0.7 * result.history.style[0]
        assert result.config == resolve_layers(WHOLE, "vgg19")

    def test_colors_become_the_style_s(self, result: Stylized, photo: np.ndarray, painting: np.ndarray) -> None:
        target = naive.color_moments(painting)
        before, after = (naive.color_distance(naive.color_moments(x), target) for x in (photo, result.image))
        assert after < 0.2 * before

    def test_again_it_gives_the_same_bytes(
        self, result: Stylized, network: Network, photo: np.ndarray, painting: np.ndarray
    ) -> None:
        again = stylize(photo, painting, network=network, config=WHOLE)
        assert again.image.tobytes() == result.image.tobytes()
        assert again.history.total.tobytes() == result.history.total.tobytes()

    def test_other_pictures_weights_and_seeds_compile_nothing(
        self, result: Stylized, network: Network, photo: np.ndarray, painting: np.ndarray
    ) -> None:
        config = replace(WHOLE, content_weight=1.0, tv_weight=0.1, steps=5, init=(("content", 1.0), ("noise", 0.5)))
        with compilations() as seen:
            other = stylize(photo[::-1], painting[:, ::-1], network=network, config=config, seed=5)
        assert not seen
        assert np.abs(other.image - result.image).mean() > 0.01


class TestCoarseToFine:
    CONFIG = replace(QUICK, size=256, steps=12)

    @pytest.fixture(scope="class")
    @classmethod
    def looks(cls) -> list[Progress]:
        return []

    @pytest.fixture(scope="class")
    @classmethod
    def result(cls, network: Network, photo: np.ndarray, painting: np.ndarray, looks: list[Progress]) -> Stylized:
        return run(network, photo, painting, config=cls.CONFIG, callback=looks.append)

    def test_history_is_as_long_as_the_schedule(self, result: Stylized, photo: np.ndarray) -> None:
        levels = schedule(self.CONFIG, *photo.shape[:2])
        assert len(levels) > 1
        np.testing.assert_array_equal(result.sizes, [size for size, steps in levels for _ in range(steps)])
        for values in vars(result.history).values():
            assert isinstance(values, np.ndarray) and values.shape == result.sizes.shape
            assert np.isfinite(values).all()

    def test_history_adds_up(self, result: Stylized) -> None:
        parts = {name: getattr(result.history, name) for name in ("content", "style", "color", "tv")}
        total = sum(getattr(self.CONFIG, f"{name}_weight") * values for name, values in parts.items())
        np.testing.assert_allclose(result.history.total, total, rtol=1e-5)

    def test_the_small_size_prepares_the_large_one(self, result: Stylized) -> None:
        first, last = (result.history.total[result.sizes == size] for size in (result.sizes[0], 256))
        assert last[0] < first[0] and last[-1] < last[0]

    def test_the_callback_sees_every_size_from_its_start_to_its_end(
        self, result: Stylized, looks: list[Progress], photo: np.ndarray
    ) -> None:
        levels = schedule(self.CONFIG, *photo.shape[:2])
        for level, (size, steps) in enumerate(levels):
            seen = [look for look in looks if look.level == level]
            assert all((look.size, look.steps, look.levels) == (size, steps, len(levels)) for look in seen)
            taken = [look.step for look in seen]
            assert taken[0] == 0 and taken[-1] == steps and taken == sorted(set(taken)) and len(taken) > 2
            assert all(look.picture.shape == (*fit_shape(*photo.shape[:2], size), 3) for look in seen)
        assert [look.level for look in looks] == sorted(look.level for look in looks)

    def test_the_callback_sees_terms_and_pictures(self, result: Stylized, looks: list[Progress]) -> None:
        done = 0
        for before, look in zip([None, *looks], looks, strict=False):
            done += look.step - before.step if before and before.level == look.level else 0
            assert look.picture.min() >= 0 and look.picture.max() <= 1
            if look.step == 0:
                assert look.terms is None
            else:
                expected = Terms(*(float(values[done - 1]) for values in vars(result.history).values()))
                assert look.terms == expected
        np.testing.assert_array_equal(looks[-1].picture, result.image)

    @pytest.mark.parametrize("at", [0, 1, 3])
    def test_what_the_callback_raises_ends_the_run(
        self, network: Network, photo: np.ndarray, painting: np.ndarray, at: int
    ) -> None:
        calls = []

        def stop(progress: Progress) -> None:
            calls.append(progress)
            if len(calls) > at:
                raise KeyboardInterrupt

        with pytest.raises(KeyboardInterrupt):
            run(network, photo, painting, config=self.CONFIG, callback=stop)
        assert len(calls) == at + 1


class TestSchedule:
    @settings(max_examples=200, deadline=None)
    @given(st.integers(1, 3000), st.integers(1, 3000), st.integers(1, 5000), st.integers(1, 500))
    @example(100, 100, 127, 1)
    @example(100, 100, 512, 1)
    @example(3000, 40, 4096, 40)
    def test_goes_up_to_the_size_asked_for(self, height: int, width: int, size: int, steps: int) -> None:
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

    def test_long_pictures_do_not_become_too_thin(self) -> None:
        assert schedule(StyleConfig(size=512), 16, 512) == ((512, StyleConfig().steps),)


class TestDivergence:
    @pytest.mark.parametrize("cause", ["a broken network", "an enormous weight"])
    def test_stops_with_one_line_and_the_last_good_picture(
        self, network: Network, photo: np.ndarray, painting: np.ndarray, cause: str
    ) -> None:
        broken = network.replace(mean=network.mean * jnp.nan) if cause == "a broken network" else network
        config = QUICK if cause == "a broken network" else replace(QUICK, style_weight=3e38, steps=12)
        looks: list[Progress] = []
        with pytest.raises(DivergedError) as caught:
            run(broken, photo, painting, config=config, callback=looks.append)
        message = str(caught.value)
        assert message.isprintable() and "64 px" in message and "lower the weights" in message
        assert np.isfinite(looks[-1].picture).all()


def test_larger_sizes_are_compiled_while_smaller_ones_are_optimized(
    network: Network, photo: np.ndarray, painting: np.ndarray, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The run goes no further at its smallest size before the program of the next one has been called."""
    larger, calls, take_steps = threading.Event(), [], solver.run

    def spy(network: Network, objective: Objective, state: State, steps: int, *, optimizer: str) -> tuple[State, Terms]:
        width = state.trial.shape[1]
        result = take_steps(network, objective, state, steps, optimizer=optimizer)
        calls.append((width, steps))
        if width == 256:
            larger.set()
        return result

    def watch(progress: Progress) -> None:
        assert progress.level or larger.wait(60), "the next size was not compiled"

    monkeypatch.setattr(solver, "run", spy)
    run(network, photo[:48], painting, config=replace(QUICK, size=256, steps=2), callback=watch)
    assert sorted(calls) == [(128, 0), (128, 3), (256, 0), (256, 2)]
