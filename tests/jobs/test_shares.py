"""Shares of a job: the same split on all machines, equally long, and complete whatever becomes of the others."""

import errno
import re
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.batches import pictures_in
from support.command import CONTENT, STYLE, run

from jaxstyle import jobs
from jaxstyle.errors import ConfigError, JaxStyleError
from jaxstyle.jobs import Share, parse_share, records, share_from_variables
from jaxstyle.jobs.inputs import NetworkCache
from jaxstyle.jobs.known_files import KnownFiles
from jaxstyle.jobs.plan import make_plan
from jaxstyle.jobs.shares import split_evenly

TINY = jobs.Options(size=32, steps=3, content_layers="relu1_1", style_layers="relu1_1", init="noise", optimizer="adam")
PHOTOS = [CONTENT, CONTENT.with_name("cat.jpg")]


def tasks_of(steps: Sequence[int]) -> list[jobs.Task]:
    """Pairs of two contents of different shapes, with these steps."""
    options = [replace(TINY, seed=seed, steps=count) for seed, count in enumerate(steps)]
    return [
        jobs.Task(PHOTOS[seed % 2], (STYLE,), options[seed].settings(), Path(f"{seed}.png"))
        for seed in range(len(steps))
    ]


def job(folder: Path, share: Share = jobs.WHOLE, pairs: int = 7) -> jobs.Job:
    return jobs.Job(tasks_of([3] * pairs), folder, share)


@pytest.mark.parametrize(
    ("variables", "expected"),
    [
        ("", None),
        ("JOB_COMPLETION_INDEX=2 JAXSTYLE_SHARDS=5", Share(2, 5)),
        ("JAXSTYLE_SHARDS=5", None),
        ("SLURM_ARRAY_TASK_ID=4 SLURM_ARRAY_TASK_COUNT=3 SLURM_ARRAY_TASK_MIN=2 SLURM_ARRAY_TASK_STEP=1", Share(2, 3)),
        ("SLURM_ARRAY_TASK_ID=7 SLURM_ARRAY_TASK_COUNT=4 SLURM_ARRAY_TASK_MIN=1 SLURM_ARRAY_TASK_STEP=2", Share(3, 4)),
        ("SLURM_ARRAY_TASK_ID=3 SLURM_ARRAY_TASK_COUNT=1 SLURM_ARRAY_TASK_MIN=3 SLURM_ARRAY_TASK_STEP=1", Share(0, 1)),
        ("TPU_WORKER_ID=1 TPU_WORKER_HOSTNAMES=a,b", Share(1, 2)),
        ("TPU_WORKER_ID=0 TPU_WORKER_HOSTNAMES=localhost", None),
        ("JOB_COMPLETION_INDEX=1 TPU_WORKER_ID=1 TPU_WORKER_HOSTNAMES=a,b", Share(1, 2)),
    ],
)
def test_share_from_variables(variables: str, expected: Share | None):
    found = share_from_variables(dict(text.split("=") for text in variables.split()))
    assert (found and found[0]) == expected and (found is None or found[1] in variables)


@pytest.mark.parametrize(
    ("variables", "message"),
    [
        ("JOB_COMPLETION_INDEX=2", "set JAXSTYLE_SHARDS to the job's completions"),
        ("JOB_COMPLETION_INDEX=3 JAXSTYLE_SHARDS=3", "JOB_COMPLETION_INDEX is '3' of '3' tasks"),
        ("JOB_COMPLETION_INDEX=3 JAXSTYLE_SHARDS=many", "'many'"),
        (
            "SLURM_ARRAY_TASK_ID=1",
            "SLURM_ARRAY_TASK_ID is set, but not the number of shares; set SLURM_ARRAY_TASK_COUNT",
        ),
        (
            "SLURM_ARRAY_TASK_ID=9 SLURM_ARRAY_TASK_COUNT=3 SLURM_ARRAY_TASK_MIN=1 SLURM_ARRAY_TASK_STEP=1",
            "without gaps",
        ),
        (
            "SLURM_ARRAY_TASK_ID=2 SLURM_ARRAY_TASK_COUNT=3 SLURM_ARRAY_TASK_MIN=1 SLURM_ARRAY_TASK_STEP=2",
            "without gaps",
        ),
    ],
)
def test_variables_that_give_no_share(variables: str, message: str):
    with pytest.raises(ConfigError) as caught:
        share_from_variables(dict(text.split("=") for text in variables.split()))
    assert message in str(caught.value) and "--shard" in str(caught.value)


def test_parse_share():
    assert parse_share("--shard", "2/3") == Share(2, 3)
    for text in ("3/3", "-1/3", "1", "1/0", "1/3/4", "\u0663/4", ""):
        with pytest.raises(ConfigError, match="--shard is .*; expected"):
            parse_share("--shard", text)


@given(
    st.lists(st.integers(0, 5), max_size=60), st.lists(st.integers(1, 100), min_size=6, max_size=6), st.integers(1, 9)
)
def test_shares_take_equally_long(kinds: list[int], costs: list[int], count: int):
    """No share is longer than another by more than one item: otherwise, moving that item would have been better."""
    shares = split_evenly(kinds, dict(enumerate(costs)), count)
    loads = [
        sum(costs[kind] for kind, share in zip(kinds, shares, strict=True) if share == index) for index in range(count)
    ]
    assert max(loads) - min(loads) <= max((costs[kind] for kind in kinds), default=0)
    for kind in set(kinds):
        of_kind = [share for other, share in zip(kinds, shares, strict=True) if other == kind]
        assert of_kind == sorted(of_kind), "neighbors are together"


def test_all_machines_compute_the_same_split(tmp_path: Path):
    """Also those with other devices, whose groups have other sizes."""
    networks, files, tasks = NetworkCache(), KnownFiles(tmp_path), tasks_of([33, *[3] * 11])
    plans = [
        make_plan(tasks, networks, {}, tmp_path, files=files, batch_size=batch_size, share=Share(index, 3))
        for index, batch_size in enumerate((1, 2, 5))
    ]
    assert len({plan.share_of for plan in plans}) == 1
    assert [{pair for group in plan.groups for pair in group.pairs} for plan in plans] == [plan.pairs for plan in plans]
    assert sorted(pair for plan in plans for pair in plan.pairs) == list(range(12))
    assert plans[0].pairs == {0} and abs(len(plans[1].pairs) - len(plans[2].pairs)) == 1, "as much work as 11 others"


def test_a_share_that_is_never_started_holds_up_no_other(tmp_path: Path):
    """Two of three shares run at the same time; the third finishes the job later, as one process would have."""
    whole, folder, others = tmp_path / "whole", tmp_path / "shares", []
    jobs.run_job(job(whole))

    def start_another(event: jobs.Event) -> None:
        if isinstance(event, jobs.Started) and not others:
            others.append(jobs.run_job(job(folder, Share(2, 3))))
            state = jobs.describe_job(job(folder, Share(1, 3)))["shares"]
            assert [share["running"] for share in state] == [True, False, False]

    first = jobs.run_job(job(folder, Share(0, 3)), start_another)
    done = {number for number, file in first.results.items() if file.is_file()}
    assert (
        first.done == first.pairs and others[0].done == others[0].pairs and len(done) == first.pairs + others[0].pairs
    )
    assert set(pictures_in(folder)) == {f"{number}.png" for number in done}

    description = jobs.describe_job(job(folder, Share(0, 3)))
    assert [share["todo"] for share in description["shares"]] == [0, 7 - len(done), 0]
    assert (description["pairs"], description["done"], description["todo"]) == (first.pairs, first.pairs, [])
    description = jobs.describe_job(job(folder, Share(1, 3)))
    assert (description["pairs"], description["done"], len(description["todo"])) == (7 - len(done), 0, 7 - len(done))
    last = jobs.run_job(job(folder, Share(1, 3)))
    assert last.done == last.pairs == 7 - len(done) > 0 and last.done_before == 0
    assert pictures_in(folder) == pictures_in(whole)
    lines = [line for file in folder.glob("results-*.jsonl") for line in file.read_text().splitlines()]
    assert len(lines) == 7 == len(jobs.read_records(folder))
    assert jobs.run_job(job(folder)).done_before == 7


def test_a_share_that_is_started_twice(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """The second is refused. Where there are no locks, both compute the same, and neither disturbs the other."""
    folder, seconds = tmp_path / "out", []

    def start_again(event: jobs.Event) -> None:
        if isinstance(event, jobs.Started) and not seconds:
            seconds.append(None)
            seconds.append(jobs.run_job(job(folder, Share(1, 2), 4)))

    with pytest.raises(JaxStyleError, match=f"share 1/2, or another job, is running in {folder}"):
        jobs.run_job(job(folder, Share(1, 2), 4), start_again)

    def acquire(*_: object, **__: object) -> None:
        raise OSError(errno.ENOLCK, "No locks available")

    monkeypatch.setattr(records.FileLock, "acquire", acquire)
    seconds.clear()
    first = jobs.run_job(job(folder, Share(1, 2), 4), start_again)
    assert first.done == seconds[1].done == first.pairs == len(pictures_in(folder)) == len(jobs.read_records(folder))


def test_the_command_computes_its_share(photos: Path, paintings: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    tiny = ("--size", 32, "--steps", 3, "--content-layers", "relu1_1", "--style-layers", "relu1_1")
    command = ("batch", "--content", photos, "--style", paintings, "-o", tmp_path / "out", *tiny)
    monkeypatch.setenv("SLURM_ARRAY_TASK_ID", "8")
    monkeypatch.setenv("SLURM_ARRAY_TASK_MIN", "7")
    monkeypatch.setenv("SLURM_ARRAY_TASK_COUNT", "2")
    outcome = run(*command)
    assert outcome.code == 0 and "share 1/2 of the job, by SLURM_ARRAY_TASK_ID; " in outcome.err
    assert "2 of 2 pairs of share 1/2 are done" in outcome.err and len(pictures_in(tmp_path / "out")) == 2
    (photos / "bad.png").touch()
    text = run(*command, "--dry-run", "--shard", "0/2").out
    lines = text.splitlines()
    assert lines[0] == "share 0/2 of the job: 3 pairs: 0 done, 1 failed, 2 to do"
    assert re.match(rf"  failed: bad--\w+\.png: {photos}/bad\.png: is empty", lines[1]) and text.count("bad.png") == 1
    assert sum(line.endswith(".png") and " with " in line for line in lines) == 2 and "  2 pairs at " in text
    assert lines[-3:] == [
        "all shares of the job:",
        "  share 0/2: 0 of 3 pairs done, 1 failed, 2 to do",
        "  share 1/2: 2 of 3 pairs done, 1 failed, 0 to do",
    ]
    text = run(*command, "--dry-run").out
    assert text.startswith("share 1/2 of the job: 3 pairs: 2 done, 1 failed, 0 to do\n") and " with " not in text
    (photos / "bad.png").unlink()
    assert "4 of 4 pairs are done, 2 of them before" in run(*command, "--shard", "0/1").err
    done_by_others = run(*command, "--shard", "0/2")
    assert done_by_others.err.endswith("2 of 2 pairs of share 0/2 are done, 2 of them before this run\n")
    assert "--shard is '2/2'; expected an index from 0 to 1" in run(*command, "--shard", "2/2").err
