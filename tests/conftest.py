"""Fixtures shared by every room's tests."""

from __future__ import annotations

import hashlib
import os
import socket
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")  # as the command line does; see muybridge.cli


@pytest.fixture(scope="session")
def shared() -> Path:
    """The project's shared folder of real clips and reference outputs, which is never part of the repository."""
    folder = Path(os.environ.get("MUYBRIDGE_SHARED", Path(__file__).parents[2] / "shared"))
    if not (folder / "clips").is_dir():
        pytest.skip(f"no shared folder at {folder}; set MUYBRIDGE_SHARED to where it lies")
    return folder


@dataclass(frozen=True)
class Ran:
    """What a command answered."""

    code: int
    out: str
    err: str


@pytest.fixture
def muybridge(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Callable[..., Ran]:
    """Run `muybridge ...` in this process, as a person would type it."""

    def run(*arguments: object) -> Ran:
        from muybridge.cli import main

        monkeypatch.setattr(sys, "argv", ["muybridge", *map(str, arguments)])
        capsys.readouterr()
        code: object = 0
        try:
            main()
        except SystemExit as left:
            code = left.code
        said = capsys.readouterr()
        return Ran(int(str(code or 0)), said.out, said.err)

    return run


@pytest.fixture(scope="session")
def film(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two actions, four training videos of each, one for val and one for test."""
    from muybridge.data.figures import film_dataset

    folder = tmp_path_factory.mktemp("film")
    made = film_dataset(folder / "made", videos_per_class=(4, 1, 1), size=(60, 80), actions=("walk", "fall"))
    for label in made.glob("*/*/"):  # as somebody would sort their own clips: no lists, plain names
        there = folder / "film" / label.relative_to(made)
        there.mkdir(parents=True)
        for number, clip in enumerate(sorted(label.iterdir())):
            clip.rename(there / f"{label.name}_s{number:04d}.mp4")
    return folder / "film"


@dataclass
class Loopback:
    """A web server on loopback: what it has, what it was asked for, and how it will fail, one fault per request.

    Attributes:
        url: Its address, without a slash at the end.
        files: Path -> content. A file's ETag is its digest.
        asked: (path, Range header) of every request, in order.
        sent: Bytes of files sent.
        faults: Taken one per request, instead of the honest answer.
        released: What a fault may wait for; set when the test is over.
    """

    url: str = ""
    files: dict[str, bytes] = field(default_factory=dict)
    asked: list[tuple[str, str | None]] = field(default_factory=list)
    sent: int = 0
    faults: list[Callable[[Handler], None]] = field(default_factory=list)
    released: threading.Event = field(default_factory=threading.Event)

    def put(self, path: str, content: bytes) -> str:
        """Publish a file; gives its url."""
        self.files[path] = content
        return self.url + path


class Handler(BaseHTTPRequestHandler):
    """Answers one request."""

    protocol_version = "HTTP/1.1"
    loopback: Loopback

    def do_GET(self) -> None:
        self.close_connection = True
        self.loopback.asked.append((self.path, self.headers["Range"]))
        if self.loopback.faults:
            self.loopback.faults.pop(0)(self)
        else:
            self.honest()

    @property
    def content(self) -> bytes:
        return self.loopback.files[self.path.partition("?")[0]]

    @property
    def etag(self) -> str:
        return f'"{hashlib.md5(self.content).hexdigest()}"'

    @property
    def start(self) -> int:
        """Where the client wants to go on; 0 if it has another version, or nothing."""
        if self.headers["Range"] is None or self.headers["If-Range"] != self.etag:
            return 0
        return int(self.headers["Range"].removeprefix("bytes=").removesuffix("-"))

    def honest(self) -> None:
        if self.path.partition("?")[0] not in self.loopback.files:
            self.answer(404)
            return
        self.give(self.start)

    def give(self, start: int, *, count: int | None = None, **headers: str) -> None:
        """The file from `start` on, of which only `count` bytes really come."""
        body = memoryview(self.content)[start:]
        span = (
            {"Content-Range": f"bytes {start}-{len(self.content) - 1}/{len(self.content)}"} if start else {}
        )
        self.answer(
            206 if start else 200,
            **({"ETag": self.etag, "Content-Length": str(len(body))} | span | headers),
        )
        self.pour(body[:count])

    def answer(self, code: int, **headers: str) -> None:
        self.send_response(code)
        for name, value in ({"Content-Type": "application/octet-stream"} | headers).items():
            if value:
                self.send_header(name, value)
        self.send_header("Connection", "close")
        self.end_headers()

    def pour(self, body: memoryview | bytes) -> None:
        self.loopback.sent += len(body)
        with suppress(OSError):  # the client may have heard enough
            self.wfile.write(body)

    def log_message(self, *args: Any) -> None:
        pass


@pytest.fixture
def loopback(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Loopback]:
    """A server, an empty cache, and no way to any other server."""
    for name in ("MUYBRIDGE_OFFLINE", "MUYBRIDGE_MIRROR", "http_proxy", "https_proxy", "all_proxy"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.upper(), raising=False)
    monkeypatch.setenv("no_proxy", "*")
    monkeypatch.setenv("MUYBRIDGE_CACHE", str(tmp_path / "cache"))
    connect = socket.create_connection

    def only_here(address: tuple[str, int], *args: Any, **options: Any) -> socket.socket:
        assert address[0] in ("127.0.0.1", "localhost"), f"a test wanted to reach {address[0]}"
        return connect(address, *args, **options)

    monkeypatch.setattr(socket, "create_connection", only_here)
    served = Loopback()
    server = ThreadingHTTPServer(("127.0.0.1", 0), type("Bound", (Handler,), {"loopback": served}))
    server.daemon_threads = True
    served.url = f"http://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield served
    served.released.set()
    server.shutdown()
    thread.join()
    server.server_close()
