"""Jobs whose pictures, results, records and checkpoints are objects in a store."""

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from fsspec.implementations.memory import MemoryFileSystem
from support.batches import TINY, pictures_in
from support.command import CONTENT, STYLE, run
from support.quick import random_picture
from support.quick import run as stylize_quickly
from support.stores import store

from jaxstyle import jobs
from jaxstyle.cli import messages
from jaxstyle.cli.arrivals import PictureState
from jaxstyle.errors import WeightsError
from jaxstyle.files.checkpoints import CheckpointObjects, snapshot
from jaxstyle.images import RemotePath, as_path
from jaxstyle.jobs import read_records, record_objects
from jaxstyle.jobs.record_objects import RecordObjects
from jaxstyle.jobs.records import iterate_records, open_records
from jaxstyle.optimization import Progress
from jaxstyle.weights import EMBEDDED, load_weights
from jaxstyle.weights.store import path_of

__all__ = ["store"]
OPTIONS = jobs.Options(size=32, steps=3, content_layers="relu1_1", style_layers="relu1_1")
LINE = {"output": "trip/a.png", "key": "1", "error": None}


@pytest.fixture
def bucket(store: None) -> RemotePath:
    """A store with two contents in `photos` and a style in `paintings`."""
    bucket = as_path("memory://bucket")
    assert isinstance(bucket, RemotePath)
    for source, name in ((CONTENT, "photos"), (CONTENT.with_name("cat.jpg"), "photos"), (STYLE, "paintings")):
        (bucket / name / source.name).write_bytes(source.read_bytes())
    return bucket


def job(bucket: Path, out: str = "results", **options) -> jobs.Job:
    contents, _ = jobs.find_pictures("--content", f"{bucket}/photos")
    styles, _ = jobs.find_pictures("--style", f"{bucket}/paintings/*.jpg")
    return jobs.Job(jobs.pair_up(contents, styles, OPTIONS, zipped=False), bucket / out, **options)


def pictures(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir() if path.suffix == ".png"}


class TestAJob:
    def test_has_the_results_of_a_job_on_files(self, bucket: RemotePath, tmp_path: Path):
        for name in ("photos", "paintings"):
            (tmp_path / name).mkdir()
            for path in (bucket / name).iterdir():
                (tmp_path / name / path.name).write_bytes(path.read_bytes())
        summary, expected = jobs.run_job(job(bucket)), jobs.run_job(job(tmp_path))
        assert (summary.done, summary.failed) == (2, []) and summary.record == "memory://bucket/results/records"
        assert pictures(bucket / "results") == pictures_in(tmp_path / "results") != {}
        assert {str(path) for path in summary.results.values()} == {
            f"memory://bucket/results/{name}" for name in pictures(bucket / "results")
        }
        found, others = read_records(bucket / "results"), read_records(tmp_path / "results")
        for records in (found, others):
            for record in records.values():
                record["seconds"] = record["ended"] = None
        assert found == others and expected.done == 2

    def test_is_not_done_again(self, bucket: RemotePath):
        jobs.run_job(job(bucket))
        before, events = {path: path.read_bytes() for path in (bucket / "results").find()}, []
        summary = jobs.run_job(job(bucket), events.append)
        assert [type(event) for event in events] == [jobs.Planned] and (summary.done, summary.done_before) == (2, 2)
        assert {path: path.read_bytes() for path in (bucket / "results").find()} == before

        (bucket / "photos" / "cat.jpg").write_bytes(STYLE.read_bytes())  # other pictures
        (bucket / "results" / "harbour--swirls.png").unlink()
        assert jobs.describe_job(job(bucket))["todo"] == ["cat--swirls.png", "harbour--swirls.png"]
        assert jobs.run_job(job(bucket)).done_before == 0
        assert len([*iterate_records(bucket / "results")]) == 4

    def test_goes_on_from_its_checkpoint(self, bucket: RemotePath):
        def stop_at(step: int) -> Callable[[jobs.Event], None]:
            def stop(event: jobs.Event) -> None:
                if isinstance(event, jobs.Step) and event.progress.step == step:
                    raise RuntimeError("killed")

            return stop

        def long(out: str) -> jobs.Job:
            settings = replace(OPTIONS, steps=40).settings()
            task = jobs.Task(bucket / "photos" / "cat.jpg", (STYLE,), settings, Path("cat.png"))
            return jobs.Job([task], bucket / out, checkpoint_every=0)

        with pytest.raises(RuntimeError, match="killed"):
            jobs.run_job(long("resumed"), stop_at(30))
        assert [path.suffix for path in (bucket / "resumed" / ".jaxstyle" / "checkpoints").iterdir()] == [".tar"]
        jobs.run_job(long("resumed"))
        jobs.run_job(long("straight"))
        assert read_records(bucket / "resumed")["cat.png"]["resumed"] >= 10
        assert pictures(bucket / "resumed") == pictures(bucket / "straight")
        assert not (bucket / "resumed" / ".jaxstyle" / "checkpoints").exists()

    def test_records_what_is_missing_or_forbidden(self, bucket: RemotePath, monkeypatch: pytest.MonkeyPatch):
        read = MemoryFileSystem.cat_file

        def cat_file(self: MemoryFileSystem, path: str, **options: object) -> bytes:
            if path.endswith("harbour.jpg"):
                raise PermissionError("Forbidden")
            return read(self, path, **options)

        photos = [bucket / "photos" / name for name in ("cat.jpg", "harbour.jpg", "missing.jpg")]
        tasks = jobs.pair_up(photos, [STYLE], OPTIONS, zipped=False)
        with monkeypatch.context() as patch:
            patch.setattr(MemoryFileSystem, "cat_file", cat_file)
            summary = jobs.run_job(jobs.Job(tasks, bucket / "results"))
        assert summary.done == 1 and [failure["error"] for failure in summary.failed] == [
            f"memory://bucket/photos/{name}: cannot be read ({reason}); check the name, the permissions and the store"
            for name, reason in (
                ("harbour.jpg", "the store refuses access"),
                ("missing.jpg", "there is no such object"),
            )
        ]
        (bucket / "photos" / "missing.jpg").write_bytes(CONTENT.read_bytes())  # tried again by itself: it has changed
        again = jobs.run_job(jobs.Job(tasks, bucket / "results", retry_failed=True))
        assert (again.done, again.done_before, again.failed) == (3, 1, [])

    def test_is_divided_into_shares(self, bucket: RemotePath):
        shares = [jobs.Share(index, 2) for index in range(2)]
        summaries = [jobs.run_job(job(bucket, share=share)) for share in shares]
        assert [(summary.pairs, summary.done, summary.done_before) for summary in summaries] == [(1, 1, 0)] * 2
        states = jobs.describe_job(job(bucket, share=shares[0]))["shares"]
        assert [(state["done"], state["todo"], state["running"]) for state in states] == [(1, 0, False)] * 2

    def test_has_a_manifest_in_a_store(self, bucket: RemotePath):
        lines = [
            "content,style,output,init",
            "../photos/cat.jpg,../paintings/swirls.jpg,trip/cat.jpg,",
            f'memory://bucket/photos/cat.jpg,{STYLE},b.png,"../photos/cat.jpg=0.7,noise=0.3"',
        ]
        (bucket / "lists" / "pairs.csv").write_bytes("\n".join(lines).encode())
        tasks = jobs.read_manifest(as_path("memory://bucket/lists/pairs.csv"), OPTIONS)
        photo = bucket / "photos" / "cat.jpg"
        assert [(task.content, task.styles) for task in tasks] == [
            (photo, (bucket / "paintings" / "swirls.jpg",)),
            (photo, (STYLE,)),
        ]
        assert tasks[1].settings.initial_picture == photo
        summary = jobs.run_job(jobs.Job(tasks, bucket / "results"))
        assert summary.done == 2 and (bucket / "results" / "trip" / "cat.jpg").read_bytes()[:2] == b"\xff\xd8"
        assert read_records(bucket / "results").keys() == {"trip/cat.jpg", "b.png"}


class TestRecords:
    def test_are_numbered_and_the_last_counts(self, bucket: RemotePath):
        records = open_records(bucket, jobs.WHOLE)
        assert isinstance(records, RecordObjects) and not records.is_locked
        for line in (LINE | {"error": "bad"}, LINE | {"output": "b.png"}, LINE | {"key": "2"}):
            records.add(line)
        assert {str(path.relative_to(records.path)) for path in records.path.find()} == {
            *("trip/a.png/1.json", "trip/a.png/2.json", "b.png/1.json")
        }
        (records.path / "b.png" / "2.json").write_bytes(b'{"output": ')
        (records.path / "notes.txt").write_bytes(b"")
        found = read_records(bucket, fields=("key", "error"))
        assert found == {"trip/a.png": {"key": "2", "error": None}, "b.png": {"key": "1", "error": None}}

    def test_are_later_by_their_number_whatever_the_clocks_say(self, bucket: RemotePath):
        for number in range(1, 12):
            line = LINE | {"key": str(number), "ended": f"20{50 - number}-01-01"}
            (bucket / "records" / "trip/a.png" / f"{number}.json").write_bytes(json.dumps(line).encode())
        assert read_records(bucket)["trip/a.png"]["key"] == "11"

    def test_of_two_writers_are_both_kept(self, bucket: RemotePath, monkeypatch: pytest.MonkeyPatch):
        """The other one writes after this one has looked for a free number."""
        records, iterdir = RecordObjects(bucket), RemotePath.iterdir

        def slow_iterdir(self: RemotePath):
            found = [*iterdir(self)] if self.exists() else []
            monkeypatch.setattr(RemotePath, "iterdir", iterdir)
            RecordObjects(bucket).add(LINE | {"key": "other"})
            return iter(found)

        monkeypatch.setattr(RemotePath, "iterdir", slow_iterdir)
        records.add(LINE | {"key": "this"})
        assert [record["key"] for record in iterate_records(bucket)] == ["other", "this"]

    def test_are_written_once_if_the_answer_is_lost(self, bucket: RemotePath, monkeypatch: pytest.MonkeyPatch):
        write, tries = MemoryFileSystem.pipe_file, []

        def pipe_file(*arguments: object, **options: object) -> None:
            tries.append(write(*arguments, **options))
            raise TimeoutError

        with monkeypatch.context() as patch:
            patch.setattr(MemoryFileSystem, "pipe_file", pipe_file)
            RecordObjects(bucket).add(LINE)
        assert len(tries) == 1 and len([*iterate_records(bucket)]) == 1

    def test_are_merged_so_that_few_are_read(self, bucket: RemotePath, monkeypatch: pytest.MonkeyPatch):
        monkeypatch.setattr(record_objects, "_FEW", 2)
        read, reads = MemoryFileSystem.cat_file, []

        def cat_file(self: MemoryFileSystem, path: str, **options: object) -> bytes:
            reads.append(path.rsplit("/", 1)[-1])
            return read(self, path, **options)

        monkeypatch.setattr(MemoryFileSystem, "cat_file", cat_file)
        records, merged = RecordObjects(bucket), bucket / "records" / "merged.jsonl.gz"
        for key in ("1", "2"):
            records.add(LINE | {"key": key})
        assert len([*iterate_records(bucket)]) == 2 and not merged.exists()  # too few
        for output in ("b.png", "c.png"):
            records.add(LINE | {"output": output})
        first = [*iterate_records(bucket)]
        records.add(LINE | {"key": "3"})
        reads.clear()
        again = [*iterate_records(bucket)]
        assert again[:4] == first and again[4]["key"] == "3" and sorted(reads) == ["3.json", "merged.jsonl.gz"]
        (bucket / "records" / "c.png" / "1.json").unlink()  # which undoes a record
        assert read_records(bucket, fields=("key",)) == {"trip/a.png": {"key": "3"}, "b.png": {"key": "1"}}
        for damaged in (b"", merged.read_bytes()[:40], b"nonsense"):
            merged.write_bytes(damaged)
            for _ in range(2):
                reads.clear()
                assert read_records(bucket)["trip/a.png"]["key"] == "3"
            assert reads == ["merged.jsonl.gz"]


@pytest.fixture(scope="module")
def progress(network) -> Progress:
    seen: list[Progress] = []
    content, style = random_picture(64, 64), random_picture(64, 64, 1)
    stylize_quickly(network, content, style, callback=lambda now: seen.append(snapshot(now)))
    return seen[-1]


def test_checkpoints_are_one_object_and_damage_costs_only_time(bucket: RemotePath, progress: Progress):
    checkpoints = CheckpointObjects(bucket / "checkpoints")
    assert checkpoints.load("a", optimizer="adam") is None
    checkpoints.drop("a")
    checkpoints.drop_all(lambda name: True)
    for name in ("a", "a", "b"):
        checkpoints.save(name, progress)
    found = checkpoints.load("a", optimizer="adam")
    assert found is not None and found.step == progress.step == 6
    assert (found.state.picture == progress.state.picture).all()
    checkpoints.drop_all("b".__eq__)
    assert [path.name for path in (bucket / "checkpoints").iterdir()] == ["a.tar"]
    for data in (b"", (bucket / "checkpoints" / "a.tar").read_bytes()[:5000]):
        (bucket / "checkpoints" / "a.tar").write_bytes(data)
        assert checkpoints.load("a", optimizer="adam") is None
    checkpoints.drop("a")
    assert not (bucket / "checkpoints").exists()


class TestTheCommand:
    @pytest.fixture(autouse=True)
    def keep_memory(self, monkeypatch: pytest.MonkeyPatch):
        """A command refuses the store in memory, which ends with it but not with the process of the tests."""
        monkeypatch.setattr(messages, "_TRANSIENT", ())

    def test_takes_urls(self, bucket: RemotePath):
        arguments = ("--content", f"{bucket}/photos", "--style", f"{bucket}/paintings/*", "-o", f"{bucket}/out", *TINY)
        dry = run("batch", *arguments, "--dry-run")
        assert dry.code == 0 and dry.out.startswith("2 pairs: 0 done, 0 failed, 2 to do\n")
        assert f"  {bucket}/photos/cat.jpg with {bucket}/paintings/swirls.jpg: cat--swirls.png\n" in dry.out
        outcome = run("batch", *arguments, "--contact-sheet", f"{bucket}/sheet.png")
        assert (outcome.code, outcome.out) == (0, f"{bucket}/out\n")
        assert len(pictures(bucket / "out")) == 2 and (bucket / "sheet.png").exists()
        assert run("batch", *arguments, "--dry-run").out.startswith("2 pairs: 2 done, 0 failed, 0 to do\n")

    def test_replaces_no_picture_unasked(self, bucket: RemotePath):
        arguments = ("--content", f"{bucket}/photos", "--style", STYLE, *TINY)
        (bucket / "out" / "cat--swirls.png").write_bytes(b"precious")
        refused = run("batch", *arguments, "-o", f"{bucket}/out")
        assert refused.code == 3 and f"{bucket}/out/cat--swirls.png: exists already, and no job" in refused.err
        same = run("batch", *arguments, "-o", f"{bucket}/photos")
        assert same.code == 2 and "has pictures to read in it" in same.err

    def test_stylizes_one_picture(self, bucket: RemotePath, tmp_path: Path):
        for out in (f"{bucket}/out.png", tmp_path / "out.png"):
            outcome = run("stylize", f"{bucket}/photos/cat.jpg", f"{bucket}/paintings/swirls.jpg", "-o", out, *TINY)
            assert (outcome.code, outcome.out) == (0, f"{out}\n")
        assert (bucket / "out.png").read_bytes() == (tmp_path / "out.png").read_bytes()
        again = run(
            "stylize", f"{bucket}/photos/cat.jpg", STYLE, "-o", f"{bucket}/photos/cat.jpg", "--overwrite", *TINY
        )
        assert again.code == 2 and "is one of the pictures to read" in again.err


def test_changes_in_a_store_are_noticed(bucket: RemotePath):
    state = PictureState.of(job(bucket).tasks)
    assert state == PictureState.of(job(bucket).tasks)
    (bucket / "photos" / "cat.jpg").write_bytes(CONTENT.read_bytes())
    assert state != PictureState.of(job(bucket).tasks)
    (bucket / "photos" / "new.jpg").write_bytes(CONTENT.read_bytes())
    assert len(job(bucket).tasks) == 3


def test_weights_may_be_in_a_store(bucket: RemotePath):
    (bucket / "network.safetensors").write_bytes(path_of("efficientnet-lite0").read_bytes())
    assert load_weights(bucket / "network.safetensors").digest == EMBEDDED["efficientnet-lite0"]
    with pytest.raises(WeightsError, match="no weights called 'memory://bucket/missing'"):
        load_weights("memory://bucket/missing")
