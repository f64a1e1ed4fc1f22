"""`--dry-run` of a single picture: what it will take, as a line or as a record."""

import json

import typer

from jaxstyle.batch import predict_seconds
from jaxstyle.cli.progress import format_duration
from jaxstyle.environment import device, device_name
from jaxstyle.images import scaled_shape
from jaxstyle.optimization import MemoryNeed


def print_prediction(need: MemoryNeed, *, as_json: bool) -> None:
    """Print the shape of the result, and the memory and time that it needs on this device."""
    workload, on = need.workload, device()
    config = workload.config
    height, width = scaled_shape(*workload.content, config.size)
    seconds = predict_seconds(workload.network, config, workload.content)
    if as_json:
        memory = {"needed": need.needed, "available": need.available.bytes}
        record = {"width": width, "height": height, "tile_size": config.tile_size_for((height, width))}
        typer.echo(json.dumps(record | {"memory": memory, "seconds": seconds, "device": on}, indent=2))
        return
    text = f"{need}; about {format_duration(seconds)} for its steps on {device_name(on)}"
    typer.echo(f"{width} x {height} pixels: {text}")
