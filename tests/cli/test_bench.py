"""`jaxstyle bench` and the rows that it prints."""

import json

import numpy as np
import pytest
from support.command import run, succeed


@pytest.mark.parametrize("as_json", [False, True])
def test_a_row_for_each_size_and_batch(as_json: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    calls = []

    def fake_time_steps(network, config, height, width, *, batch_size, rounds):
        calls.append((height, width, batch_size, rounds))
        row = {"height": height, "width": width, "batch_size": batch_size, "ready": 1.5, "step": 0.25 * batch_size}
        return row | {"operations": 10**9 * batch_size, "bytes": 10**9}

    monkeypatch.setattr("jaxstyle.cli.bench.time_steps", fake_time_steps)
    monkeypatch.setattr("jaxstyle.cli.bench.matrix_product_rate", lambda precision: 1e10)
    out = succeed("bench", "--sizes", "64,128", "--batch-sizes", "1,4", "--rounds", 2, *["--json"] * as_json)
    assert calls == [(48, 64, 1, 2), (48, 64, 4, 2), (96, 128, 1, 2), (96, 128, 4, 2)]
    if as_json:
        rows = json.loads(out)["rows"]
        assert [row["share"] for row in rows] == pytest.approx([0.4] * 4)
    else:
        rows = [line.split() for line in out.splitlines() if " 0.40 " in line]
        assert [row[-3:] for row in rows] == [["4.00", "0.40", "1.00"]] * 4


def test_real_measurement(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("jaxstyle.cli.bench.matrix_product_rate", lambda precision: 1e11)
    record = json.loads(succeed("bench", "--sizes", "64", "--rounds", 1, "--json"))
    (row,) = record["rows"]
    assert 0 < row["step"] < 60 and row["ready"] > 0 and np.isfinite(row["share"])
    assert record["network"]["architecture"] == "vgg19" and record["device"]["platform"]


@pytest.mark.parametrize("option", [("--sizes", "64,big"), ("--sizes", "8"), ("--batch-sizes", "0"), ("--sizes", "")])
def test_bad_counts_are_one_line(option: tuple[str, str]) -> None:
    outcome = run("bench", *option)
    assert outcome.code == 2 and outcome.out == ""
    assert option[0] in outcome.err and "expected whole numbers" in outcome.err and outcome.err.count("\n") == 1
