"""Write tests/data/state-zip.pth and state-legacy.pth: one small state_dict in both of PyTorch's formats.

Needs PyTorch, unlike the tests, which know the content: `numbers(shape)` counts up from 0 by 1/8.
"""

from collections import OrderedDict
from pathlib import Path

import torch

DATA = Path(__file__).resolve().parents[2] / "tests" / "data"


def numbers(*shape: int) -> torch.Tensor:
    return torch.arange(torch.Size(shape).numel()).reshape(shape) / 8


def main() -> None:
    shared = numbers(3, 4)
    state: OrderedDict[str, object] = OrderedDict()
    state |= {
        "features.0.weight": torch.nn.Parameter(numbers(4, 3, 3, 3)),
        "features.0.bias": numbers(4),
        "features.2.weight": numbers(5, 4, 3, 3).to(memory_format=torch.channels_last),
        "features.2.bias": numbers(5),
        "classifier.0.weight": numbers(2, 5),
        "transposed": shared.T,
        "part": shared[1:, 2],
        "half": numbers(3).half(),
        "double": numbers(3).double(),
        "long": numbers(3).long(),
        "scalar": torch.tensor(1.5),
        "note": "not a tensor",
    }
    vars(state)["_metadata"] = OrderedDict(version=1)  # as state_dicts of modules have it
    torch.save({"epoch": 3, "state_dict": state}, DATA / "state-zip.pth")
    torch.save(state, DATA / "state-legacy.pth", _use_new_zipfile_serialization=False)


if __name__ == "__main__":
    main()
