"""A job on a Ray cluster gives what it gives without, whatever becomes of workers. Ray itself is replaced by threads.

scripts/measuring/ray_batch.py does the same with Ray, in processes that are killed.
"""

import json
import socket
import sys
import threading
from contextlib import nullcontext
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from support.batches import batch, pictures_in, records_in
from support.command import CONTENT, STYLE
from support.fake_ray import Actor, FakeRay
from support.stores import store

from jaxstyle import jobs
from jaxstyle.errors import ConfigError, JaxStyleError
from jaxstyle.jobs import cluster, ray_connection, worker
from jaxstyle.jobs.cluster_room import worker_resources, worker_room
from jaxstyle.jobs.ray_connection import check_address
from jaxstyle.jobs.records import iterate_records

__all__ = ["store"]
TINY = jobs.Options(size=32, steps=3, content_layers="relu1_1", style_layers="relu1_1", init="noise", optimizer="adam")


@pytest.fixture
def ray(monkeypatch: pytest.MonkeyPatch) -> FakeRay:
    """A cluster with room for two workers."""
    fake = FakeRay({"CPU": 2})
    monkeypatch.setitem(sys.modules, "ray", fake)
    monkeypatch.setattr(worker, "enable_cache", lambda: None)  # which configures JAX for the whole process
    return fake


def job(folder: Path, pairs: int = 5, **options: Any) -> jobs.Job:
    tasks = [
        jobs.Task(CONTENT, (STYLE,), replace(TINY, seed=seed, steps=3 + seed).settings(), Path(f"{seed}.png"))
        for seed in range(pairs)
    ]
    return jobs.Job(tasks, folder, **options)


def with_damaged(tested: jobs.Job, folder: Path) -> jobs.Job:
    """The job with two more pairs: a damaged content, and a damaged style."""
    (folder / "damaged.png").write_bytes(b"\x89PNG\r\n\x1a\n")
    settings = TINY.settings()
    damaged = [
        jobs.Task(folder / "damaged.png", (STYLE,), settings, Path("a.png")),
        jobs.Task(CONTENT, (folder / "damaged.png",), settings, Path("b.png")),
    ]
    return replace(tested, tasks=[*tested.tasks, *damaged])


def same_records(one: Path, other: Path) -> bool:
    """Whether both folders have the same records, except for times."""
    one_records, other_records = (
        sorted(
            json.dumps({name: value for name, value in line.items() if name not in ("ended", "seconds")})
            for line in records_in(folder)
        )
        for folder in (one, other)
    )
    return one_records == other_records


def test_results_records_and_events_are_those_of_a_local_job(
    ray: FakeRay, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    sent: list[int] = []

    def call(actor: Actor, name: str, *arguments: Any) -> Any:
        if name == "compute" and arguments[0] is not None:
            sent.extend(arguments[0].pairs)
        return call_actor(actor, name, *arguments)

    call_actor = Actor.call
    monkeypatch.setattr(Actor, "call", call)
    here, there = (with_damaged(job(tmp_path / name), tmp_path) for name in ("here", "there"))
    local_events: list[jobs.Event] = []
    events: list[jobs.Event] = []
    local, summary = jobs.run_job(here, local_events.append), jobs.run_job_on_ray(there, events.append, cores=1)
    assert (summary.pairs, summary.done, summary.untried) == (7, 5, 0) == (local.pairs, local.done, local.untried)
    assert summary.failed == local.failed and len(summary.failed) == 2
    assert pictures_in(tmp_path / "here") == pictures_in(tmp_path / "there") and len(ray.actors) == 2
    assert same_records(tmp_path / "here", tmp_path / "there")
    counted = [type(event) for event in events if not isinstance(event, jobs.Step)]
    assert sorted(map(str, counted)) == sorted(str(type(e)) for e in local_events if not isinstance(e, jobs.Step))
    assert counted[0] is jobs.Planned and {e.progress.step for e in events if isinstance(e, jobs.Step)} >= {3}
    assert sent[:4] == [4, 3, 2, 1], "the longest first"
    assert sorted(event.group.pairs[0] for event in events if isinstance(event, jobs.Started)) == [0, 1, 2, 3, 4]
    assert {path.name for path in (tmp_path / "there" / ".jaxstyle").iterdir()} <= {
        *("lock", "0-of-1.lock", "checkpoints", "pictures.json")
    }
    again = jobs.run_job_on_ray(there)
    assert (again.done, again.done_before) == (5, 5) and len(records_in(tmp_path / "there")) == 7


@pytest.mark.usefixtures("store")
def test_pictures_and_results_may_be_in_a_store(ray: FakeRay, tmp_path: Path):
    content, results = jobs.as_path("memory://bucket") / CONTENT.name, jobs.as_path("memory://bucket/results")
    content.write_bytes(CONTENT.read_bytes())
    here, there = job(tmp_path, 3), job(results, 3)
    there = replace(there, tasks=[replace(task, content=content) for task in there.tasks])
    for tested in (here, there):
        assert jobs.run_job_on_ray(tested, cores=1).done == 3
    assert {path.name: path.read_bytes() for path in results.iterdir() if path.suffix} == pictures_in(tmp_path)
    assert sorted(record["output"] for record in iterate_records(results)) == ["0.png", "1.png", "2.png"]
    assert jobs.run_job_on_ray(there).done_before == 3


def test_what_a_worker_had_is_done_again_when_it_dies(ray: FakeRay, tmp_path: Path):
    jobs.run_job(job(tmp_path / "here", 6))
    deaths = iter([True, False, True, True])

    def on_event(event: jobs.Event) -> None:
        if isinstance(event, jobs.Started) and next(deaths, False):
            ray.living()[0].die()

    summary = jobs.run_job_on_ray(job(tmp_path / "there", 6), on_event, cores=1)
    assert summary.done == 6 and len(ray.actors) >= 5
    assert pictures_in(tmp_path / "here") == pictures_in(tmp_path / "there")
    assert same_records(tmp_path / "here", tmp_path / "there")


def test_a_job_that_is_stopped_goes_on_from_its_checkpoints(ray: FakeRay, tmp_path: Path):
    settings, stop = replace(TINY, steps=60).settings(), threading.Event()
    here, there = (
        jobs.Job([jobs.Task(CONTENT, (STYLE,), settings, Path("a.png"))], tmp_path / name) for name in ("here", "there")
    )

    def on_event(event: jobs.Event) -> None:
        if isinstance(event, jobs.Step) and event.progress.step >= 20:
            stop.set()

    assert jobs.run_job_on_ray(there, on_event, stop=stop).untried == 1 and not ray.living()
    assert jobs.run_job_on_ray(there).done == 1
    (record,) = records_in(tmp_path / "there")
    assert 20 <= record["resumed"] < 60
    jobs.run_job(here)
    assert pictures_in(tmp_path / "here") == pictures_in(tmp_path / "there")


def test_workers_fit_the_machines_and_not_their_total(ray: FakeRay, tmp_path: Path):
    """Two machines with a core each; a worker usually takes four."""
    ray.resources = ({"CPU": 1}, {"CPU": 1})
    assert jobs.run_job_on_ray(job(tmp_path, 3)).done == 3
    assert len(ray.actors) >= 2


def test_a_cluster_without_room_is_waited_for_with_a_word(
    ray: FakeRay, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    def stop(event: jobs.Event) -> None:
        assert event == jobs.Waiting({"num_cpus": 1})
        raise KeyboardInterrupt

    monkeypatch.setattr(cluster, "_PATIENCE", 0.1)
    ray.resources = ({"CPU": 0},)
    with pytest.raises(KeyboardInterrupt):
        jobs.run_job_on_ray(job(tmp_path / "out"), stop, address="auto")


@pytest.mark.parametrize(
    ("nodes", "needed", "room"),
    [
        ([{"CPU": 64}], {"num_cpus": 4}, 16),
        ([{"CPU": 8}, {"CPU": 6}, {"CPU": 3}], {"num_cpus": 4}, 3),
        ([{"CPU": 3}, {"CPU": 2}], {"num_cpus": 3}, 1),
        ([{"CPU": 1, "memory": 9}, {"CPU": 1}], {"num_cpus": 1}, 2),
        ([{"CPU": 64}, {"CPU": 8, "GPU": 2}, {"CPU": 8, "GPU": 1}], {"num_gpus": 1}, 3),
        ([{"memory": 9}], {"num_cpus": 1}, 1),
        ([], {"num_cpus": 1}, 1),
    ],
)
def test_what_a_worker_takes_and_how_many_fit(nodes: list[dict[str, float]], needed: dict[str, int], room: int):
    lost = {"Alive": False, "Resources": {"CPU": 100, "GPU": 8}}
    found = [*({"Alive": True, "Resources": node} for node in nodes), lost]
    assert worker_resources(found, 4) == needed and worker_room(found, 4) == room


def test_a_pair_that_kills_its_workers_fails_and_no_other(ray: FakeRay, tmp_path: Path):
    ray.resources[0]["CPU"] = 1

    def on_event(event: jobs.Event) -> None:
        if isinstance(event, jobs.Started) and event.group.pairs == (1,):
            ray.living()[0].die()

    summary = jobs.run_job_on_ray(job(tmp_path, 3), on_event, cores=1)
    assert (summary.done, summary.untried) == (2, 0)
    assert summary.failed == [
        {"output": "1.png", "error": "5 workers died while they computed it, perhaps for lack of memory"}
    ]


def test_workers_that_never_begin_end_the_job(ray: FakeRay, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    def crash(*_: Any) -> None:
        raise OSError

    monkeypatch.setattr(worker, "NetworkCache", crash)
    with pytest.raises(JaxStyleError, match="the workers on the Ray cluster die before they begin"):
        jobs.run_job_on_ray(job(tmp_path / "out"))
    assert len(ray.actors) == 6 and not (tmp_path / "out").exists()


def test_errors_of_workers_are_those_of_a_local_job(ray: FakeRay, tmp_path: Path):
    unknown = jobs.Task(CONTENT, (STYLE,), replace(TINY, style_layers="relu9_9").settings(), Path("a.png"))
    with pytest.raises(ConfigError, match="relu9_9"):
        jobs.run_job_on_ray(jobs.Job([unknown], tmp_path / "out"))


def test_fail_fast_ends_all_workers(ray: FakeRay, tmp_path: Path):
    tested = with_damaged(job(tmp_path / "out", 30), tmp_path)
    summary = jobs.run_job_on_ray(replace(tested, fail_fast=True), cores=1)
    assert summary.failed and summary.untried > 20 and not ray.living()


def test_the_command(ray: FakeRay, photos: Path, paintings: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """`--ray` computes the whole job, also within a cluster that would give the command a share."""
    monkeypatch.setenv("SLURM_ARRAY_TASK_ID", "0")
    monkeypatch.setenv("SLURM_ARRAY_TASK_COUNT", "3")
    monkeypatch.setattr("jaxstyle.cli.batch.leave_gpus_alone", lambda: None)
    where = ("--content", photos, "--style", paintings)
    outcome = batch(tmp_path / "out", *where, "--ray", "auto")
    assert (outcome.code, len(pictures_in(tmp_path / "out"))) == (0, 4) and not ray.living()
    refused = batch(tmp_path / "out", *where, "--ray", "auto", "--shard", "0/3")
    assert refused.code == 2 and "--ray computes the whole job, but --shard is 0/3;" in refused.err
    refused = batch(tmp_path / "out", *where, "--ray", "1.2.3.4")
    assert refused.code == 2 and "'1.2.3.4'; expected HOST:PORT, such as 1.2.3.4:6379" in refused.err


def test_what_cannot_run_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    with pytest.raises(ConfigError, match="expected the whole job"):
        jobs.run_job_on_ray(job(tmp_path / "out", share=jobs.Share(1, 2)))
    monkeypatch.setitem(sys.modules, "ray", None)
    with pytest.raises(JaxStyleError, match=r"Ray is not installed; run: pip install"):
        jobs.run_job_on_ray(job(tmp_path / "out"))
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("answer", "found"),
    [
        (None, "refused"),
        (b"HTTP/1.1 400 Bad Request\r\n\r\n", "is not the head of a Ray cluster"),
        (b"", "is not the head of a Ray cluster"),
        (b"\0\0\0\4\0\0\0\0\0", ""),  # a frame of settings, from a gRPC server
    ],
)
def test_an_address_without_ray_is_one_line(answer: bytes | None, found: str):
    """Ray would wait for minutes."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        address = f"127.0.0.1:{server.getsockname()[1]}"

        def serve() -> None:
            with server.accept()[0] as connection:
                connection.recv(100)
                connection.sendall(answer or b"")

        if answer is None:
            server.close()
        else:
            threading.Thread(target=serve, daemon=True).start()
        with pytest.raises(JaxStyleError, match=f"Ray at '{address}' .*{found}") if found else nullcontext():
            check_address(address)


def test_an_address_that_says_nothing_is_one_line(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(ray_connection, "_TIMEOUT", 0.1)
    with socket.create_server(("127.0.0.1", 0)) as server, pytest.raises(JaxStyleError, match="timed out"):
        check_address(f"127.0.0.1:{server.getsockname()[1]}")
    for unchecked in ("auto", "local"):
        check_address(unchecked)
