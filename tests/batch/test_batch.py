"""Many pairs: each gives the result that it gives alone, in batches or not, padded or not."""

import os
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path

import jax
import numpy as np
import pytest
from support.compiler import simulated_devices
from support.pyramid import sizes_from_32
from support.quick import QUICK, first_layer, random_picture, run
from support.tiny import tiny_networks

from jaxstyle import Progress
from jaxstyle.batch import (
    BatchSolver,
    Group,
    MeasurementCache,
    PaddedShape,
    plan_groups,
    stylize_batch,
    stylize_group,
)
from jaxstyle.batch import stylize as batch_module
from jaxstyle.errors import ConfigError, PictureError
from jaxstyle.images import resize
from jaxstyle.networks import Network, convolution
from jaxstyle.optimization import Pair, check_pair
from jaxstyle.optimization import targets as targets_module
from jaxstyle.stylize import Stylized, measure_style

QUICK = replace(QUICK, size=48)  # a single size
LBFGS = replace(QUICK, optimizer="lbfgs")  # for pairs in one batch, which must not share anything of its state
TWO_SIZES = replace(QUICK, size=64, steps=8)
HALF_LEVEL = 0.5 / 255


@pytest.fixture(autouse=True, scope="module")
def small_pyramid() -> Iterator[None]:
    with sizes_from_32():
        yield


@pytest.fixture(scope="module")
def first(network: Network) -> Network:
    """The network's first layer."""
    return first_layer(network)


@pytest.fixture(scope="module")
def contents(photo: np.ndarray) -> list[np.ndarray]:
    """Three shapes: landscape, less so, and portrait."""
    return [photo, resize(photo, 80, 96), resize(photo.swapaxes(0, 1), 96, 70)]


@pytest.fixture(scope="module")
def styles(painting: np.ndarray) -> list[np.ndarray]:
    return [painting, painting[::-1] ** 2, random_picture(50, 60) ** 3]


@pytest.fixture(scope="module")
def alone(network: Network, contents: Sequence[np.ndarray], styles: Sequence[np.ndarray]) -> list[Stylized]:
    """Of the first and the last picture, each in its style; each shape has programs that take seconds to compile."""
    pairs = zip(contents[::2], styles[::2], strict=True)
    return [run(network, content, style, config=TWO_SIZES) for content, style in pairs]


def test_fast_convolutions_are_used_at_every_size(
    photo: np.ndarray, painting: np.ndarray, monkeypatch: pytest.MonkeyPatch
) -> None:
    def stop(_: BatchSolver, used: Network, *__: object, **___: object) -> None:
        transformed.append({layer for layer, arrays in used.prepared.items() if arrays["kernel"]})
        raise InterruptedError

    transformed: list[set[str]] = []
    monkeypatch.setattr(BatchSolver, "run", stop)
    monkeypatch.setattr(convolution, "MIN_CHANNELS", 4)
    config = replace(QUICK, content_layers=(("relu2", 1.0),), style_layers=(("relu2", 1.0),))
    with tiny_networks() as networks, pytest.raises(InterruptedError):
        stylize_batch([photo], [painting], network=networks["plain"], config=config)
    assert transformed == [{"conv2"}]  # conv1 has three channels


class TestSeparatePairs:
    def test_each_pair_gives_the_bytes_that_it_gives_alone(
        self, first: Network, contents: list[np.ndarray], styles: list[np.ndarray], alone: list[Stylized]
    ) -> None:
        together = stylize_batch(contents[::2], styles[::2], network=first, config=TWO_SIZES)
        for found, expected in zip(together, alone, strict=True):
            assert found.image.tobytes() == expected.image.tobytes()
            assert found.history.total.tobytes() == expected.history.total.tobytes()
            np.testing.assert_array_equal(found.sizes, expected.sizes)
            assert found.config == expected.config and found.error is None

    def test_settings_seeds_and_initial_pictures_belong_to_their_pair(
        self, network: Network, first: Network, photo: np.ndarray, painting: np.ndarray
    ) -> None:
        configs = [
            replace(QUICK, init=(("noise", 1.0),), style_weight=3.0),
            replace(QUICK, init=(("noise", 1.0),), optimizer="lbfgs"),
            replace(QUICK, init=(("picture", 1.0),), style_blend=(1.0, 3.0)),
            replace(QUICK, init=(("style", 1.0),), style_scale=2.0),
        ]
        painted: list = [painting, painting, [painting, photo], painting]
        start = random_picture(15, 20)
        found = stylize_batch(
            [photo] * 4,
            painted,
            network=first,
            config=configs,
            seeds=[1, 2, 3, 4],
            initial_pictures=[None, None, start, None],
        )
        for result, config, style, seed in zip(found, configs, painted, [1, 2, 3, 4], strict=True):
            expected = run(
                network, photo, style, config=config, seed=seed, initial_picture=start if seed == 3 else None
            )
            assert result.image.tobytes() == expected.image.tobytes()

    def test_measured_styles_give_the_same_as_pictures(
        self, first: Network, contents: list[np.ndarray], painting: np.ndarray, alone: list[Stylized]
    ) -> None:
        style = measure_style(painting, network=first, config=TWO_SIZES)
        (found,) = stylize_batch(contents[:1], [style], network=first, config=TWO_SIZES)
        assert found.image.tobytes() == alone[0].image.tobytes()

    def test_shared_pictures_are_measured_once(
        self, first: Network, contents: list[np.ndarray], painting: np.ndarray, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        calls = {"style_statistics": 0, "content_of_picture": 0}
        for name in calls:
            real = getattr(targets_module, name)

            def counted(*args, name=name, real=real, **options):
                calls[name] += 1
                return real(*args, **options)

            monkeypatch.setattr(targets_module, name, counted)
        monkeypatch.setattr(batch_module, "concurrent_groups", lambda *_: 1)
        stylize_batch([contents[0]] * 3 + [contents[2]], [painting] * 4, network=first, config=TWO_SIZES)
        assert calls == {"style_statistics": 2, "content_of_picture": 4}

    def test_the_callback_is_called_for_every_pair(
        self, first: Network, contents: list[np.ndarray], painting: np.ndarray
    ):
        reports: list[tuple[tuple[int, ...], Progress]] = []
        stylize_batch(
            contents, [painting] * 3, network=first, config=QUICK, callback=lambda *report: reports.append(report)
        )
        for pair in range(3):
            assert [progress.step for pairs, progress in reports if pairs == (pair,)] == [0, QUICK.steps]

    def test_an_exception_in_the_callback_ends_the_run(self, first: Network, photo: np.ndarray, painting: np.ndarray):
        calls = []

        def stop(pairs: tuple[int, ...], progress: Progress) -> None:
            calls.append(pairs)
            time.sleep(0.01 * len(calls))  # so that the others do not end before the run has noticed
            raise KeyboardInterrupt

        with pytest.raises(KeyboardInterrupt):
            stylize_batch([photo] * 50, [painting] * 50, network=first, config=QUICK, callback=stop)
        assert len(calls) < 25


class TestBatches:
    @pytest.mark.parametrize("max_programs", [50, 1], ids=["several shapes", "padded to one shape"])
    def test_each_pair_of_a_batch_gives_what_it_gives_alone(
        self,
        first: Network,
        contents: list[np.ndarray],
        styles: list[np.ndarray],
        max_programs: int,
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        """Within one level after 8 steps. Padded pairs share one program, and one place of its batch is empty."""
        config = replace(LBFGS, steps=8)
        monkeypatch.setattr(batch_module, "plan_groups", partial(plan_groups, max_programs=max_programs))
        contents, styles = [*contents, contents[0]], [*styles, styles[1]]
        found = stylize_batch(contents, styles, network=first, config=config, batch_size=4)
        for result, content, style in zip(found, contents, styles, strict=True):
            (expected,) = stylize_batch([content], [style], network=first, config=config)
            assert result.image.shape == expected.image.shape
            assert np.abs(result.image - expected.image).max() < 1 / 255
            np.testing.assert_allclose(result.history.total, expected.history.total, rtol=1e-3)
            np.testing.assert_allclose(result.history.tv, expected.history.tv, rtol=1e-3)

    @pytest.mark.parametrize("normalization", ["relative", "gatys"])
    def test_padding_changes_nothing_in_any_term(
        self, first: Network, contents: list[np.ndarray], styles: list[np.ndarray], normalization: str
    ) -> None:
        config = replace(QUICK, steps=3, normalization=normalization, tv_weight=2.0)
        pair = check_pair(first, Pair(contents[0], (styles[0],), config))
        results = [
            stylize_group(first, Group((0,), 1, (padded_shape,)), [pair])[0]
            for padded_shape in (PaddedShape(36, 48, is_padded=False), PaddedShape(45, 61, is_padded=True))
        ]
        for name, expected in vars(results[0].history).items():
            np.testing.assert_allclose(getattr(results[1].history, name), expected, rtol=1e-4, err_msg=name)
        assert np.abs(results[0].image - results[1].image).max() < HALF_LEVEL

    def test_two_sizes(
        self, first: Network, contents: list[np.ndarray], styles: list[np.ndarray], alone: list[Stylized]
    ) -> None:
        pairs = [
            check_pair(first, Pair(content, (style,), TWO_SIZES))
            for content, style in zip(contents[::2], styles[::2], strict=True)
        ]
        padded_shapes = PaddedShape(32, 32, is_padded=True), PaddedShape(64, 64, is_padded=True)
        found = stylize_group(first, Group((0, 1), 3, padded_shapes), pairs)
        for result, expected in zip(found, alone, strict=True):
            assert result.image.shape == expected.image.shape
            np.testing.assert_array_equal(result.sizes, expected.sizes)
            np.testing.assert_allclose(result.history.total, expected.history.total, rtol=0.02)

    def test_a_diverged_pair_has_an_error_and_does_not_affect_others(
        self, first: Network, photo: np.ndarray, painting: np.ndarray
    ) -> None:
        configs = [LBFGS, replace(LBFGS, style_weight=3e38), replace(LBFGS, content_weight=1.0)]
        configs = [replace(config, steps=12) for config in configs]
        found = stylize_batch([photo] * 3, [painting] * 3, network=first, config=configs, batch_size=3)
        assert [result.error is None for result in found] == [True, False, True]
        assert "48 px" in str(found[1].error) and np.isfinite(found[1].image).all()
        for index in (0, 2):
            (alone,) = stylize_batch([photo], [painting], network=first, config=configs[index])
            np.testing.assert_allclose(found[index].history.total, alone.history.total, rtol=1e-3)

    @pytest.mark.parametrize("batch_size", [1, 2])
    def test_all_diverged_pairs_have_errors(
        self, first: Network, photo: np.ndarray, painting: np.ndarray, batch_size: int
    ) -> None:
        config = replace(LBFGS, style_weight=3e38, steps=12)
        found = stylize_batch([photo] * 2, [painting] * 2, network=first, config=config, batch_size=batch_size)
        assert all(result.error and np.isfinite(result.image).all() for result in found)

    def test_a_batch_that_does_not_fit_the_memory_is_halved(
        self, first: Network, photo: np.ndarray, painting: np.ndarray, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        real, tried = BatchSolver.run, []

        def run(self: BatchSolver, *args, **options):
            tried.append(self.size)
            if self.size > 2:
                raise jax.errors.JaxRuntimeError("RESOURCE_EXHAUSTED: Out of memory allocating 1 byte")
            return real(self, *args, **options)

        monkeypatch.setattr(BatchSolver, "run", run)
        styles = [painting**power for power in (1, 2, 3, 4, 5)]
        found = stylize_batch([photo] * 5, styles, network=first, config=QUICK, batch_size=8)
        assert tried == [5, 2, 2, 2]
        for result, style in zip(found, styles, strict=True):
            (alone,) = stylize_batch([photo], [style], network=first, config=QUICK, batch_size=1)
            np.testing.assert_allclose(result.history.total, alone.history.total, rtol=1e-3)


class TestResume:
    @pytest.mark.parametrize("batch_size", [1, 2])
    @pytest.mark.parametrize("at", [1, 3])
    def test_continues_to_the_same_bytes(
        self, first: Network, contents: list[np.ndarray], painting: np.ndarray, batch_size: int, at: int
    ) -> None:
        config = replace(TWO_SIZES, steps=12)
        pairs = [check_pair(first, Pair(contents[0], (painting,), config, seed)) for seed in range(batch_size)]
        (group,) = plan_groups([contents[0].shape[:2]] * batch_size, [config] * batch_size, batch_size=batch_size)
        progresses: list[Progress] = []

        def remember(progress: Progress) -> None:
            progresses.append(replace(progress, state=jax.tree.map(np.array, progress.state)))

        whole = stylize_group(first, group, pairs, callback=remember)
        assert len(progresses) == 6
        again = stylize_group(first, group, pairs, resume=progresses[at])
        for found, expected in zip(again, whole, strict=True):
            assert found.image.tobytes() == expected.image.tobytes()
            assert found.history.total.tobytes() == expected.history.total.tobytes()


class TestInputs:
    def test_no_pairs_give_no_results(self, first: Network) -> None:
        assert stylize_batch([], [], network=first) == []

    @pytest.mark.parametrize("given", ["styles", "config", "seeds", "initial_pictures"])
    def test_sequences_of_different_lengths_are_refused(
        self, first: Network, photo: np.ndarray, painting: np.ndarray, given: str
    ):
        options: dict = {"config": [QUICK] * 2, "seeds": [0, 1], "initial_pictures": [None, None]}
        styles = [painting] * 2
        if given == "styles":
            styles.append(painting)
        else:
            options[given] = options[given][:1]
        with pytest.raises(ConfigError, match="there are 2 contents and [13]"):
            stylize_batch([photo] * 2, styles, network=first, **options)

    def test_a_bad_picture_is_refused_before_any_computation(self, first: Network, photo: np.ndarray, painting):
        calls = []
        with pytest.raises(PictureError):
            stylize_batch(
                [photo, photo * 300],
                [painting] * 2,
                network=first,
                config=QUICK,
                callback=lambda *call: calls.append(call),
            )
        assert not calls


def test_the_cache_drops_what_was_not_used_for_longest_and_never_confuses_pictures():
    cache = MeasurementCache(max_bytes=20, max_content_bytes=10)  # two results, and one of a content
    pictures = [np.zeros(1) + index for index in range(4)]
    computed: list[int] = []

    def get(index: int, kind: str = "style") -> int:
        def make() -> np.ndarray:
            computed.append(index)
            return np.array(index, np.int64)

        return cache.get((pictures[index],), kind, make=make)

    assert [get(index) for index in (0, 1, 1, 0, 2, 0, 3, 3, 1)] == [0, 1, 1, 0, 2, 0, 3, 3, 1]
    assert computed == [0, 1, 2, 3, 1]
    computed.clear()
    assert [get(index, "content") for index in (0, 0, 2, 0)] == [0, 0, 2, 0]
    assert (computed, get(3), get(1), computed) == ([0, 2, 0], 3, 1, [0, 2, 0]), "contents displace no style"


def test_on_four_devices() -> None:
    file = Path(__file__).parents[1] / "support" / "sharded.py"
    completed = subprocess.run([sys.executable, file], env=simulated_devices(4), capture_output=True, text=True)
    assert completed.returncode == 0, completed.stderr
    assert completed.stdout == "no collective, equal results\n"


def test_defaults_on_cpu(network: Network) -> None:
    assert batch_module.default_batch_size(network, QUICK) == 1
    assert batch_module.concurrent_groups(network, [QUICK], 1) == len(os.sched_getaffinity(0))
    assert batch_module.concurrent_groups(network, [QUICK, replace(QUICK, size=20000)], 1) == 1
    assert batch_module.concurrent_groups(network, [QUICK], 4) == 2  # one computes, and one is prepared
