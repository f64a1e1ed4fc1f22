"""Downloads from servers on loopback that break connections, send wrong files, answer with errors, and more."""

import hashlib
import socket
from pathlib import Path

import numpy as np
import pytest
from support.loopback import Answer, Server, giving, ignoring_ranges, refusing, server, silent, without_length

from jaxstyle.errors import WeightsError
from jaxstyle.weights.download import download

__all__ = ["server"]

CONTENT = np.random.default_rng(0).bytes(300_000)
MD5 = hashlib.md5(CONTENT).hexdigest()
PAGE = b"<!DOCTYPE html><title>Sign in</title>"


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "cache" / "file.h5"


def names(path: Path) -> list[str]:
    return sorted(file.name for file in path.parent.iterdir()) if path.parent.exists() else []


def fetch_file(server: Server, path: Path, *answers: Answer, timeout: float = 5.0, **options: object) -> None:
    server.answers = answers
    download(f"{server.url}/file.h5", path, f"md5:{MD5}", pause=0.0, timeout=timeout, **options)  # type: ignore[arg-type]


def error_message(server: Server, path: Path, *answers: Answer, timeout: float = 5.0) -> str:
    with pytest.raises(WeightsError) as caught:
        fetch_file(server, path, *answers, timeout=timeout)
    assert not path.exists()
    message = str(caught.value)
    assert server.url in message and "\n" not in message
    return message


def test_complete_file_with_progress(server: Server, path: Path) -> None:
    progress: list[tuple[int, int | None]] = []
    fetch_file(server, path, giving(CONTENT), progress=lambda received, total: progress.append((received, total)))
    assert path.read_bytes() == CONTENT
    assert names(path) == ["file.h5"]
    assert [received for received, _ in progress] == sorted({received for received, _ in progress})
    assert len(progress) > 1 and progress[-1] == (len(CONTENT), len(CONTENT))
    assert {total for _, total in progress} == {len(CONTENT)}


def test_broken_connections_are_resumed(server: Server, path: Path) -> None:
    progress: list[tuple[int, int | None]] = []
    answers = giving(CONTENT, until=100_000), giving(CONTENT, until=200_001), giving(CONTENT)
    fetch_file(server, path, *answers, progress=lambda received, total: progress.append((received, total)))
    assert path.read_bytes() == CONTENT
    assert server.ranges == [None, "bytes=100000-", "bytes=200001-"]
    assert [received for received, _ in progress] == sorted({received for received, _ in progress})
    assert {total for _, total in progress} == {len(CONTENT)}


def test_a_later_call_resumes_a_failed_download(server: Server, path: Path) -> None:
    message = error_message(server, path, giving(CONTENT, until=100_000))
    assert "broke after 100000 of 300000 bytes; run the same command again" in message
    assert server.ranges == [None] + 4 * ["bytes=100000-"]
    assert names(path) == ["file.h5.part"]
    fetch_file(server, path, giving(CONTENT))
    assert server.ranges[-1] == "bytes=100000-"
    assert path.read_bytes() == CONTENT
    assert names(path) == ["file.h5"]


def test_server_that_ignores_ranges(server: Server, path: Path) -> None:
    fetch_file(server, path, giving(CONTENT, until=100_000), ignoring_ranges(CONTENT))
    assert server.ranges == [None, "bytes=100000-"]
    assert path.read_bytes() == CONTENT


def test_file_that_changes_between_attempts_is_downloaded_again(server: Server, path: Path) -> None:
    older = bytes(255 - byte for byte in CONTENT)
    fetch_file(server, path, giving(older, until=100_000), giving(CONTENT))
    assert server.ranges == [None, "bytes=100000-", None]
    assert path.read_bytes() == CONTENT


def test_partial_file_that_is_complete(server: Server, path: Path) -> None:
    path.parent.mkdir()
    (path.parent / "file.h5.part").write_bytes(CONTENT)
    fetch_file(server, path, giving(CONTENT))
    assert server.ranges == ["bytes=300000-"]
    assert path.read_bytes() == CONTENT


def test_partial_file_that_is_too_long(server: Server, path: Path) -> None:
    path.parent.mkdir()
    (path.parent / "file.h5.part").write_bytes(CONTENT + b"more")
    fetch_file(server, path, giving(CONTENT))
    assert server.ranges == ["bytes=300004-", None]
    assert path.read_bytes() == CONTENT


def test_wrong_file_is_not_tried_again(server: Server, path: Path) -> None:
    wrong = CONTENT[:-1] + b"\0"
    message = error_message(server, path, giving(wrong))
    assert f"sent another file: its MD5 is {hashlib.md5(wrong).hexdigest()}, expected {MD5}; try" in message
    assert (len(server.ranges), names(path)) == (1, [])


def test_web_page_instead_of_the_file(server: Server, path: Path) -> None:
    assert "sent a web page" in error_message(server, path, ignoring_ranges(PAGE))
    assert (len(server.ranges), names(path)) == (1, [])


def test_empty_response(server: Server, path: Path) -> None:
    assert "sent another file" in error_message(server, path, ignoring_ranges(b""))
    assert names(path) == []


def test_response_without_a_length(server: Server, path: Path) -> None:
    progress: list[tuple[int, int | None]] = []
    fetch_file(
        server, path, without_length(CONTENT), progress=lambda received, total: progress.append((received, total))
    )
    assert path.read_bytes() == CONTENT
    assert progress[-1] == (len(CONTENT), None)
    path.unlink()
    assert "sent another file" in error_message(server, path, without_length(CONTENT[:1000]))


@pytest.mark.parametrize(("status", "reason"), [(404, "Not Found"), (403, "Forbidden"), (410, "Gone")])
def test_client_errors_are_not_tried_again(status: int, reason: str, server: Server, path: Path) -> None:
    message = error_message(server, path, refusing(status))
    assert f"the server answered {status} {reason}; try again later, or download the file in another way" in message
    assert (len(server.ranges), names(path)) == (1, [])


def test_busy_servers_are_tried_again(server: Server, path: Path) -> None:
    fetch_file(server, path, refusing(503), refusing(429), giving(CONTENT))
    assert path.read_bytes() == CONTENT
    path.unlink()
    server.ranges.clear()
    assert "Service Unavailable; run the same command again" in error_message(server, path, refusing(503))
    assert len(server.ranges) == 5


def test_server_that_does_not_respond(server: Server, path: Path) -> None:
    assert "timed out" in error_message(server, path, silent, timeout=0.05)
    assert names(path) == []


def test_no_server(path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as unused:
        url = f"http://127.0.0.1:{unused.getsockname()[1]}/file.h5"
    with pytest.raises(WeightsError, match=r"Connection refused; run the same command again"):
        download(url, path, MD5, pause=0.0)


@pytest.mark.parametrize("url", ["file:///etc/hosts", "ftp://host/file", "host/file", ""])
def test_addresses_that_are_not_http(url: str, path: Path) -> None:
    with pytest.raises(WeightsError, match="give an address that begins with https:// or http://"):
        download(url, path, MD5)


def test_folder_that_cannot_be_written(server: Server, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(WeightsError, match="cannot write .*part: "):
        fetch_file(server, tmp_path / "file" / "file.h5", giving(CONTENT))


def test_pauses_are_doubled(server: Server, path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pauses: list[float] = []
    monkeypatch.setattr("time.sleep", pauses.append)
    server.answers = (refusing(503),)
    with pytest.raises(WeightsError):
        download(f"{server.url}/file.h5", path, MD5, pause=0.5)
    assert pauses == [0.5, 1.0, 2.0, 4.0]
