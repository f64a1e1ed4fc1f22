"""Stylization inside `shard_map`: every device paints its own share of the photographs, and none waits for another.

python examples/embedding/sharding.py
XLA_FLAGS=--xla_force_host_platform_device_count=4 python examples/embedding/sharding.py    # four pretended devices
"""

from pathlib import Path

import jax
import numpy as np
from jax.sharding import Mesh, NamedSharding, PartitionSpec

import jaxstyle

PICTURES = Path(__file__).parents[1]
CONFIG = jaxstyle.StyleConfig(size=64, steps=10)


def paint(stylizer: jaxstyle.Stylizer, contents: jax.Array, style: jaxstyle.Style) -> jax.Array:
    """What a single device does with its share of the contents."""
    return jax.vmap(stylizer, (0, None))(contents, style)


def main(config: jaxstyle.StyleConfig = CONFIG) -> jax.Array:
    """Paint as many crops of a photograph as there are devices, twice; `[N, H, W, 3]`."""
    devices = jax.devices()
    photograph = jaxstyle.read_image(PICTURES / "content" / "harbour.jpg", size=2 * config.size)
    side, count = config.size, 2 * len(devices)
    room = np.array(photograph.shape[:2]) - side + 1
    corners = np.random.default_rng(0).integers(room, size=(count, 2))
    contents = np.stack([photograph[top : top + side, left : left + side] for top, left in corners])

    stylizer = jaxstyle.make_stylizer(jaxstyle.load_network("vgg19"), config, height=side, width=side)
    style = stylizer.measure(jaxstyle.read_image(PICTURES / "style" / "swirls.jpg"))

    mesh = Mesh(np.array(devices), ("devices",))
    split, whole = PartitionSpec("devices"), PartitionSpec()
    run = jax.jit(jax.shard_map(paint, mesh=mesh, in_specs=(whole, split, whole), out_specs=split))
    # Put the arguments where they belong once, so that repeated calls move nothing.
    stylizer, style = jax.device_put((stylizer, style), NamedSharding(mesh, whole))
    painted = run(stylizer, jax.device_put(contents, NamedSharding(mesh, split)), style)
    print(f"{count} pictures of {side} x {side} pixels on {len(devices)} x {devices[0].device_kind}")
    return painted


if __name__ == "__main__":
    main()
