"""Jobs in an S3 store: a server on loopback that fails now and then, refuses, and gives a number to one writer only."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from support.batches import pictures_in
from support.command import CONTENT, STYLE
from support.stores import Faulty, assert_cannot_be_read, assert_records_are_each_kept_once, s3

from jaxstyle import jobs
from jaxstyle.errors import ConfigError, PictureError
from jaxstyle.images import as_path, check_writable
from jaxstyle.jobs.records import iterate_records

__all__ = ["s3"]
OPTIONS = jobs.Options(size=32, steps=3, optimizer="adam", content_layers="relu1_1", style_layers="relu1_1")


@pytest.fixture
def faulty(s3: Faulty) -> Iterator[Faulty]:
    s3.rate, s3.failures, s3.refused = 0.25, 0, ""
    yield s3
    s3.rate, s3.refused = 0.0, ""


def job(folder: str | Path, out: str | Path) -> jobs.Job:
    contents, _ = jobs.find_pictures("--content", f"{folder}/photos/*.jpg")
    return jobs.Job(jobs.pair_up(contents, [STYLE], OPTIONS, zipped=False), as_path(out))


def test_a_job_whose_store_fails_at_a_fourth_of_requests(faulty: Faulty, tmp_path: Path):
    (tmp_path / "photos").mkdir()
    for source in (CONTENT, CONTENT.with_name("cat.jpg")):
        (tmp_path / "photos" / source.name).write_bytes(source.read_bytes())
        (as_path("s3://bucket/photos") / source.name).write_bytes(source.read_bytes())
    assert jobs.run_job(job("s3://bucket", "s3://bucket/results")).done == 2 and faulty.failures > 5
    jobs.run_job(job(tmp_path, tmp_path / "results"))
    results = as_path("s3://bucket/results")
    found = pictures_in(results)
    assert found == pictures_in(tmp_path / "results") != {}
    assert sorted(record["output"] for record in iterate_records(results)) == sorted(found)

    events: list[jobs.Event] = []
    again = jobs.run_job(job("s3://bucket", results), events.append)
    assert (again.done_before, [type(event) for event in events]) == (2, [jobs.Planned])


def test_records_of_several_writers_are_each_kept_once(faulty: Faulty):
    """All about one result, at the same time; answers get lost, also to writes."""
    folder = as_path("s3://bucket/several")
    assert_records_are_each_kept_once(folder)
    assert {path.name for path in (folder / "records" / "cat.png").iterdir()} == {f"{n}.json" for n in range(1, 13)}
    assert json.loads((folder / "records" / "cat.png" / "1.json").read_bytes())["ended"]


def test_errors_that_do_not_pass(faulty: Faulty):
    (as_path("s3://bucket/secret") / "cat.jpg").write_bytes(CONTENT.read_bytes())
    faulty.refused = "secret"
    requests = faulty.requests
    for url, reason in (
        ("s3://bucket/secret/cat.jpg", "the store refuses access"),
        ("s3://bucket/missing.jpg", "there is no such object"),
        ("s3://no-bucket/cat.jpg", "s3://no-bucket does not exist"),
    ):
        assert_cannot_be_read(url, reason)
    assert faulty.requests - requests < 40
    with pytest.raises(ConfigError, match="which matches no picture"):
        jobs.find_pictures("--content", "s3://bucket/nothing")


def test_a_bucket_that_does_not_exist(faulty: Faulty, tmp_path: Path):
    for pattern in ("s3://nobucket/photos", "s3://nobucket/*/*.jpg"):
        with pytest.raises(ConfigError, match=r"^s3://nobucket/.*\(s3://nobucket does not exist\)"):
            jobs.find_pictures("--content", pattern)
    out = as_path("s3://nobucket/results")
    with pytest.raises(ConfigError, match=r"^s3://nobucket/results: cannot be written \(s3://nobucket does not"):
        jobs.check_output_folder([], out, overwrite=False, from_folders=True)
    jobs.check_output_folder([], as_path("s3://bucket/new"), overwrite=False, from_folders=True)
    with pytest.raises(ConfigError, match=r"^s3://nobucket/pairs.csv: cannot be read \(s3://nobucket does not exist\)"):
        jobs.read_manifest(as_path("s3://nobucket/pairs.csv"), OPTIONS)
    with pytest.raises(
        PictureError, match=r"^s3://nobucket/out.png: cannot be written \(s3://nobucket does not exist\)"
    ):
        check_writable("s3://nobucket/out.png")
    (tmp_path / "pairs.csv").write_text(f"content,style\ns3://nobucket/cat.jpg,{STYLE}\n")
    (failure,) = jobs.run_job(jobs.Job(jobs.read_manifest(tmp_path / "pairs.csv", OPTIONS), tmp_path / "out")).failed
    assert "s3://nobucket/cat.jpg: cannot be read (s3://nobucket does not exist);" in failure["error"]
