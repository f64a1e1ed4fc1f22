"""Writing results, and the records that say what a result was made of."""

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from jaxstyle.environment import versions
from jaxstyle.files.reading import network_record
from jaxstyle.images import Picture, check_writable, resize, write_image
from jaxstyle.networks import Network
from jaxstyle.optimization import Terms
from jaxstyle.options import FileSettings, Settings


@dataclass(frozen=True, eq=False)
class ResultWriter:
    """Writes pictures of a stylization at the content's size and with its transparency.

    Attributes:
        content: the content picture.
        record: from `result_record`; files carry it as text, as `write_image` does with metadata.
        file: how files are written.
        overwrite: whether to replace existing files.
    """

    content: Picture
    record: dict[str, Any]
    file: FileSettings
    overwrite: bool

    def check(self, path: Path) -> None:
        """Raise, before any work, the errors of `write` that are due to the path."""
        check_writable(
            path,
            overwrite=self.overwrite,
            alpha=self.content.alpha is not None,
            shape=self.content.rgb.shape[:2],
            bits=self.file.bits,
            profile=self.content.profile,
        )

    def write(self, path: Path, picture: np.ndarray, steps: int) -> None:
        """Write a picture of any size, after this number of steps."""
        height, width = self.content.rgb.shape[:2]
        metadata = {
            "Software": f"jaxstyle {self.record['versions']['jaxstyle']}",
            "jaxstyle": json.dumps(self.record | {"steps": steps}),
        }
        resized = resize(picture, height, width)
        write_image(
            path,
            resized,
            alpha=self.content.alpha,
            metadata=metadata,
            bits=self.file.bits,
            dither=True,
            dpi=self.file.dpi,
            profile=self.content.profile,
            overwrite=self.overwrite,
        )


def result_record(
    content: Path | None,
    styles: Sequence[Path],
    settings: Settings,
    network: Network,
    *,
    saved_styles: Sequence[dict[str, Any]],
    device: dict[str, Any],
) -> dict[str, Any]:
    """The inputs, settings, device and versions of a result, as plain values."""
    return {
        "content": content.name if content else None,
        "styles": [style.name for style in styles],
        "saved_styles": list(saved_styles),
        "initial_picture": settings.initial_picture.name if settings.initial_picture else None,
        "strength_mask": settings.strength_mask.name if settings.strength_mask else None,
        "settings": settings.record(),
        "network": network_record(network, settings.network, settings.weights),
        "device": device,
        "versions": versions(),
    }


def first_and_last_losses(history: Terms) -> dict[str, dict[str, float | None]]:
    """Each term at the first and the last step; None where it is not finite."""
    return {name: {"first": values[0], "last": values[-1]} for name, values in losses_by_step(history).items()}


def losses_by_step(history: Terms) -> dict[str, list[float | None]]:
    """Each term at every step; None where it is not finite."""
    return {
        name: [float(value) if np.isfinite(value) else None for value in values]
        for name, values in asdict(history).items()
    }
