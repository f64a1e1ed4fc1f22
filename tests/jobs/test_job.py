"""A job from Python: what it reports, writes and returns, and that it is silent."""

import subprocess
import sys
import threading
from dataclasses import asdict
from pathlib import Path

import pytest
from PIL import Image
from support.command import CONTENT, STYLE

from jaxstyle import jobs
from jaxstyle.errors import ConfigError
from jaxstyle.jobs.leftovers import checkpoint_name
from jaxstyle.jobs.records import read_records

TINY = jobs.Options(size=32, steps=3, content_layers="relu1_1", style_layers="relu1_1")


def job(folder: Path, contents: list[Path], **options) -> jobs.Job:
    return jobs.Job(jobs.pair_up(contents, [STYLE], TINY, zipped=False), folder, **options)


@pytest.fixture
def damaged(tmp_path: Path) -> Path:
    path = tmp_path / "damaged.png"
    path.write_bytes(b"\x89PNG\r\n\x1a\n")
    return path


def test_events_and_summary_and_silence(tmp_path: Path, damaged: Path, capfd: pytest.CaptureFixture):
    events: list[jobs.Event] = []
    summary = jobs.run_job(job(tmp_path / "out", [CONTENT, damaged]), events.append)

    assert [type(event) for event in events] == [
        *(jobs.Planned, jobs.Failed, jobs.Started, jobs.Step, jobs.Step, jobs.Finished, jobs.Written)
    ]
    planned, failed, started, first_step, last_step, finished, written = events
    assert planned.plan.todo == [0] and failed.pair == 1 and "damaged.png" in failed.error
    assert started.group == first_step.group == finished.group and started.group.pairs == (0,)
    assert (first_step.progress.step, last_step.progress.step) == (0, 3)
    assert written.pair == 0 and written.record["steps"] == 3
    with Image.open(written.path) as picture:
        assert max(picture.size) == 32

    assert (summary.pairs, summary.done, summary.done_before, summary.untried) == (2, 1, 0, 0)
    assert summary.failed == [{"output": "damaged--swirls.png", "error": failed.error}]
    assert summary.cost == jobs.Cost(1, written.record["seconds"]["compute"], None)
    assert jobs.describe_job(job(tmp_path / "out", [CONTENT]))["spent"] == asdict(summary.cost)
    assert summary.results == {0: written.path} and Path(summary.record).exists()
    assert capfd.readouterr() == ("", "")


def test_one_that_is_asked_to_stop_saves_its_state_and_goes_on_from_there(tmp_path: Path):
    def long(name: str) -> jobs.Job:
        options = jobs.Options(size=32, steps=30, content_layers="relu1_1", style_layers="relu1_1")
        return jobs.Job(jobs.pair_up([CONTENT, STYLE], [STYLE], options, zipped=False), tmp_path / name, batch_size=1)

    stop, events = threading.Event(), list[jobs.Event]()

    def stop_at_the_first_step(event: jobs.Event) -> None:
        events.append(event)
        if isinstance(event, jobs.Step) and event.progress.step == 10:
            stop.set()

    summary = jobs.run_job(long("stopped"), stop_at_the_first_step, stop=stop)
    assert (summary.done, summary.untried, summary.failed) == (0, 2, [])
    assert max(event.progress.step for event in events if isinstance(event, jobs.Step)) <= 20
    assert len(list((tmp_path / "stopped/.jaxstyle/checkpoints").iterdir())) in (1, 2)
    assert jobs.run_job(long("stopped")).done == jobs.run_job(long("straight")).done == 2
    resumed = [record["resumed"] for record in read_records(tmp_path / "stopped").values()]
    assert max(resumed) in (10, 20)
    for file in (tmp_path / "straight").glob("*.png"):
        assert file.read_bytes() == (tmp_path / "stopped" / file.name).read_bytes()


def test_a_second_run_has_nothing_to_do(tmp_path: Path):
    first = jobs.run_job(job(tmp_path, [CONTENT]))
    events: list[jobs.Event] = []
    second = jobs.run_job(job(tmp_path, [CONTENT]), events.append)
    assert [type(event) for event in events] == [jobs.Planned]
    assert (second.done, second.done_before, second.results) == (1, 1, first.results)


def test_checkpoints_of_finished_groups_are_deleted(tmp_path: Path):
    """A process can be killed after it has written a record and before it has deleted the checkpoint."""
    events: list[jobs.Event] = []
    jobs.run_job(job(tmp_path, [CONTENT]), events.append)
    plan = next(event.plan for event in events if isinstance(event, jobs.Planned))
    checkpoint = tmp_path / jobs.STATE_FOLDER / "checkpoints" / checkpoint_name(plan, plan.groups[0])
    checkpoint.mkdir(parents=True)
    jobs.run_job(job(tmp_path, [CONTENT]))
    assert not checkpoint.exists()


def test_a_description_computes_nothing(tmp_path: Path):
    description = jobs.describe_job(job(tmp_path / "out", [CONTENT]))
    assert description["pairs"] == 1 and description["todo"] == ["harbour--swirls.png"]
    assert description["groups"][0]["bytes"] > 0 and not (tmp_path / "out").exists()


def test_an_exception_in_the_callback_ends_the_job(tmp_path: Path):
    def stop(event: jobs.Event) -> None:
        if isinstance(event, jobs.Step):
            raise RuntimeError("enough")

    with pytest.raises(RuntimeError, match="enough"):
        jobs.run_job(job(tmp_path, [CONTENT]), stop)
    assert not list(tmp_path.glob("*.png"))
    assert jobs.run_job(job(tmp_path, [CONTENT])).done == 1


def test_results_never_replace_inputs(tmp_path: Path):
    content = tmp_path / "photo.png"
    Image.new("RGB", (40, 40)).save(content)
    task = jobs.Task(content, (STYLE,), TINY.settings(), Path("photo.png"))
    with pytest.raises(ConfigError, match="is one of the pictures to read"):
        jobs.run_job(jobs.Job([task], tmp_path))


def test_importing_jobs_imports_no_command_line():
    code = (
        "import sys, jaxstyle.jobs; print([name for name in sys.modules if name.startswith(('typer', 'jaxstyle.cli'))])"
    )
    completed = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert completed.stdout == "[]\n"
