"""The progress of an optimization: as a line of text, and whether it has diverged."""

from dataclasses import replace
from functools import partial
from types import SimpleNamespace
from typing import Any

import flax.struct
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from support.bowl import total_only

from jaxstyle.optimization import Progress, Terms, divergence_error, has_diverged, optimize_level, solver, start_level


@flax.struct.dataclass
class Steep:
    """A loss that grows steeply in all directions from its minimum at 0.5, where it has this value."""

    minimum: jax.Array
    tile_size = None

    def terms(self, network: Any, picture: jax.Array) -> Terms:
        return total_only(self.minimum + 1e6 * jnp.mean((picture - 0.5) ** 2))


@pytest.mark.parametrize("steps", [2, 3])
@pytest.mark.parametrize(("minimum", "expected"), [(0.0, False), (0.4, True)])
def test_rejected_steps_are_no_divergence_where_nothing_is_left_to_optimize(
    steps: int, minimum: float, expected: bool
) -> None:
    state = solver.init(np.full((4, 4, 3), 0.5 + 1e-6, np.float32), optimizer="lbfgs")
    run = partial(solver.run, None, Steep(jnp.float32(minimum)), optimizer="lbfgs")
    progress = optimize_level(start_level(((4, steps),), 0, state), run, lambda _: None)
    assert progress.state.failures == steps - 1 and progress.history.total[1] > 100
    for weight in (1.0, 1e-6, 1e6):
        loss, terms = jax.tree.map(lambda value, weight=weight: weight * value, (progress.state.loss, progress.terms))
        weighted = replace(progress, state=progress.state.replace(loss=loss), terms=terms)
        assert has_diverged(weighted, weight) == expected
    advice = str(divergence_error(progress))
    assert advice.startswith(f"no step at 4 px lowered the loss in {steps} steps") and "take more steps" in advice


@pytest.mark.parametrize(
    ("shape", "by_tiles", "reported"),
    [
        ((512, 512), False, [0, 10, 20, 23]),
        ((512, 513), False, [0, 5, 10, 15, 20, 23]),
        ((1024, 1280), False, [*range(0, 23, 2), 23]),
        ((2048, 2048), False, list(range(24))),
        ((8, 512, 512), False, list(range(24))),
        ((16, 16), True, list(range(24))),
    ],
)
def test_large_pictures_are_reported_after_fewer_steps(
    shape: tuple[int, ...], by_tiles: bool, reported: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    state: Any = SimpleNamespace(picture=np.broadcast_to(np.float32(0), (*shape, 3)), loss=np.float32(0))
    terms = Terms(*[np.zeros(solver.STEPS_PER_CALL)] * 6)

    def steps_of(platform: str) -> list[int]:
        monkeypatch.setattr(jax, "default_backend", lambda: platform)
        steps: list[int] = []
        start = start_level(((512, 23),), 0, state)
        optimize_level(
            start, lambda state, _: (state, terms), lambda found: steps.append(found.step), by_tiles=by_tiles
        )
        return steps

    assert steps_of("cpu") == reported
    assert steps_of("gpu") == (reported if by_tiles else [0, 10, 20, 23])


def test_printed_as_one_line():
    terms = Terms(*np.float32([0.25, 1, 2, 3, 4, 5]))
    progress = Progress(512, 1, 3, 20, 60, terms, terms, None)
    assert str(progress) == "512 px (2/3): step 20 of 60, loss 0.25"
    assert str(Progress(512, 1, 3, 0, 60, None, terms, None)).endswith("step 0 of 60, no loss yet")
