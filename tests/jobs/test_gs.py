"""Jobs in Google Cloud Storage: an emulator on loopback, with the conditions and refusals of the real one."""

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from support.batches import pictures_in
from support.command import CONTENT, STYLE
from support.stores import gs

from jaxstyle import jobs
from jaxstyle.errors import ConfigError, JaxStyleError, PictureError
from jaxstyle.images import as_path, check_writable, read_image
from jaxstyle.jobs.record_objects import RecordObjects
from jaxstyle.jobs.records import iterate_records

__all__ = ["gs"]
OPTIONS = jobs.Options(size=32, steps=3, content_layers="relu1_1", style_layers="relu1_1")


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
    found = {path.name: path.read_bytes() for path in results.iterdir() if path.suffix == ".png"}
    assert found == pictures_in(tmp_path / "results") != {}
    assert sorted(record["output"] for record in iterate_records(results)) == sorted(found)
    assert jobs.run_job(job("gs://bucket")).done_before == 2
    with pytest.raises(FileNotFoundError):
        (results / "missing").unlink()
    assert capfd.readouterr().err == ""


@pytest.mark.usefixtures("gs")
def test_records_of_several_writers_are_each_kept_once():
    folder = as_path("gs://bucket/several")
    lines = [{"output": "cat.png", "key": str(number), "error": None} for number in range(12)]
    with ThreadPoolExecutor(4) as threads:
        list(threads.map(RecordObjects(folder).add, lines))
    assert sorted(int(record["key"]) for record in iterate_records(folder)) == list(range(12))


def test_what_is_refused_or_missing(gs: list[str], capfd: pytest.CaptureFixture[str]):
    (as_path("gs://bucket/secret") / "cat.jpg").write_bytes(CONTENT.read_bytes())
    gs.append("secret")
    for url, reason in (
        ("gs://bucket/secret/cat.jpg", "the store refuses access"),
        ("gs://bucket/missing.jpg", "there is no such object"),
        ("gs://nobucket/cat.jpg", "gs://nobucket does not exist"),
    ):
        with pytest.raises(PictureError) as caught:
            read_image(url)
        assert str(caught.value) == f"{url}: cannot be read ({reason}); check the name, the permissions and the store"
    with pytest.raises(ConfigError, match=r"\(gs://nobucket does not exist\)"):
        jobs.find_pictures("--content", "gs://nobucket/photos")
    with pytest.raises(JaxStyleError, match=r"^gs://nobucket/out.png: .* \(gs://nobucket does not exist"):
        check_writable("gs://nobucket/out.png")
    assert capfd.readouterr().err == ""
