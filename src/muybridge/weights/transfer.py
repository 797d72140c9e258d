"""One file over HTTP: broken off and continued, never fetched twice, never half.

What has arrived stays in a part, and beside it which version of the file that is (its ETag, or its date). The next
attempt asks for the rest with Range and If-Range, so a server whose file has changed since gives all of it anew:
RFC 9110, sections 13.1.5 and 14, https://www.rfc-editor.org/rfc/rfc9110.
"""

from __future__ import annotations

import hashlib
import re
import shutil
import ssl
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.client import HTTPException, HTTPMessage, HTTPResponse, InvalidURL
from pathlib import Path
from typing import IO
from urllib.error import HTTPError, URLError
from urllib.parse import urlsplit
from urllib.request import HTTPRedirectHandler, Request, build_opener

Progress = Callable[[int, int], None]
"""Called with (done, total) bytes; total is 0 if the server doesn't tell."""

ATTEMPTS = 5
TIMEOUT_S = 30.0  # to connect, and for a connection that has gone silent
CHUNK_BYTES = 1 << 20
SPARE_BYTES = 1 << 28  # of the disk stay free

_LOOPBACK = ("localhost", "127.0.0.1", "::1")
_pause = time.sleep


class SourceError(Exception):
    """A source won't give the file. The text goes on from its address: `answers 404 Not Found`."""


class _AttemptError(Exception):
    """This attempt failed, the next may not."""


def receive(source: str, part: Path, progress: Progress | None = None) -> str:
    """Download a file into its part, going on where an earlier run broke off.

    Args:
        source: Its address, http or https. Redirects are followed, but not from https to http.
        part: Where to. Only one run at a time may write to it. What has arrived stays there on failure.
        progress: Called with (done, total) bytes; total is 0 if the server doesn't tell.

    Returns:
        The whole file's SHA-256.

    Raises:
        SourceError: The server doesn't give it, or not whole after several attempts, or the disk has no room.
    """
    for attempt in range(ATTEMPTS):
        if attempt:
            _pause(2.0 ** (attempt - 1))
        try:
            digest = _attempt(source, part, progress)
        except _AttemptError as error:
            reason = str(error)
        else:
            _version_of(part).unlink(missing_ok=True)
            return digest
    kept = f"; {_size(part.stat().st_size)} are kept, try again to go on" if part.is_file() else ""
    raise SourceError(f"{reason}, {ATTEMPTS} times{kept}")


def _attempt(source: str, part: Path, progress: Progress | None) -> str:
    headers = {"User-Agent": "muybridge", "Accept-Encoding": "identity"}
    start, version = _begun(source, part)
    if start:
        headers |= {"Range": f"bytes={start}-", "If-Range": version}
    with _answer(source, headers, part) as response:
        first, total = _extent(response)
        found = _validator(response)
        # A 206 may leave out what the request has named.
        if first and (first != start or (found and found != version)):
            part.unlink()
            raise _AttemptError("gave another part than asked for")
        _make_room(part.parent, (total or 0) - first)
        if not first:
            _version_of(part).write_text(f"{source}\n{found}", encoding="utf-8")
        with part.open("r+b" if first else "w+b") as file:
            return _pour(response, file, total, progress)


def _begun(source: str, part: Path) -> tuple[int, str]:
    """How much of the source's file is here and of which version; (0, "") if it can't be continued."""
    note = _version_of(part)
    if not (part.is_file() and note.is_file()):
        return 0, ""
    of, _, version = note.read_text(encoding="utf-8", errors="replace").partition("\n")
    return (part.stat().st_size, version) if of == source and version else (0, "")


def _version_of(part: Path) -> Path:
    return part.with_name(f"{part.name}.of")


def _pour(response: HTTPResponse, file: IO[bytes], total: int | None, progress: Progress | None) -> str:
    digest = hashlib.sha256()
    while chunk := file.read(CHUNK_BYTES):
        digest.update(chunk)
    done = file.tell()
    while True:
        try:
            chunk = response.read1(CHUNK_BYTES)
        except (OSError, HTTPException) as error:
            raise _AttemptError(f"broke off at {_of(done, total)} ({_cause(error)})") from None
        if not chunk:
            break
        if total is None:
            _make_room(Path(file.name).parent, len(chunk))
        file.write(chunk)
        digest.update(chunk)
        done += len(chunk)
        if progress:
            progress(done, total or 0)
    if total is not None and done != total:
        raise _AttemptError(f"broke off at {_of(done, total)}")
    if not done:
        raise SourceError("gives an empty file")
    return digest.hexdigest()


def _extent(response: HTTPResponse) -> tuple[int, int | None]:
    """The first byte that the server gives, and the length of the whole file if it tells."""
    if response.status == 206:
        span = re.fullmatch(r"bytes (\d{1,18})-\d+/(\d{1,18}|\*)", response.headers.get("Content-Range", ""))
        if not span:
            raise SourceError("gives a part of the file without saying which")
        return int(span[1]), None if span[2] == "*" else int(span[2])
    if response.status != 200:
        raise SourceError(f"answers {response.status} {response.reason}")
    if response.headers.get_content_type() == "text/html":
        raise SourceError("is a web page, not a file; open it in a browser")
    return 0, response.length


def _validator(response: HTTPResponse) -> str:
    """What If-Range takes: a strong ETag, or else the date."""
    etag: str = response.headers.get("ETag", "")
    return etag if etag.startswith('"') else response.headers.get("Last-Modified", "")


def _make_room(folder: Path, size: int) -> None:
    free = shutil.disk_usage(folder).free
    if size + SPARE_BYTES > free:
        raise SourceError(
            f"needs {_size(size)}, and {folder} has {_size(free)} left; make room, or set MUYBRIDGE_CACHE to a "
            "folder on another disk"
        )


class _Redirects(HTTPRedirectHandler):
    """At most ten, which is urllib's own limit, and never from an encrypted address to an open one."""

    def redirect_request(
        self, req: Request, fp: IO[bytes], code: int, msg: str, headers: HTTPMessage, newurl: str
    ) -> Request | None:
        new = urlsplit(newurl)
        if new.scheme not in ("http", "https"):
            raise SourceError(f"leads to {newurl}, which can't be followed")
        if req.type == "https" and new.scheme == "http" and new.hostname not in _LOOPBACK:
            raise SourceError(f"leads to {newurl}, which is not encrypted")
        return super().redirect_request(req, fp, code, msg, headers, newurl)


@contextmanager
def _answer(source: str, headers: dict[str, str], part: Path) -> Iterator[HTTPResponse]:
    """The server's answer; what is not one becomes a reason to try again or to give up."""
    if not source.startswith(("http://", "https://")):
        raise SourceError("is not an address; it must begin with http:// or https://")
    try:
        response = build_opener(_Redirects).open(Request(source, headers=headers), timeout=TIMEOUT_S)
    except HTTPError as error:
        error.close()
        said = f"answers {error.code} {error.reason}".splitlines()[0]
        if error.code == 416:  # the part is longer than the file
            part.unlink(missing_ok=True)
        if error.code >= 500 or error.code in (408, 416, 425, 429):
            raise _AttemptError(said) from None
        if error.code < 400:  # in a circle, or to nowhere
            said = f"leads to {error.headers.get('Location')}, which can't be followed"
        raise SourceError(said) from None
    except URLError as error:
        said = f"can't be reached ({_cause(error.reason)})"
        if isinstance(error.reason, (TimeoutError, ConnectionResetError, BrokenPipeError)):
            raise _AttemptError(said) from None
        raise SourceError(said) from None
    except (ValueError, InvalidURL) as error:
        raise SourceError(f"is not an address ({error})") from None
    except (OSError, HTTPException) as error:
        raise _AttemptError(f"gives no answer ({_cause(error)})") from None
    with response:
        yield response


def _cause(error: object) -> str:
    if isinstance(error, ssl.SSLCertVerificationError):
        return f"its certificate is not trusted: {error.verify_message}; behind a proxy, set SSL_CERT_FILE"
    if isinstance(error, TimeoutError):
        return f"silent for {TIMEOUT_S:g} s"
    return str(getattr(error, "strerror", None) or error or type(error).__name__).splitlines()[0]


def _of(done: int, total: int | None) -> str:
    return _size(done) if total is None else f"{_size(done)} of {_size(total)}"


def _size(count: int) -> str:
    return f"{count / 1e9:.1f} GB" if count >= 1e9 else f"{count / 1e6:.1f} MB"
