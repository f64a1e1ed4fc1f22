"""The solver: known minima, comparison with a textbook L-BFGS, rejected steps, and its state."""

from functools import partial
from itertools import pairwise
from typing import Any

import flax.struct
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from support.bowl import OPTIMIZERS, SHAPE, Bowl, bowl, random, total_only
from support.compiler import with_fusion
from support.quick import objective_of

from jaxstyle.config import StyleConfig
from jaxstyle.networks import Network
from jaxstyle.optimization import Terms, lbfgs, solver


@flax.struct.dataclass
class Rosenbrock:
    """The chained Rosenbrock function (1960), with its minimum moved to 0.8 everywhere."""

    tile_size = None

    def terms(self, network: Any, picture: jax.Array) -> Terms:
        x = picture.reshape(-1) + 0.2
        return total_only(jnp.sum(100 * (x[1:] - x[:-1] ** 2) ** 2 + (1 - x[:-1]) ** 2))


def solve(objective: Any, start: np.ndarray, steps: int, optimizer: str = "lbfgs") -> tuple[solver.State, np.ndarray]:
    """The state and the losses after a number of steps, in calls of at most `STEPS_PER_CALL`."""
    state, losses = solver.init(start, optimizer=optimizer), []
    while len(losses) < steps:
        count = min(solver.STEPS_PER_CALL, steps - len(losses))
        state, terms = solver.run(None, objective, state, count, optimizer=optimizer)
        losses.extend(np.asarray(terms.total)[:count].tolist())
    return state, np.array(losses)


class TestKnownMinima:
    def test_lbfgs_in_a_bowl(self) -> None:
        objective = bowl()
        state, losses = solve(objective, random(1), 40)
        np.testing.assert_allclose(state.picture, objective.center, atol=1e-3)
        assert state.loss < 1e-6 * losses[0]

    def test_lbfgs_in_rosenbrocks_valley(self) -> None:
        state, losses = solve(Rosenbrock(), np.full((1, 2, 3), 0.1, np.float32), 150)
        np.testing.assert_allclose(state.picture, 0.8, atol=1e-2)
        assert losses[-1] < 1e-4 * losses[0]

    def test_adam_in_a_bowl(self) -> None:
        objective = bowl()
        state, losses = solve(objective, random(1), 300, "adam")
        np.testing.assert_allclose(state.picture, objective.center, atol=2e-2)
        assert losses[-1] < 1e-3 * losses[0]

    def test_staying_at_the_minimum(self) -> None:
        objective = bowl()
        for optimizer in OPTIMIZERS:
            state, losses = solve(objective, np.asarray(objective.center), 20, optimizer)
            np.testing.assert_array_equal(state.picture, objective.center)
            assert not losses.any() and state.failures == 0


class TestLbfgs:
    def test_is_the_textbooks(self) -> None:
        """Nocedal and Wright, algorithm 7.4, in float64, with a first step of length 1 and a trust radius."""
        objective, start = bowl(), random(2)
        center, curvature = (np.asarray(x, float) for x in (objective.center, objective.curvature))
        step = jax.jit(partial(solver.step, optimizer="lbfgs"))
        state = solver.init(start, optimizer="lbfgs")
        x, pairs, previous = start.astype(float), [], None
        for _ in range(12):
            np.testing.assert_allclose(state.trial, x, atol=2e-4)
            state, _ = step(None, objective, state)
            assert state.failures == 0
            gradient = 2 * curvature * (x - center)
            if previous is not None:
                pairs.append((x - previous[0], gradient - previous[1]))
            previous = x, gradient
            direction = -two_loop_recursion(gradient, pairs)
            x = x + direction * min(1, float(state.radius) / np.abs(direction).max())
        assert np.sum(curvature * (x - center) ** 2) < 1e-2 * np.sum(curvature * (start - center) ** 2)

    def test_steps_to_a_much_higher_loss_are_rejected(self) -> None:
        step, state = jax.jit(partial(solver.step, optimizer="lbfgs")), solver.init(random(1), optimizer="lbfgs")
        trial_losses, losses = [], []
        for _ in range(40):
            state, terms = step(None, Rosenbrock(), state)
            trial_losses.append(float(terms.total))
            losses.append(float(state.loss))
        assert max(after / before for before, after in pairwise(trial_losses)) > 1.2, "no step had to be rejected"
        assert max(after / before for before, after in pairwise(losses)) <= 1.1

    def test_a_large_picture_has_fewer_pairs_in_bfloat16(self, monkeypatch: pytest.MonkeyPatch) -> None:
        shape = (64, 96, 3)
        curvature = 10 ** np.random.default_rng(0).uniform(-1, 1, shape).astype(np.float32)
        objective = Bowl(jnp.full(shape, 0.5), jnp.asarray(curvature))
        state = solver.init(np.zeros(shape, np.float32), optimizer="lbfgs")
        assert state.optimizer.moves.dtype == jnp.float32 and len(state.optimizer.moves) == 20
        monkeypatch.setattr(lbfgs, "_PAIR_BYTES", 6 * 2 * 2 * 64 * 96 * 3)
        state = jax.jit(partial(solver.init.__wrapped__, optimizer="lbfgs"))(jnp.zeros(shape))
        assert state.optimizer.moves.itemsize == 2 and len(state.optimizer.moves) == 6
        lowered = solver.run.jitted.lower(None, objective, state, 0, optimizer="lbfgs")
        temporary = lowered.compile(with_fusion()).memory_analysis().temp_size_in_bytes
        assert temporary < 6 * 4 * 64 * 96 * 3, "the pairs are copied to float32"
        for _ in range(6):
            state, terms = solver.run(None, objective, state, 10, optimizer="lbfgs")
        np.testing.assert_allclose(state.picture, 0.5, atol=1e-2)
        assert terms.total[-1] < 1e-4 * np.sum(curvature * 0.25)


def two_loop_recursion(gradient: np.ndarray, pairs: list[tuple[np.ndarray, np.ndarray]]) -> np.ndarray:
    q, factors = gradient.copy(), []
    for s, y in reversed(pairs):
        factors.append(np.sum(s * q) / np.sum(s * y))
        q = q - factors[-1] * y
    last = pairs[-1] if pairs else None
    r = q * (np.sum(last[0] * last[1]) / np.sum(last[1] ** 2) if last else 1 / np.linalg.norm(gradient))
    for (s, y), factor in zip(pairs, reversed(factors), strict=True):
        r = r + s * (factor - np.sum(y * r) / np.sum(s * y))
    return r


class TestAdam:
    def test_does_not_depend_on_the_scale_of_the_loss(self) -> None:
        objective = bowl()
        _, losses = solve(objective, random(1), 20, "adam")
        _, scaled = solve(objective.replace(curvature=objective.curvature * 50), random(1), 20, "adam")
        np.testing.assert_allclose(scaled, 50 * losses, rtol=1e-3)

    def test_first_step_moves_all_pixels_downhill_by_the_same_amount(self) -> None:
        objective = bowl()
        state, _ = solve(objective, random(1), 1, "adam")
        moved = np.asarray(state.trial) - random(1)
        np.testing.assert_allclose(np.abs(moved), np.abs(moved).max(), rtol=1e-3)
        np.testing.assert_array_equal(np.sign(moved), np.sign(objective.center - random(1)))


class TestRejectedSteps:
    """The first step goes beyond the minimum, to where the loss or its gradient is not finite or much higher."""

    @pytest.mark.parametrize("optimizer", OPTIMIZERS)
    @pytest.mark.parametrize("kind", ["nan", "inf", "cliff", "gradient"])
    def test_finds_the_minimum_after_rejected_steps(self, kind: str, optimizer: str) -> None:
        objective, start = self.problem(kind, optimizer)
        state, losses = solve(objective, start, 200, optimizer)
        assert (~(losses <= losses[0])).any() or kind == "gradient"
        np.testing.assert_allclose(state.picture, objective.center, atol=2e-2)
        assert np.isfinite(jax.tree.leaves(state)[0]).all() and state.loss < 1e-2 * losses[0]

    @pytest.mark.parametrize("optimizer", OPTIMIZERS)
    @pytest.mark.parametrize("kind", ["nan", "inf", "cliff", "gradient"])
    def test_goes_on_from_the_last_accepted_picture_with_smaller_steps(self, kind: str, optimizer: str) -> None:
        objective, start = self.problem(kind, optimizer)
        first, _ = solve(objective, start, 1, optimizer)
        assert np.max(first.trial) > objective.wall
        second, _ = solve(objective, start, 2, optimizer)
        np.testing.assert_array_equal(second.picture, start)
        assert second.loss == first.loss and second.failures == 1 and second.radius < first.radius
        assert 0 < np.abs(second.trial - start).max() <= second.radius * 1.001

    def test_counts_rejected_steps_since_the_last_accepted_one(self) -> None:
        objective, start = self.problem("nan", "lbfgs")
        counts = [int(solve(objective, start, steps)[0].failures) for steps in range(1, 20)]
        assert counts[:2] == [0, 1]
        assert all(count in (0, before + 1) for before, count in pairwise(counts))
        assert counts[-1] == 0

    @pytest.mark.parametrize("optimizer", OPTIMIZERS)
    def test_the_picture_does_not_change_if_all_losses_are_nan(self, optimizer: str) -> None:
        objective = bowl(wall=-1.0)
        state, losses = solve(objective, random(1), 12, optimizer)
        np.testing.assert_array_equal(state.picture, random(1))
        assert np.isnan(losses).all() and state.failures == 12 and state.loss == np.inf
        assert np.isfinite(state.trial).all()

    @staticmethod
    def problem(kind: str, optimizer: str) -> tuple[Bowl, np.ndarray]:
        wall = 0.5
        start = np.full(SHAPE, wall - (0.02 if optimizer == "adam" else 0.1), np.float32)
        return Bowl(jnp.full(SHAPE, wall - 0.01), jnp.full(SHAPE, 3.0), wall=jnp.float32(wall), kind=kind), start


def test_a_rejected_step_makes_lbfgs_forget_all_differences() -> None:
    state = jax.tree.map(np.asarray, solve(bowl(), random(1), 8)[0])
    assert np.abs(state.optimizer.moves).max() > 0
    names = ("moves", "changes", "weights")
    emptied = state.optimizer.replace(**{name: np.zeros_like(getattr(state.optimizer, name)) for name in names})
    pictures = []
    for optimizer in (state.optimizer, emptied):
        # The loss before was so low that the first step is rejected.
        start = state.replace(optimizer=optimizer, trial=state.trial + np.float32(0.3), loss=np.float32(1e-9))
        start = jax.tree.map(jnp.array, start)
        rejected, _ = solver.run(None, bowl(), start, 1, optimizer="lbfgs")
        assert rejected.failures == 1
        after, _ = solver.run(None, bowl(), rejected.replace(loss=jnp.float32(np.inf)), 5, optimizer="lbfgs")
        assert after.failures == 0
        pictures.append(np.asarray(after.picture))
    np.testing.assert_array_equal(*pictures)


class TestRadius:
    @pytest.mark.parametrize("optimizer", OPTIMIZERS)
    def test_no_pixel_moves_farther(self, optimizer: str) -> None:
        objective, step = bowl(wall=0.75), jax.jit(partial(solver.step, optimizer=optimizer))
        state = solver.init(np.full(SHAPE, 0.1, np.float32), optimizer=optimizer)
        for _ in range(30):
            state, _ = step(None, objective, state)
            assert np.abs(state.trial - state.picture).max() <= state.radius * 1.001 + 1e-7

    def test_steps_to_a_distant_minimum_have_the_full_radius(self) -> None:
        objective = Bowl(jnp.full(SHAPE, 100.0), jnp.full(SHAPE, 1.0))
        state, _ = solve(objective, np.zeros(SHAPE, np.float32), 6)
        assert np.max(state.trial) == pytest.approx(6 * float(state.radius), rel=1e-3)


class TestRange:
    @pytest.mark.parametrize("optimizer", OPTIMIZERS)
    def test_finds_the_best_of_the_pictures_in_range(self, optimizer: str) -> None:
        objective = bowl().replace(center=jnp.linspace(-0.2, 1.2, np.prod(SHAPE)).reshape(SHAPE))
        step, state = jax.jit(partial(solver.step, optimizer=optimizer)), solver.init(random(1), optimizer=optimizer)
        for _ in range(200):
            state, _ = step(None, objective, state)
            assert state.trial.min() >= 0 and state.trial.max() <= 1
        np.testing.assert_allclose(state.picture, np.clip(objective.center, 0, 1), atol=2e-3)

    def test_the_derivative_is_that_of_pixels_in_range(self) -> None:
        picture = jnp.array([-0.1, 0, 0.5, 1, 1.1])
        np.testing.assert_array_equal(jax.grad(lambda x: solver._in_range(x).sum())(picture), [0, 1, 1, 1, 0])


class TestState:
    @pytest.mark.parametrize("optimizer", OPTIMIZERS)
    def test_a_saved_and_restored_state_gives_the_same_bytes(self, optimizer: str) -> None:
        objective = bowl()
        state, _ = solve(objective, random(1), 6, optimizer)
        leaves, structure = jax.tree.flatten(state)
        saved = [np.array(leaf).tobytes() for leaf in leaves]
        shapes = [(leaf.dtype, leaf.shape) for leaf in leaves]
        uninterrupted = solver.run(None, objective, state, 7, optimizer=optimizer)
        again = [np.frombuffer(b, dtype).reshape(shape) for b, (dtype, shape) in zip(saved, shapes, strict=True)]
        resumed = solver.run(None, objective, jax.tree.unflatten(structure, again), 7, optimizer=optimizer)
        assert_same_bytes(resumed, uninterrupted)

    @pytest.mark.parametrize("optimizer", OPTIMIZERS)
    def test_initial_pictures_of_any_float_dtype(self, optimizer: str) -> None:
        states = [solver.init(start, optimizer=optimizer) for start in (random(1), random(1).astype(float))]
        assert_same_bytes(*states)
        assert states[0].picture.dtype == jnp.float32

    @pytest.mark.parametrize("counts", [(10,), (3, 7), (1,) * 10, (9, 1)])
    def test_the_number_of_steps_per_call_has_no_effect(self, counts: tuple[int, ...]) -> None:
        objective = bowl()
        expected, history = solver.run(
            None, objective, solver.init(random(1), optimizer="lbfgs"), 10, optimizer="lbfgs"
        )
        state, losses = solver.init(random(1), optimizer="lbfgs"), []
        for count in counts:
            state, terms = solver.run(None, objective, state, count, optimizer="lbfgs")
            losses.append(terms.total[:count])
        assert_same_bytes((state, np.concatenate(losses)), (expected, np.asarray(history.total)))

    def test_the_history_has_the_loss_of_every_trial_picture(self) -> None:
        objective, state = bowl(), solver.init(random(1), optimizer="lbfgs")
        for _ in range(5):
            trial = np.asarray(state.trial)
            state, terms = solver.run(None, objective, state, 1, optimizer="lbfgs")
            expected = np.sum(np.asarray(objective.curvature, float) * (trial - np.asarray(objective.center)) ** 2)
            assert terms.total[0] == pytest.approx(expected, rel=1e-5)
            assert terms.content[0] == terms.total[0]


def assert_same_bytes(found: Any, expected: Any) -> None:
    for one, other in zip(*map(jax.tree.leaves, (found, expected)), strict=True):
        assert np.asarray(one).tobytes() == np.asarray(other).tobytes()


class TestCompilation:
    def test_other_numbers_of_steps_targets_and_weights_compile_nothing(self, network: Network) -> None:
        picture, style = (np.random.default_rng(seed).random((8, 9, 3), np.float32) for seed in (0, 1))
        config = StyleConfig(content_layers=(("relu1_1", 1.0),), style_layers=(("relu1_1", 1.0),))
        before = solver.run.jitted._cache_size()
        for steps, content_weight in ((1, 0.1), (7, 0.1), (10, 3.0)):
            other = StyleConfig(**vars(config) | {"content_weight": content_weight})
            objective = objective_of(network, other, picture + 0.01 * steps, [style])
            state = solver.init(picture, optimizer="lbfgs")
            for _ in range(2):
                state, _ = solver.run(network, objective, state, steps, optimizer="lbfgs")
        assert solver.run.jitted._cache_size() == before + 1


class TestVmap:
    @pytest.mark.parametrize("optimizer", OPTIMIZERS)
    def test_pictures_of_a_batch_give_the_same_as_single_ones(self, optimizer: str) -> None:
        """Even if one has rejected steps, and another only losses of NaN."""
        objectives = [bowl(seed, wall=jnp.float32(wall)) for seed, wall in enumerate((np.inf, np.inf, 0.6, -1))]
        initial_pictures = np.stack([random(seed + 4) for seed in range(4)])
        initial_pictures[2] = 0.59
        stacked = jax.tree.map(lambda *leaves: jnp.stack(leaves), *objectives)
        states = jax.vmap(partial(solver.init, optimizer=optimizer))(initial_pictures)
        step = jax.jit(jax.vmap(partial(solver.step, optimizer=optimizer), in_axes=(None, 0, 0)))
        totals = []
        for _ in range(8):
            states, terms = step(None, stacked, states)
            totals.append(terms.total)
        for index, (objective, start) in enumerate(zip(objectives, initial_pictures, strict=True)):
            state, losses = solve(objective, start, 8, optimizer)
            np.testing.assert_allclose(np.stack(totals)[:, index], losses, rtol=1e-3, atol=1e-6)
            np.testing.assert_allclose(states.picture[index], state.picture, atol=1e-4)
            assert states.failures[index] == state.failures
        assert states.failures[3] == 8
