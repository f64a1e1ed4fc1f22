"""A server on loopback with responses that tests choose: complete, interrupted or wrong files, and errors."""

import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest


class Handler(BaseHTTPRequestHandler):
    """Sends the server's responses one after another, and repeats the last one."""

    server: "Server"

    def do_GET(self) -> None:
        self.server.ranges.append(self.headers.get("Range"))
        self.server.paths.append(self.path)
        self.server.answers[min(len(self.server.ranges), len(self.server.answers)) - 1](self)

    def begin(self, status: int, **headers: object) -> None:
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name.replace("_", "-"), str(value))
        self.end_headers()

    def log_message(self, *_: object) -> None:
        pass


Answer = Callable[[Handler], None]


class Server(ThreadingHTTPServer):
    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server_port}"
        self.ranges: list[str | None] = []
        self.paths: list[str] = []
        self.answers: tuple[Answer, ...] = ()


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[Server]:
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    with Server() as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield server
        server.shutdown()
        thread.join()


def giving(content: bytes, *, until: int | None = None) -> Answer:
    """A response that supports ranges, and breaks the connection before the byte `until` of the file."""

    def answer(handler: Handler) -> None:
        begin = int((handler.headers["Range"] or "bytes=0-").removeprefix("bytes=").removesuffix("-"))
        if begin >= len(content):
            handler.begin(416, Content_Range=f"bytes */{len(content)}", Content_Length=0)
            return
        whole = f"bytes {begin}-{len(content) - 1}/{len(content)}"
        handler.begin(206 if begin else 200, Content_Length=len(content) - begin, Content_Range=whole)
        handler.wfile.write(content[begin:until])

    return answer


def ignoring_ranges(content: bytes) -> Answer:
    def answer(handler: Handler) -> None:
        handler.begin(200, Content_Length=len(content))
        handler.wfile.write(content)

    return answer


def without_length(content: bytes) -> Answer:
    def answer(handler: Handler) -> None:
        handler.begin(200)
        handler.wfile.write(content)

    return answer


def refusing(status: int) -> Answer:
    return lambda handler: handler.begin(status, Content_Length=0)


def silent(handler: Handler) -> None:
    handler.connection.recv(1)  # waits until the client disconnects
