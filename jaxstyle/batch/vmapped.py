"""The solver for a batch of pictures: one vmapped program, sharded over the local devices.

Pictures of a batch do not depend on each other, so the program has no collective operation.
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

from jaxstyle.compilation import CachedFunction
from jaxstyle.networks import COMPILER_OPTIONS, Network
from jaxstyle.optimization import Objective, State, Terms, solver

Tree = TypeVar("Tree")


@dataclass(frozen=True)
class BatchSolver:
    """The functions of `solver` for batches of one size.

    Stacked trees have a leading axis, which is split over as many local devices as divide it. A batch of one is not
    stacked at all: it runs the program of a single picture.
    """

    size: int

    def stack(self, trees: Sequence[Tree]) -> Tree:
        """Stack up to `size` trees of the same shapes; the last one fills up the batch."""
        if self.size == 1:
            return trees[0]
        return self.put(_stack(*trees, *[trees[-1]] * (self.size - len(trees))))

    def put(self, stacked: Tree) -> Tree:
        """Copy a stacked tree to the devices that compute on it."""
        stacked = jax.tree.map(np.array, stacked) if self.size == 1 else stacked
        return jax.device_put(stacked, None if self.size == 1 else NamedSharding(self._mesh, P("batch")))

    def replicate(self, network: Network) -> Network:
        """Copy the network to every device that needs it."""
        return network if self.size == 1 else jax.device_put(network, NamedSharding(self._mesh, P()))

    def init(self, pictures: Sequence[np.ndarray], *, optimizer: str) -> State:
        """`solver.init` for each picture, stacked."""
        return self.stack([solver.init(picture, optimizer=optimizer) for picture in pictures])

    def run(
        self, network: Network, objective: Objective, state: State, steps: int, *, optimizer: str
    ) -> tuple[State, Terms]:
        """`solver.run` for a stacked objective and state; the terms are `[size, STEPS_PER_CALL]`."""
        if self.size == 1:
            return solver.run(network, objective, state, steps, optimizer=optimizer)
        return _run(network, objective, state, steps, optimizer=optimizer, mesh=self._mesh)

    @property
    def _mesh(self) -> Mesh:
        devices = jax.local_devices()
        return Mesh(np.array(devices[: math.gcd(self.size, len(devices))]), ("batch",))


@jax.jit
def _stack(*trees: Tree) -> Tree:
    return jax.tree.map(lambda *leaves: jnp.stack(leaves), *trees)


@partial(
    CachedFunction,
    static_argnames=("optimizer", "mesh"),
    donate_argnames=("state",),
    compiler_options=COMPILER_OPTIONS,
)
def _run(
    network: Network, objective: Objective, state: State, steps: jax.Array, *, optimizer: str, mesh: Mesh
) -> tuple[State, Terms]:
    advance = jax.vmap(partial(solver.advance, optimizer=optimizer), in_axes=(None, 0, 0, None))
    # shard_map, because the partitioner would gather the batch before a loop over it.
    return jax.shard_map(
        advance, mesh=mesh, in_specs=(P(), P("batch"), P("batch"), P()), out_specs=P("batch"), check_vma=False
    )(network, objective, state, steps)
