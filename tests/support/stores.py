"""Object stores for tests: in memory; and on loopback S3 that can fail now and then, and Google Cloud Storage."""

import io
import random
import re
import threading
import warnings
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from functools import partial
from http.server import HTTPServer
from pathlib import Path
from typing import Any

import pytest
from fsspec import AbstractFileSystem
from fsspec.implementations.memory import MemoryFileSystem

from jaxstyle.errors import PictureError
from jaxstyle.images import as_path, files, read_image, remote
from jaxstyle.jobs.record_objects import RecordObjects
from jaxstyle.jobs.records import iterate_records


@pytest.fixture
def store(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """An empty store at memory://, without waiting between tries."""
    monkeypatch.setattr(remote, "_WAITS", (0.0,) * len(remote._WAITS))
    forget()
    yield
    forget()


def forget() -> None:
    """Forget all objects and connections."""
    MemoryFileSystem.store.clear()
    MemoryFileSystem.pseudo_dirs[:] = [""]
    remote._file_system_of.cache_clear()
    files._check_store.cache_clear()


def assert_records_are_each_kept_once(folder: Path) -> None:
    """Four writers at once add records of one result to a folder of a store."""
    lines = [{"output": "cat.png", "key": str(number), "error": None} for number in range(12)]
    with ThreadPoolExecutor(4) as threads:
        list(threads.map(RecordObjects(folder).add, lines))
    assert sorted(int(record["key"]) for record in iterate_records(folder)) == list(range(12))


def assert_cannot_be_read(url: str, reason: str) -> None:
    """Reading a picture fails with this reason."""
    with pytest.raises(PictureError) as caught:
        read_image(url)
    assert str(caught.value) == f"{url}: cannot be read ({reason}); check the name, the permissions and the store"


class Faulty:
    """A WSGI application that fails now and then: every second failure is an answer that gets lost."""

    def __init__(self, application: Any):
        self._application, self._lock = application, threading.Lock()
        self._random = random.Random(0)
        self.rate = 0.0  # of requests that fail
        self.refused = ""  # part of the path of requests that are refused
        self.requests = self.failures = 0

    def __call__(self, environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        environ["wsgi.input"] = io.BytesIO(environ["wsgi.input"].read(int(environ.get("CONTENT_LENGTH") or 0)))
        with self._lock:
            self.requests += 1
            fails = self._random.random() < self.rate
            self.failures += fails
            is_lost = fails and self.failures % 2 == 0
        if self.refused and self.refused in environ["PATH_INFO"]:
            return self._refuse(environ, start_response, "403 Forbidden", "AccessDenied")
        if fails and not is_lost:
            return self._refuse(environ, start_response, "503 Service Unavailable", "ServiceUnavailable")
        if is_lost:
            b"".join(self._application(environ, lambda *_: None))
            return self._refuse(environ, start_response, "503 Service Unavailable", "ServiceUnavailable")
        return self._application(environ, start_response)

    @staticmethod
    def _refuse(environ: dict[str, Any], start_response: Callable[..., Any], status: str, code: str) -> list[bytes]:
        body = f"<Error><Code>{code}</Code><Message>{status}</Message></Error>".encode()
        start_response(status, [("Content-Type", "application/xml"), ("Content-Length", str(len(body)))])
        return [b"" if environ["REQUEST_METHOD"] == "HEAD" else body]


@pytest.fixture(scope="module")
def s3() -> Iterator[Faulty]:
    """moto's S3 server, with a bucket `bucket`, behind `Faulty`."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        pytest.importorskip("moto.server")
        from moto.server import DomainDispatcherApplication, create_backend_app
        from werkzeug.serving import make_server
    application = Faulty(DomainDispatcherApplication(create_backend_app))
    server = make_server("127.0.0.1", 0, application, threaded=True)
    variables = {
        "AWS_ENDPOINT_URL": f"http://127.0.0.1:{server.server_port}",
        "AWS_ACCESS_KEY_ID": "key",
        "AWS_SECRET_ACCESS_KEY": "secret",
        "AWS_DEFAULT_REGION": "us-east-1",
        "AWS_MAX_ATTEMPTS": "1",  # so that it is jaxstyle that tries again
        "AWS_EC2_METADATA_DISABLED": "true",
        "NO_PROXY": "127.0.0.1",
    }
    with _serving(server, variables):
        file_system = as_path("s3://bucket").file_system()
        file_system.mkdir("bucket")
        yield application
        file_system.close_session(file_system.loop, file_system.s3)


@contextmanager
def _serving(server: HTTPServer, variables: dict[str, str]) -> Iterator[None]:
    """Serve in a thread, with these environment variables and without waiting between tries."""
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    with pytest.MonkeyPatch.context() as patch:
        for name, value in variables.items():
            patch.setenv(name, value)
        patch.setattr(remote, "_WAITS", (0.0,) * 20)
        forget()
        AbstractFileSystem.clear_instance_cache()
        yield
        AbstractFileSystem.clear_instance_cache()
        forget()
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture(scope="module")
def gs() -> Iterator[list[str]]:
    """A server like Google Cloud Storage, with a bucket `bucket`; and the paths whose requests it refuses."""
    emulator = pytest.importorskip("gcp_storage_emulator.server")
    from gcp_storage_emulator.handlers.buckets import create_bucket
    from gcp_storage_emulator.storage import Storage

    refused: list[str] = []

    class Handler(emulator.RequestHandler):
        """Refuses some paths, and, which the emulator does not, to create an object that exists."""

        def do_GET(self) -> None:  # noqa: N802
            self._answer(403) if any(path in self.path for path in refused) else super().do_GET()

        def do_POST(self) -> None:  # noqa: N802
            body = self.rfile.read(int(self.headers["Content-Length"] or 0))
            self.rfile = io.BytesIO(body)
            name = re.search(rb'"name": "(.+?)"', body)
            exists = name and name[1].decode() in self.storage.objects.get("bucket", {})
            self._answer(412) if exists and "ifGenerationMatch=0" in self.path else super().do_POST()

        def _answer(self, status: int) -> None:
            self.send_response(status)
            self.send_header("Content-Length", "0")
            self.end_headers()

    storage = Storage(use_memory_fs=True)
    create_bucket("bucket", storage)
    server = HTTPServer(("127.0.0.1", 0), partial(Handler, storage))
    server.handle_error = lambda *_: None  # gcsfs closes connections whose answers it does not need
    variables = {
        "STORAGE_EMULATOR_HOST": f"http://127.0.0.1:{server.server_port}",
        "GCSFS_EXPERIMENTAL_ZB_HNS_SUPPORT": "false",  # another way of asking for a bucket, which is not emulated
        "NO_GCE_CHECK": "true",  # not to ask for credentials of a machine at Google
        "NO_PROXY": "127.0.0.1",
    }
    with _serving(server, variables):
        yield refused
