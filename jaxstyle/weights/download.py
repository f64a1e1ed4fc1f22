"""Download one file over HTTP, whole or not at all, going on where an earlier attempt broke off."""

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

# Called with the bytes received so far, and the bytes expected or None if the server does not say.
Progress = Callable[[int, int | None], None]

_WORTH_ANOTHER_TRY = (408, 429, 500, 502, 503, 504)
_ALREADY_WHOLE = 416  # no bytes beyond those we have


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
    """Download `url` to `path`, through `path` + ".part", which stays if the download breaks off.

    Args:
        digest: what the file must have: "md5:" or "sha256:" and the digest in hexadecimal, or how it begins.
        timeout: seconds without a byte after which a connection counts as broken.
        attempts: how often to connect before giving up.
        pause: seconds before the second attempt, doubled before each further one.

    Raises:
        WeightsError: if the server cannot be reached, refuses, or gives another file; or if `path` cannot be written.
    """
    if not url.startswith(("https://", "http://")):
        raise WeightsError(f"cannot download {url}: expected an address that begins with https:// or http://")
    part = path.with_name(path.name + ".part")
    problem = ""
    for attempt in range(attempts):
        if attempt:
            time.sleep(pause * 2 ** (attempt - 1))
        begun = part.stat().st_size if part.exists() else 0
        try:
            _receive(url, part, begun, progress, timeout)
        except (OSError, http.client.HTTPException) as error:
            reason = getattr(error, "reason", None) or error
            problem = f"cannot download {url}: {reason}; run the same command again to go on from there"
            continue
        problem = _difference(part, digest)
        if not problem:
            os.replace(part, path)
            return
        part.unlink()
        problem = f"{url} {problem}"
        # Bytes of two versions make neither, so a file that was put together gets another try from its first byte.
        if not begun:
            break
    raise WeightsError(problem)


def _receive(url: str, part: Path, begun: int, progress: Progress | None, timeout: float) -> None:
    """Add to `part` what it lacks; OSError and HTTPException mean that another attempt may do better."""
    request = urllib.request.Request(url, headers={"User-Agent": "jaxstyle", "Accept-Encoding": "identity"})
    if begun:
        request.add_header("Range", f"bytes={begun}-")
    try:
        response = urllib.request.urlopen(request, timeout=timeout)
    except urllib.error.HTTPError as error:
        error.close()
        if error.code == _ALREADY_WHOLE:
            return
        if error.code in _WORTH_ANOTHER_TRY:
            raise
        raise WeightsError(f"cannot download {url}: the server answered {error.code} {error.reason}") from None
    with response:
        if response.status != http.HTTPStatus.PARTIAL_CONTENT:
            begun = 0
        length = response.headers["Content-Length"]
        total = None if length is None else begun + int(length)
        done = _append(response, part, begun, total, progress)
    if total is not None and done < total:
        raise ConnectionError(f"the connection broke off after {done} of {total} bytes")


def _append(
    response: http.client.HTTPResponse, part: Path, begun: int, total: int | None, progress: Progress | None
) -> int:
    try:
        part.parent.mkdir(parents=True, exist_ok=True)
        file = part.open("ab" if begun else "wb")
    except OSError as error:
        raise WeightsError(f"cannot write {part}: {error.strerror}") from None
    done = begun
    with file:
        while chunk := response.read(1 << 16):
            try:
                file.write(chunk)
            except OSError as error:
                raise WeightsError(f"cannot write {part}: {error.strerror}") from None
            done += len(chunk)
            if progress:
                progress(done, total)
    return done


def _difference(part: Path, digest: str) -> str:
    """What is wrong with a whole file, or "" if nothing is."""
    algorithm, expected = digest.split(":")
    with part.open("rb") as file:
        found = hashlib.file_digest(file, lambda: hashlib.new(algorithm, usedforsecurity=False)).hexdigest()
        file.seek(0)
        kind = "a web page" if file.read(1) == b"<" else "another file"
    if found.startswith(expected):
        return ""
    return f"gave {kind}: its {algorithm.upper()} is {found}, expected {expected}"
