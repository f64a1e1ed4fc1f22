"""The solver for several pictures at once: the lanes of one program, spread over the local devices.

Lanes know nothing of each other, so the program has no collective operation, and no device waits for another.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import TypeVar

import jax
import jax.numpy as jnp
import numpy as np
from jax.sharding import Mesh, NamedSharding
from jax.sharding import PartitionSpec as P

from jaxstyle import solver
from jaxstyle.conv import COMPILER_OPTIONS
from jaxstyle.networks import Network
from jaxstyle.objective import Objective, Terms
from jaxstyle.programs import Kept
from jaxstyle.solver import State

Tree = TypeVar("Tree")


@dataclass(frozen=True)
class Lanes:
    """So many lanes, with the functions of `solver` for them; a single one is not stacked at all.

    Stacked trees have a leading axis, which is split over as many local devices as divide it.
    """

    count: int

    def stack(self, trees: Sequence[Tree]) -> Tree:
        """One tree of several of the same shape; empty lanes repeat the last."""
        if self.count == 1:
            return trees[0]
        return self.put(_stack(*trees, *[trees[-1]] * (self.count - len(trees))))

    def put(self, stacked: Tree) -> Tree:
        """A copy of a stacked tree where it is computed."""
        stacked = jax.tree.map(np.array, stacked) if self.count == 1 else stacked
        return jax.device_put(stacked, None if self.count == 1 else NamedSharding(self._mesh, P("lanes")))

    def replicate(self, network: Network) -> Network:
        """The network on every device that needs it."""
        return network if self.count == 1 else jax.device_put(network, NamedSharding(self._mesh, P()))

    def init(self, pictures: Sequence[np.ndarray], *, optimizer: str) -> State:
        """`solver.init` of every picture."""
        return self.stack([solver.init(picture, optimizer=optimizer) for picture in pictures])

    def run(
        self, network: Network, objective: Objective, state: State, steps: int, *, optimizer: str
    ) -> tuple[State, Terms]:
        """`solver.run` of every lane; the terms are `[lanes, CHUNK]`."""
        if self.count == 1:
            return solver.run(network, objective, state, steps, optimizer=optimizer)
        return _run(network, objective, state, steps, optimizer=optimizer, mesh=self._mesh)

    @property
    def _mesh(self) -> Mesh:
        devices = jax.local_devices()
        return Mesh(np.array(devices[: math.gcd(self.count, len(devices))]), ("lanes",))


@jax.jit
def _stack(*trees: Tree) -> Tree:
    return jax.tree.map(lambda *parts: jnp.stack(parts), *trees)


@partial(Kept, static_argnames=("optimizer", "mesh"), donate_argnames=("state",), compiler_options=COMPILER_OPTIONS)
def _run(
    network: Network, objective: Objective, state: State, steps: jax.Array, *, optimizer: str, mesh: Mesh
) -> tuple[State, Terms]:
    advance = jax.vmap(partial(solver.advance, optimizer=optimizer), in_axes=(None, 0, 0, None))
    # Not left to the partitioner, which gathers the batch before a loop over it.
    return jax.shard_map(
        advance, mesh=mesh, in_specs=(P(), P("lanes"), P("lanes"), P()), out_specs=P("lanes"), check_vma=False
    )(network, objective, state, steps)
