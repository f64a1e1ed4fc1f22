"""Write tests/data/state-zip.pth and state-legacy.pth: a small state_dict in both file formats of PyTorch.

    python -m scripts.weights.torch_fixtures

The tests, which do not need PyTorch, expect the same tensors: they count from 0 in steps of 1/8. Requires torch.
"""

from collections import OrderedDict
from pathlib import Path

import torch

DATA = Path(__file__).resolve().parents[2] / "tests" / "data"


def counting(*shape: int) -> torch.Tensor:
    """A tensor that counts from 0 in steps of 1/8."""
    return torch.arange(torch.Size(shape).numel()).reshape(shape) / 8


def main() -> None:
    shared = counting(3, 4)
    state: OrderedDict[str, object] = OrderedDict()
    state |= {
        "features.0.weight": torch.nn.Parameter(counting(4, 3, 3, 3)),
        "features.0.bias": counting(4),
        "features.2.weight": counting(5, 4, 3, 3).to(memory_format=torch.channels_last),
        "features.2.bias": counting(5),
        "classifier.0.weight": counting(2, 5),
        "transposed": shared.T,
        "part": shared[1:, 2],
        "half": counting(3).half(),
        "double": counting(3).double(),
        "long": counting(3).long(),
        "scalar": torch.tensor(1.5),
        "note": "not a tensor",
    }
    vars(state)["_metadata"] = OrderedDict(version=1)  # as in the state_dict of a module
    torch.save({"epoch": 3, "state_dict": state}, DATA / "state-zip.pth")
    torch.save(state, DATA / "state-legacy.pth", _use_new_zipfile_serialization=False)


if __name__ == "__main__":
    main()
