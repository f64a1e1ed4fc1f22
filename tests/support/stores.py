"""Object stores for tests: one in memory, and an S3 server on loopback that can fail now and then."""

import io
import random
import threading
import warnings
from collections.abc import Callable, Iterable, Iterator
from typing import Any

import pytest
from fsspec.implementations.memory import MemoryFileSystem

from jaxstyle.images import as_path, files, remote


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
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    variables = {
        "AWS_ENDPOINT_URL": f"http://127.0.0.1:{server.server_port}",
        "AWS_ACCESS_KEY_ID": "key",
        "AWS_SECRET_ACCESS_KEY": "secret",
        "AWS_DEFAULT_REGION": "us-east-1",
        "AWS_MAX_ATTEMPTS": "1",  # so that it is jaxstyle that tries again
        "AWS_EC2_METADATA_DISABLED": "true",
        "NO_PROXY": "127.0.0.1",
    }
    with pytest.MonkeyPatch.context() as patch:
        for name, value in variables.items():
            patch.setenv(name, value)
        patch.setattr(remote, "_WAITS", (0.0,) * 20)
        forget()
        file_system = as_path("s3://bucket").file_system()
        file_system.mkdir("bucket")
        yield application
        file_system.close_session(file_system.loop, file_system.s3)
        type(file_system).clear_instance_cache()
        forget()
    server.shutdown()
    thread.join()
    server.server_close()
