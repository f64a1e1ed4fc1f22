"""The solver for a batch of pictures: vmapped programs, sharded over the local devices.

Pictures of a batch do not depend on each other, so no program has a collective operation.
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, TypeVar

import jax
import jax.numpy as jnp
import numpy as np
from jax.sharding import Mesh, NamedSharding
from jax.sharding import PartitionSpec as P

from jaxstyle.compilation import CachedFunction
from jaxstyle.networks import COMPILER_OPTIONS, Network
from jaxstyle.optimization import Bands, Objective, State, Terms, content_targets, enlarge, resize_padded, solver
from jaxstyle.styles import Layers

Tree = TypeVar("Tree")


@dataclass(frozen=True)
class BatchSolver:
    """The functions of `solver` for batches of one size.

    Stacked trees have a leading axis, which is split over as many local devices as divide it. A batch of one is not
    stacked at all: it runs the program of a single picture, which is split over the devices if its objective is.
    """

    size: int

    def stack(self, trees: Sequence[Tree]) -> Tree:
        """Stack up to `size` trees of the same shapes; the last one fills up the batch."""
        if self.size == 1:
            return jax.device_put(trees[0])
        leaves = zip(*map(jax.tree.leaves, [*trees, *[trees[-1]] * (self.size - len(trees))]), strict=True)
        stacked = [np.stack(column) if _is_on_host(column) else _stack(*column) for column in leaves]
        return self.put(jax.tree.unflatten(jax.tree.structure(trees[0]), stacked))

    def put(self, stacked: Tree) -> Tree:
        """Copy a stacked tree to the devices that compute on it."""
        return jax.device_put(stacked, NamedSharding(self._mesh, P("batch")))

    def restore(self, state: State, height: int, objective: Objective) -> State:
        """A copy of a state of pictures of this height, on the devices that compute on it."""
        return solver.restore(state, height, objective.bands) if self.size == 1 else self.put(state)

    def replicate(self, network: Network) -> Network:
        """Copy the network to every device that needs it."""
        return network if self.size == 1 else jax.device_put(network, NamedSharding(self._mesh, P()))

    def content_targets(
        self, network: Network, pictures: jax.Array, extents: jax.Array | None, layers: tuple[str, ...]
    ) -> Layers:
        """`content_targets` for stacked pictures, one after another, which takes the memory of one."""
        return _content_targets(network, pictures, extents, layers=layers, mesh=self._mesh)

    def init(self, pictures: Any, bands: Bands | None = None, *, optimizer: str) -> State:
        """`solver.start` for stacked pictures, or for the single one, which may be split."""
        if self.size == 1:
            return solver.start(pictures, bands, optimizer=optimizer)
        return _init(pictures, optimizer=optimizer, mesh=self._mesh)

    def enlarge(
        self,
        state: State,
        contents: jax.Array,
        targets: jax.Array,
        extents: jax.Array,
        new_extents: jax.Array,
        *,
        optimizer: str,
    ) -> State:
        """The state before the first step at the next size, with `enlarge`, for stacked pictures.

        Args:
            state: that at the size before.
            contents: the contents at that size, padded.
            targets: the contents at the next size, padded.
            extents: the height and width of each content, `[size, 2]`.
            new_extents: those of each target.
            optimizer: that of the state.
        """
        arguments = state.picture, contents, targets, extents, new_extents
        return _enlarge(*arguments, optimizer=optimizer, mesh=self._mesh)

    def run(
        self, network: Network, objective: Objective, state: State, steps: int, *, optimizer: str
    ) -> tuple[State, Terms]:
        """`solver.run` for a stacked objective and state, and a network on their devices.

        The terms are `[size, STEPS_PER_CALL]`.
        """
        if self.size == 1:
            return solver.run(network, objective, state, steps, optimizer=optimizer)
        return _run(network, objective, state, steps, optimizer=optimizer, mesh=self._mesh)

    def pictures(self, state: State) -> Any:
        """The pictures of a state in [0, 1], as an array on the device that is no part of the state."""
        return np.asarray(state.picture).clip(0, 1)[None] if self.size == 1 else _clip(state.picture)

    @property
    def _mesh(self) -> Mesh:
        devices = jax.local_devices()
        return Mesh(np.array(devices[: math.gcd(self.size, len(devices))]), ("batch",))


def _is_on_host(arrays: Sequence[Any]) -> bool:
    return all(isinstance(array, np.ndarray) for array in arrays)


def _sharded(function: Callable[..., Any], mesh: Mesh, *replicated: bool) -> Callable[..., Any]:
    """The function of stacked arguments, or replicated ones, on the devices of a mesh."""
    # shard_map, because the partitioner would gather the batch before a loop over it.
    specs = tuple(P() if is_replicated else P("batch") for is_replicated in replicated)
    return jax.shard_map(function, mesh=mesh, in_specs=specs, out_specs=P("batch"), check_vma=False)


@jax.jit
def _stack(*arrays: jax.Array) -> jax.Array:
    return jnp.stack(arrays)


@jax.jit
def _clip(pictures: jax.Array) -> jax.Array:
    return pictures.clip(0, 1)


@partial(CachedFunction, static_argnames=("layers", "mesh"))
def _content_targets(
    network: Network, pictures: jax.Array, extents: jax.Array | None, *, layers: tuple[str, ...], mesh: Mesh
) -> Layers:
    def measure(network: Network, pictures: jax.Array, extents: jax.Array | None) -> Layers:
        return jax.lax.map(
            lambda padded: content_targets(network, padded[0], layers, extent=padded[1]), (pictures, extents)
        )

    return _sharded(measure, mesh, True, False, False)(network, pictures, extents)


@partial(CachedFunction, static_argnames=("optimizer", "mesh"))
def _init(pictures: jax.Array, *, optimizer: str, mesh: Mesh) -> State:
    return _sharded(jax.vmap(partial(solver.init, optimizer=optimizer)), mesh, False)(pictures)


@partial(CachedFunction, static_argnames=("optimizer", "mesh"))
def _enlarge(
    pictures: jax.Array,
    contents: jax.Array,
    targets: jax.Array,
    extents: jax.Array,
    new_extents: jax.Array,
    *,
    optimizer: str,
    mesh: Mesh,
) -> State:
    def start(
        picture: jax.Array, content: jax.Array, target: jax.Array, extent: jax.Array, new_extent: jax.Array
    ) -> State:
        resize = partial(resize_padded, extent=extent, new_extent=new_extent)
        return solver.init(enlarge(picture.clip(0, 1), content, target, resize), optimizer=optimizer)

    arguments = pictures, contents, targets, extents, new_extents
    return _sharded(jax.vmap(start), mesh, *[False] * len(arguments))(*arguments)


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
    return _sharded(advance, mesh, True, False, False, True)(network, objective, state, steps)
