"""Download one file over HTTP, resuming where an earlier attempt was interrupted."""

import hashlib
import http
import http.client
import os
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from pathlib import Path

from jaxstyle.errors import WeightsError

# Called with the number of bytes received so far, and the total, or None if the server does not send it.
Progress = Callable[[int, int | None], None]

_RETRY_STATUSES = (408, 429, 500, 502, 503, 504)
_ANOTHER_WAY = "try again later, or download the file in another way"  # for `jaxstyle weights convert`
_RANGE_NOT_SATISFIABLE = 416  # the partial file is already as long as the file


def download(
    url: str,
    path: Path,
    digest: str,
    *,
    progress: Progress | None = None,
    timeout: float = 30.0,
    attempts: int = 5,
    pause: float = 1.0,
) -> None:
    """Download `url` to `path`. The partial file, `path` + ".part", remains if the download is interrupted.

    Args:
        url: an address that begins with http:// or https://.
        path: the file to write.
        digest: the expected digest of the file: "md5:" or "sha256:" and the digest in hexadecimal, or its beginning.
        progress: called after every chunk; see `Progress`.
        timeout: seconds without data after which a connection counts as broken.
        attempts: the maximum number of connections.
        pause: seconds before the second attempt, doubled before each further one.

    Raises:
        WeightsError: if the server cannot be reached, answers with an error, or sends a file with another digest; or
            if `path` cannot be written.
    """
    if not url.startswith(("https://", "http://")):
        raise WeightsError(f"cannot download {url}; give an address that begins with https:// or http://")
    partial_path = path.with_name(path.name + ".part")
    problem = ""
    for attempt in range(attempts):
        if attempt:
            time.sleep(pause * 2 ** (attempt - 1))
        offset = partial_path.stat().st_size if partial_path.exists() else 0
        try:
            _receive(url, partial_path, offset, progress, timeout)
        except (OSError, http.client.HTTPException) as error:
            reason = getattr(error, "reason", None) or error
            problem = f"cannot download {url}: {reason}; run the same command again to resume"
            continue
        problem = _check_digest(partial_path, digest)
        if not problem:
            os.replace(partial_path, path)
            return
        partial_path.unlink()
        problem = f"{url} {problem}"
        # A resumed download may have mixed two versions of the file, so it is tried again from the beginning.
        if not offset:
            break
    raise WeightsError(problem)


def _receive(url: str, partial_path: Path, offset: int, progress: Progress | None, timeout: float) -> None:
    """Append the rest of the file to the partial file; after OSError and HTTPException, another attempt may help."""
    request = urllib.request.Request(url, headers={"User-Agent": "jaxstyle", "Accept-Encoding": "identity"})
    if offset:
        request.add_header("Range", f"bytes={offset}-")
    try:
        response = urllib.request.urlopen(request, timeout=timeout)
    except urllib.error.HTTPError as error:
        error.close()
        if error.code == _RANGE_NOT_SATISFIABLE:
            return
        if error.code in _RETRY_STATUSES:
            raise
        reason = f"the server answered {error.code} {error.reason}"
        raise WeightsError(f"cannot download {url}: {reason}; {_ANOTHER_WAY}") from None
    with response:
        if response.status != http.HTTPStatus.PARTIAL_CONTENT:
            offset = 0  # the server sends the whole file
        length = response.headers["Content-Length"]
        total = None if length is None else offset + int(length)
        received = _append(response, partial_path, offset, total, progress)
    if total is not None and received < total:
        raise ConnectionError(f"the connection broke after {received} of {total} bytes")


def _writing_error(path: Path, error: OSError) -> WeightsError:
    return WeightsError(f"cannot write {path}: {error.strerror}; check the folder, the permissions and the disk")


def _append(
    response: http.client.HTTPResponse, partial_path: Path, offset: int, total: int | None, progress: Progress | None
) -> int:
    """Write the response after the first `offset` bytes of the partial file; the new length of the file."""
    try:
        partial_path.parent.mkdir(parents=True, exist_ok=True)
        file = partial_path.open("ab" if offset else "wb")
    except OSError as error:
        raise _writing_error(partial_path, error) from None
    received = offset
    with file:
        while chunk := response.read(1 << 16):
            try:
                file.write(chunk)
            except OSError as error:
                raise _writing_error(partial_path, error) from None
            received += len(chunk)
            if progress:
                progress(received, total)
    return received


def _check_digest(path: Path, digest: str) -> str:
    """An error message if the file has another digest, or an empty string."""
    algorithm, expected = digest.split(":")
    with path.open("rb") as file:
        found = hashlib.file_digest(file, lambda: hashlib.new(algorithm, usedforsecurity=False)).hexdigest()
        file.seek(0)
        kind = "a web page" if file.read(1) == b"<" else "another file"
    if found.startswith(expected):
        return ""
    return f"sent {kind}: its {algorithm.upper()} is {found}, expected {expected}; {_ANOTHER_WAY}"
