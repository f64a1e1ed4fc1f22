"""Stylization inside `shard_map`: each device stylizes its share of the photographs, without communication.

python examples/embedding/sharding.py
XLA_FLAGS=--xla_force_host_platform_device_count=4 python examples/embedding/sharding.py    # four simulated devices
"""

from pathlib import Path

import jax
import numpy as np
from jax.sharding import Mesh, NamedSharding, PartitionSpec

import jaxstyle

EXAMPLES = Path(__file__).parents[1]
CONFIG = jaxstyle.StyleConfig(size=64, steps=10)


def stylize_share(stylizer: jaxstyle.Stylizer, contents: jax.Array, style: jaxstyle.Style) -> jax.Array:
    """Stylize the contents of one device, `[n, H, W, 3]`."""
    return jax.vmap(stylizer, (0, None))(contents, style)


def main(config: jaxstyle.StyleConfig = CONFIG) -> jax.Array:
    """Stylize two crops of a photograph per device, `[N, H, W, 3]`."""
    devices = jax.devices()
    photograph = jaxstyle.read_image(EXAMPLES / "content" / "harbour.jpg", size=2 * config.size)
    side, count = config.size, 2 * len(devices)
    limits = np.array(photograph.shape[:2]) - side + 1
    corners = np.random.default_rng(0).integers(limits, size=(count, 2))
    contents = np.stack([photograph[top : top + side, left : left + side] for top, left in corners])

    stylizer = jaxstyle.make_stylizer(jaxstyle.load_network("vgg19"), config, height=side, width=side)
    style = stylizer.measure(jaxstyle.read_image(EXAMPLES / "style" / "swirls.jpg"))

    mesh = Mesh(np.array(devices), ("devices",))
    sharded, replicated = PartitionSpec("devices"), PartitionSpec()
    run = jax.jit(
        jax.shard_map(stylize_share, mesh=mesh, in_specs=(replicated, sharded, replicated), out_specs=sharded)
    )
    # Place the arguments on the devices once, so that repeated calls transfer nothing.
    stylizer, style = jax.device_put((stylizer, style), NamedSharding(mesh, replicated))
    results = run(stylizer, jax.device_put(contents, NamedSharding(mesh, sharded)), style)
    print(f"{count} pictures of {side} x {side} pixels on {len(devices)} x {devices[0].device_kind}")
    return results


if __name__ == "__main__":
    main()
