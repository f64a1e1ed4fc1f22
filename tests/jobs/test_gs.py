"""Jobs in Google Cloud Storage: an emulator on loopback, with the conditions and refusals of the real one."""

from pathlib import Path

import pytest
from support.batches import pictures_in
from support.command import CONTENT, STYLE
from support.stores import assert_cannot_be_read, assert_records_are_each_kept_once, gs

from jaxstyle import jobs
from jaxstyle.errors import ConfigError, JaxStyleError
from jaxstyle.images import as_path, check_writable
from jaxstyle.jobs.records import iterate_records

__all__ = ["gs"]
OPTIONS = jobs.Options(size=32, steps=3, optimizer="adam", content_layers="relu1_1", style_layers="relu1_1")


def job(folder: str | Path) -> jobs.Job:
    """All contents with all styles of a folder."""
    contents, _ = jobs.find_pictures("--content", f"{folder}/photos/*.jpg")
    styles, _ = jobs.find_pictures("--style", f"{folder}/paintings")
    return jobs.Job(jobs.pair_up(contents, styles, OPTIONS, zipped=False), as_path(f"{folder}/results"))


@pytest.mark.usefixtures("gs")
def test_a_job_gives_the_same_as_in_local_folders(tmp_path: Path, capfd: pytest.CaptureFixture[str]):
    for folder, sources in {"photos": (CONTENT, CONTENT.with_name("cat.jpg")), "paintings": (STYLE,)}.items():
        (tmp_path / folder).mkdir()
        for source in sources:
            (tmp_path / folder / f"a {source.name}").write_bytes(source.read_bytes())
            (as_path("gs://bucket") / folder / f"a {source.name}").write_bytes(source.read_bytes())
    assert jobs.run_job(job("gs://bucket")).done == jobs.run_job(job(tmp_path)).done == 2
    results = as_path("gs://bucket/results")
    found = pictures_in(results)
    assert found == pictures_in(tmp_path / "results") != {}
    assert sorted(record["output"] for record in iterate_records(results)) == sorted(found)
    assert jobs.run_job(job("gs://bucket")).done_before == 2
    with pytest.raises(FileNotFoundError):
        (results / "missing").unlink()
    assert capfd.readouterr().err == ""


@pytest.mark.usefixtures("gs")
def test_records_of_several_writers_are_each_kept_once():
    assert_records_are_each_kept_once(as_path("gs://bucket/several"))


def test_what_is_refused_or_missing(gs: list[str], capfd: pytest.CaptureFixture[str]):
    (as_path("gs://bucket/secret") / "cat.jpg").write_bytes(CONTENT.read_bytes())
    gs.append("secret")
    for url, reason in (
        ("gs://bucket/secret/cat.jpg", "the store refuses access"),
        ("gs://bucket/missing.jpg", "there is no such object"),
        ("gs://nobucket/cat.jpg", "gs://nobucket does not exist"),
    ):
        assert_cannot_be_read(url, reason)
    with pytest.raises(ConfigError, match=r"\(gs://nobucket does not exist\)"):
        jobs.find_pictures("--content", "gs://nobucket/photos")
    with pytest.raises(JaxStyleError, match=r"^gs://nobucket/out.png: .* \(gs://nobucket does not exist"):
        check_writable("gs://nobucket/out.png")
    assert capfd.readouterr().err == ""
