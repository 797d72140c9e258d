"""Published weight files on this machine: downloaded once, checked at every use.

A file lies at `CACHE/weights/HOST-HASH/NAME`, where HASH tells apart files of one name from different places. Whoever
has no network puts it there by hand; whoever serves that `weights` folder over HTTP has a mirror. The environment sets

- `MUYBRIDGE_CACHE`: the cache's folder (`~/.cache/muybridge`),
- `MUYBRIDGE_OFFLINE`: 1 to touch no network,
- `MUYBRIDGE_MIRROR`: addresses, separated by commas, that are asked before the publisher,

and the usual `https_proxy` and `no_proxy` apply. Where the publisher gives no digest, that of the first file seen is
kept as `NAME.sha256`, and every later one must have it.
"""

from __future__ import annotations

import fcntl
import hashlib
import logging
import os
import re
import shlex
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from urllib.parse import quote, unquote, urlsplit

from muybridge.types import Weights, WeightsError
from muybridge.weights.transfer import Progress, SourceError, receive

_BY_HAND = ("drive.google.com", "docs.google.com", "1drv.ms", "onedrive.live.com", "pan.baidu.com")
_log = logging.getLogger("muybridge")


def fetch(weights: Weights, *, progress: Progress | None = None) -> Path:
    """The file of published weights, from the cache or from the network.

    A TensorFlow checkpoint is two files: for a url that ends in `.index` the data file beside it comes too.

    Args:
        weights: Which. Without a `sha256` the first file seen is trusted; say so where you show it.
        progress: Called with (done, total) bytes; total is 0 if the server doesn't tell. Not called for a file that
            is here already.

    Returns:
        The file's path; of two files, that of the index.

    Raises:
        WeightsError: It can't be had, or isn't the published file. The text says where to put it by hand.
    """
    path = fetch_url(weights.url, sha256=weights.sha256, name=weights.name, progress=progress)
    if weights.url.endswith(".index"):
        data = weights.url.removesuffix(".index") + ".data-00000-of-00001"
        fetch_url(data, name=f"the data of {weights.name}", progress=progress)
    return path


def fetch_url(url: str, *, sha256: str = "", name: str = "", progress: Progress | None = None) -> Path:
    """One file, from the cache or from the network.

    Args:
        url: Where it is published, http or https. Where that doesn't end in the file's name, a fragment tells it:
            `https://drive.google.com/drive/folders/1x#r3d50_K_200ep.pth`.
        sha256: Its digest, or the leading digits of it; empty to trust the first file seen.
        name: What to call it in messages; the file's name if empty.
        progress: Called with (done, total) bytes; total is 0 if the server doesn't tell.

    Raises:
        WeightsError: It can't be had, or isn't the published file.
    """
    path = cache_path(url)
    what = name or path.name
    try:
        with suppress(OSError):  # a complete cache may be read-only
            path.parent.mkdir(parents=True, exist_ok=True)
        if path.is_file():
            return _checked(path, sha256)
        _must_be_downloadable(url, path, what)
        path.parent.mkdir(parents=True, exist_ok=True)
        with _locked(path):
            if path.is_file():  # by the run that held the lock
                return _checked(path, sha256)
            return _download(url, path, sha256, what, progress)
    except OSError as error:
        raise WeightsError(
            f"{what}: {error.filename or path} can't be used ({error.strerror or error}); set MUYBRIDGE_CACHE to a "
            "folder that you can write to"
        ) from None


def cache_path(url: str) -> Path:
    """Where the file of this address lies in the cache, or belongs.

    Raises:
        WeightsError: It is not the address of a file that can be downloaded.
    """
    try:
        place = urlsplit(url)
    except ValueError as error:
        raise WeightsError(f"{url}: not an address ({error})") from None
    if place.scheme not in ("http", "https") or not place.hostname:
        raise WeightsError(f"{url}: not an address to download from; give one that begins with https://")
    name = file_name(url)
    if not name:
        raise WeightsError(f"{url}: doesn't end in a file's name; add it behind a #, such as {url}#model.pth")
    # The query tells files apart (?id=1, ?id=2); a checkpoint's index and data must share the folder.
    folder = f"{place.scheme}://{place.netloc}{place.path.rpartition('/')[0]}?{place.query}"
    digest = hashlib.sha256(folder.encode()).hexdigest()[:8]
    return _cache() / "weights" / f"{_plain(place.hostname)}-{digest}" / name


def file_name(url: str) -> str:
    """The name of the file at an address: its fragment, or else the last part of its path."""
    place = urlsplit(url)
    return _plain(unquote(place.fragment or place.path).rpartition("/")[2]).lstrip(".")


def _plain(text: str) -> str:
    return re.sub(r"[^\w.+=@-]", "_", text)


def _cache() -> Path:
    if given := os.environ.get("MUYBRIDGE_CACHE"):
        return Path(given).expanduser().absolute()
    return Path(os.environ.get("XDG_CACHE_HOME") or "~/.cache").expanduser().absolute() / "muybridge"


def _must_be_downloadable(url: str, path: Path, what: str) -> None:
    if urlsplit(url).hostname in _BY_HAND:
        raise WeightsError(
            f"{what} can only be downloaded by hand: open {url} in a browser and put the file at {path}"
        )
    if os.environ.get("MUYBRIDGE_OFFLINE", "").lower() not in ("", "0", "no", "false"):
        raise WeightsError(
            f"{what} is not on this machine, and MUYBRIDGE_OFFLINE is set; unset it to download {url}, or put that "
            f"file at {path}"
        )


@contextmanager
def _locked(path: Path) -> Iterator[None]:
    """One run at a time; the lock of a run that dies is gone with it."""
    with path.with_name(f".{path.name}.lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            _log.warning("waiting for another run that downloads %s (it holds %s)", path.name, lock.name)
            fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _download(url: str, path: Path, sha256: str, what: str, progress: Progress | None) -> Path:
    part = path.with_name(f"{path.name}.part")
    failures = []
    for source in _sources(url, path, sha256):
        try:
            digest = receive(source, part, progress)
        except SourceError as failure:
            failures.append(f"{source} {failure}")
            continue
        if wrong := _wrong(digest, path, sha256):
            part.unlink()
            failures.append(f"{source} {wrong}")
            continue
        return part.replace(path)
    raise WeightsError(
        f"{what} can't be downloaded: {'; '.join(failures)}; put the file at {path} yourself, or set "
        "MUYBRIDGE_MIRROR to the address of a server that has it"
    )


def _sources(url: str, path: Path, sha256: str) -> Iterator[str]:
    for mirror in os.environ.get("MUYBRIDGE_MIRROR", "").split(","):
        if mirror := mirror.strip().rstrip("/"):
            yield f"{mirror}/{path.parent.name}/{quote(path.name)}"
            if sha256:  # else nothing would tell apart two files of one name
                yield f"{mirror}/{quote(path.name)}"
    yield url.partition("#")[0]


def _checked(path: Path, sha256: str) -> Path:
    """The file of the cache, if it is what it should be."""
    with path.open("rb") as file:
        wrong = _wrong(hashlib.file_digest(file, "sha256").hexdigest(), path, sha256)
    if wrong:
        raise WeightsError(f"{path} {wrong}; to download it again: rm {shlex.quote(str(path))}")
    return path


def _wrong(digest: str, path: Path, sha256: str) -> str:
    """Why this is not the wanted file; empty if it is. Trusts the first one where no digest is published."""
    if sha256:
        same = digest.startswith(sha256.lower())
        return "" if same else f"is not the published file (SHA-256 {digest[:16]}, published {sha256[:16]})"
    trusted = path.with_name(f"{path.name}.sha256")
    if not trusted.is_file():
        with suppress(OSError):  # a complete cache may be read-only
            trusted.write_text(
                f"{digest}  {path.name}\n", encoding="utf-8"
            )  # as `sha256sum --check` reads it
        return ""
    first = trusted.read_text(encoding="utf-8", errors="replace").partition(" ")[0]
    if digest == first:
        return ""
    return (
        f"is not the file that was first used (SHA-256 {digest[:16]}, first {first[:16]}); to trust this one instead: "
        f"rm {shlex.quote(str(trusted))}"
    )
