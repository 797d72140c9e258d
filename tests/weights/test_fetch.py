"""Published files come whole, once and unchanged, or one line says what to do."""

from __future__ import annotations

import hashlib
import logging
import random
import shutil
import socket
import subprocess
import threading
import tracemalloc
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from email.message import Message
from io import BytesIO
from pathlib import Path
from typing import Any
from urllib.request import Request

import pytest

from muybridge.types import ClipSpec, Weights, WeightsError
from muybridge.weights import transfer
from muybridge.weights.fetch import cache_path, fetch, fetch_url, file_name

CONTENT = random.Random(3).randbytes(300_000)
DIGEST = hashlib.sha256(CONTENT).hexdigest()
OTHER = CONTENT[::-1]


@pytest.fixture(autouse=True)
def pauses(loopback: Any, monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """The pauses that were wanted; nobody sleeps."""
    wanted: list[float] = []
    monkeypatch.setattr(transfer, "_pause", wanted.append)
    return wanted


@pytest.fixture
def url(loopback: Any) -> str:
    return str(loopback.put("/zoo/net-1a2b.pth", CONTENT))


def refusal(call: Callable[[], object]) -> str:
    """The one line with which it is refused."""
    with pytest.raises(WeightsError) as caught:
        call()
    text = str(caught.value)
    assert "\n" not in text
    return text


def beside(path: Path) -> set[str]:
    """What lies in the file's folder, but for the lock, which stays."""
    return {file.name for file in path.parent.iterdir()} - {f".{path.name}.lock"}


def cut(count: int, **headers: str) -> Callable[[Any], None]:
    """Break off after some bytes."""
    return lambda handler: handler.give(handler.start, count=count, **headers)


def status(code: int, **headers: str) -> Callable[[Any], None]:
    return lambda handler: handler.answer(code, **({"Content-Length": "0"} | headers))


def weights(url: str, sha256: str = "") -> Weights:
    return Weights(
        name="net.k400", model="net", origin="us", url=url, sha256=sha256, clip=ClipSpec(), labels="", licence=""
    )  # fmt: skip


def test_a_file_comes_whole_with_progress(loopback: Any, url: str, tmp_path: Path) -> None:
    steps: list[tuple[int, int]] = []
    path = fetch(weights(url, DIGEST), progress=lambda done, total: steps.append((done, total)))
    assert path.read_bytes() == CONTENT
    assert path.name == "net-1a2b.pth"
    assert path.is_relative_to(tmp_path / "cache" / "weights")
    assert path == cache_path(url)
    assert beside(path) == {"net-1a2b.pth"}
    assert steps == sorted(steps)
    assert steps[-1] == (300_000, 300_000)


def test_a_cached_file_needs_no_network(loopback: Any, url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    path = fetch_url(url, sha256=DIGEST)
    monkeypatch.setenv("MUYBRIDGE_OFFLINE", "1")
    loopback.files.clear()
    assert fetch_url(url, sha256=DIGEST) == path
    assert len(loopback.asked) == 1


@pytest.mark.parametrize("sha256", [DIGEST, DIGEST[:8], DIGEST.upper()])
def test_leading_digits_of_a_digest_are_enough(url: str, sha256: str) -> None:
    assert fetch_url(url, sha256=sha256).read_bytes() == CONTENT


def test_a_broken_connection_is_taken_up_where_it_broke(loopback: Any, url: str, pauses: list[float]) -> None:
    loopback.faults = [cut(100_000), cut(50_000)]
    assert fetch_url(url, sha256=DIGEST).read_bytes() == CONTENT
    assert [span for _, span in loopback.asked] == [None, "bytes=100000-", "bytes=150000-"]
    assert loopback.sent == 300_000
    assert pauses == [1.0, 2.0]


def test_a_later_run_goes_on(loopback: Any, url: str) -> None:
    loopback.faults = [cut(120_000)] + [status(503)] * 4
    text = refusal(lambda: fetch_url(url))
    assert "answers 503 Service Unavailable, 5 times; 0.1 MB are kept, try again to go on" in text
    assert not cache_path(url).exists()
    path = fetch_url(url)
    assert path.read_bytes() == CONTENT
    assert loopback.asked[-1][1] == "bytes=120000-"
    assert loopback.sent == 300_000
    assert beside(path) == {"net-1a2b.pth", "net-1a2b.pth.sha256"}


@pytest.mark.parametrize(
    ("first", "second"),
    [
        pytest.param(cut(100_000), lambda h: h.give(0), id="ignores Range"),
        pytest.param(cut(100_000, ETag='"old"'), lambda h: h.honest(), id="changed"),
        pytest.param(cut(100_000), lambda h: h.give(90_000), id="gives another part"),
        pytest.param(cut(100_000), lambda h: h.give(100_000, ETag='"new"'), id="gives another version"),
    ],
)
def test_what_can_not_be_continued_starts_anew(
    loopback: Any, url: str, first: Callable[[Any], None], second: Callable[[Any], None]
) -> None:
    loopback.faults = [first, second]
    assert fetch_url(url, sha256=DIGEST).read_bytes() == CONTENT


@pytest.mark.parametrize("version", ["", 'W/"1"'])
def test_without_a_version_nothing_is_continued(loopback: Any, url: str, version: str) -> None:
    loopback.faults = [cut(100_000, ETag=version)]
    assert fetch_url(url, sha256=DIGEST).read_bytes() == CONTENT
    assert [span for _, span in loopback.asked] == [None, None]


def test_a_part_that_the_server_has_no_rest_for_starts_anew(loopback: Any, url: str) -> None:
    def picky(handler: Any) -> None:
        if handler.headers["Range"]:
            handler.answer(416, **{"Content-Length": "0"})
        else:
            handler.honest()

    loopback.faults = [cut(100_000), picky, picky]
    assert fetch_url(url, sha256=DIGEST).read_bytes() == CONTENT
    assert [span for _, span in loopback.asked] == [None, "bytes=100000-", None]


def test_a_date_serves_where_there_is_no_etag(loopback: Any, url: str) -> None:
    date = "Fri, 21 Nov 2025 09:00:00 GMT"
    asked: list[str] = []

    def rest(handler: Any) -> None:
        asked.append(handler.headers["If-Range"])
        handler.give(100_000, ETag="")

    loopback.faults = [cut(100_000, ETag="", **{"Last-Modified": date}), rest]
    assert fetch_url(url, sha256=DIGEST).read_bytes() == CONTENT
    assert asked == [date]


def test_a_file_that_is_replaced_while_it_comes_is_not_mixed(loopback: Any, url: str) -> None:
    loopback.faults = [cut(100_000), status(500)]

    def replace(handler: Any) -> None:
        loopback.files["/zoo/net-1a2b.pth"] = OTHER
        handler.honest()

    loopback.faults.append(replace)
    assert fetch_url(url).read_bytes() == OTHER


def test_a_part_of_a_mirror_is_not_continued_elsewhere(
    loopback: Any, url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MUYBRIDGE_MIRROR", f"{loopback.url}/mirror")
    loopback.put(f"/mirror/{cache_path(url).parent.name}/net-1a2b.pth", OTHER)
    loopback.faults = [cut(100_000)] + [status(503)] * 4
    assert fetch_url(url).read_bytes() == CONTENT
    assert loopback.asked[-1] == ("/zoo/net-1a2b.pth", None)


def test_another_file_than_the_published_one_is_thrown_away(loopback: Any, url: str) -> None:
    loopback.put("/zoo/net-1a2b.pth", OTHER)
    text = refusal(lambda: fetch_url(url, sha256=DIGEST[:8]))
    other = hashlib.sha256(OTHER).hexdigest()[:16]
    assert f"{url} is not the published file (SHA-256 {other}, published {DIGEST[:8]})" in text
    assert beside(cache_path(url)) == set()


def test_a_spoilt_cached_file_is_not_used(url: str) -> None:
    path = fetch_url(url, sha256=DIGEST)
    path.write_bytes(OTHER)
    text = refusal(lambda: fetch_url(url, sha256=DIGEST))
    assert "is not the published file" in text
    assert text.endswith(f"rm {path}")
    subprocess.run(text.rpartition("; to download it again: ")[2], shell=True, check=True)
    assert fetch_url(url, sha256=DIGEST).read_bytes() == CONTENT


def test_the_first_file_is_trusted_and_a_changed_one_refused(loopback: Any, url: str) -> None:
    path = fetch(weights(url))
    note = path.with_name("net-1a2b.pth.sha256")
    assert note.read_text() == f"{DIGEST}  net-1a2b.pth\n"
    if shutil.which("sha256sum"):
        subprocess.run(["sha256sum", "--check", "--status", note], cwd=path.parent, check=True)
    assert fetch(weights(url)) == path

    path.write_bytes(OTHER)
    text = refusal(lambda: fetch(weights(url)))
    assert "is not the file that was first used" in text
    assert f"to trust this one instead: rm {note}; to download it again: rm {path}" in text

    path.unlink()
    loopback.put("/zoo/net-1a2b.pth", OTHER)
    text = refusal(lambda: fetch(weights(url)))
    assert f"{url} is not the file that was first used" in text
    assert not path.exists()
    note.unlink()
    assert fetch(weights(url)).read_bytes() == OTHER


def test_a_file_put_there_by_hand_is_used_and_remembered(
    loopback: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    url = "https://nowhere.invalid/zoo/net.pth"
    monkeypatch.setenv("MUYBRIDGE_OFFLINE", "yes")
    text = refusal(lambda: fetch(weights(url)))
    assert text.startswith("net.k400 is not on this machine, and MUYBRIDGE_OFFLINE is set; unset it")
    assert url in text
    put = Path(text.rpartition("put that file at ")[2])
    put.write_bytes(CONTENT)
    assert fetch(weights(url)) == put
    assert put.with_name("net.pth.sha256").read_text().startswith(DIGEST)
    assert loopback.asked == []


@pytest.mark.parametrize("value", ["", "0", "no", "False"])
def test_offline_can_be_switched_off(url: str, value: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MUYBRIDGE_OFFLINE", value)
    assert fetch_url(url).is_file()


def test_without_a_network_it_is_one_line(monkeypatch: pytest.MonkeyPatch, pauses: list[float]) -> None:
    def no_names(*args: Any) -> None:
        raise socket.gaierror(socket.EAI_AGAIN, "Temporary failure in name resolution")

    monkeypatch.setattr(socket, "getaddrinfo", no_names)
    monkeypatch.setattr(socket, "create_connection", no_names)
    url = "https://zoo.invalid/net.pth"
    text = refusal(lambda: fetch(weights(url)))
    assert text == (
        f"net.k400 can't be downloaded: {url} can't be reached (Temporary failure in name resolution); put the file "
        f"at {cache_path(url)} yourself, or set MUYBRIDGE_MIRROR to the address of a server that has it"
    )
    assert pauses == []


def test_a_closed_port_is_one_line(pauses: list[float]) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{free.getsockname()[1]}/net.pth"
        assert "can't be reached (Connection refused)" in refusal(lambda: fetch_url(url))
    assert pauses == []


@pytest.mark.parametrize("code", [401, 403, 404, 410])
def test_what_is_gone_is_asked_for_once(loopback: Any, url: str, code: int) -> None:
    loopback.faults = [status(code)]
    text = refusal(lambda: fetch(weights(url)))
    assert f"net.k400 can't be downloaded: {url} answers {code} " in text
    assert f"put the file at {cache_path(url)} yourself" in text
    assert len(loopback.asked) == 1


def test_a_server_in_trouble_is_asked_again(loopback: Any, url: str, pauses: list[float]) -> None:
    loopback.faults = [status(500), status(429)]
    assert fetch_url(url).read_bytes() == CONTENT
    assert pauses == [1.0, 2.0]
    loopback.faults = [status(502)] * 9
    assert "answers 502 Bad Gateway, 5 times;" in refusal(lambda: fetch_url(f"{url}?again"))
    assert pauses == [1.0, 2.0, 1.0, 2.0, 4.0, 8.0]


def test_a_connection_that_goes_silent_is_dropped(
    loopback: Any, url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(transfer, "TIMEOUT_S", 0.2)

    def silent(handler: Any) -> None:
        handler.give(handler.start, count=100_000)
        loopback.released.wait(60)

    def mute(handler: Any) -> None:
        loopback.released.wait(60)

    loopback.faults = [silent, mute]
    assert fetch_url(url, sha256=DIGEST).read_bytes() == CONTENT
    assert [span for _, span in loopback.asked] == [None, "bytes=100000-", "bytes=100000-"]
    loopback.faults = [mute] * 5
    assert "gives no answer (silent for 0.2 s), 5 times" in refusal(lambda: fetch_url(f"{url}?again"))


def test_a_file_shorter_than_announced_is_not_taken(loopback: Any, url: str) -> None:
    loopback.faults = [lambda handler: handler.give(0, ETag="", **{"Content-Length": "400000"})] * 5
    assert "broke off at 0.3 MB of 0.4 MB, 5 times" in refusal(lambda: fetch_url(url))
    assert not cache_path(url).exists()


def test_redirects_are_followed(loopback: Any, url: str) -> None:
    loopback.faults = [status(302, Location="/there"), cut(100_000), status(301, Location="/there")]
    loopback.put("/there", CONTENT)
    assert fetch_url(url, sha256=DIGEST) == cache_path(url)
    assert loopback.asked[-1] == ("/there", "bytes=100000-")


@pytest.mark.parametrize(
    "there",
    ["/zoo/net-1a2b.pth", "file:///etc/hostname", "ftp://127.0.0.1/net.pth", None],
    ids=["in a circle", "file", "ftp", "nowhere"],
)
def test_redirects_that_can_not_be_followed(loopback: Any, url: str, there: str) -> None:
    loopback.faults = [status(302, Location=there)] * 20
    assert f"{url} leads to {there}, which can't be followed" in refusal(lambda: fetch_url(url))
    assert len(loopback.asked) <= 11


def test_encryption_is_not_given_up_on_the_way() -> None:
    asked = Request("https://zoo.invalid/net.pth", headers={"Range": "bytes=5-"})

    def lead(to: str) -> Request | None:
        return transfer._Redirects().redirect_request(asked, BytesIO(), 302, "Found", Message(), to)

    with pytest.raises(transfer.SourceError, match=r"leads to http://.*which is not encrypted"):
        lead("http://zoo.invalid/net.pth")
    for allowed in ("https://other.invalid/net.pth", "http://localhost:8000/net.pth"):
        request = lead(allowed)
        assert request
        assert request.full_url == allowed
        assert request.get_header("Range") == "bytes=5-"


def test_of_two_runs_one_downloads(loopback: Any, url: str) -> None:
    waits = threading.Event()

    class Listener(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            if "waiting for another run that downloads net-1a2b.pth" in record.getMessage():
                waits.set()

    def after_the_other_waits(handler: Any) -> None:
        assert waits.wait(30)
        handler.honest()

    loopback.faults = [after_the_other_waits]
    listener = Listener()
    logging.getLogger("muybridge").addHandler(listener)
    try:
        with ThreadPoolExecutor(2) as pool:
            first, second = pool.map(lambda _: fetch_url(url, sha256=DIGEST), range(2))
    finally:
        logging.getLogger("muybridge").removeHandler(listener)
    assert first == second
    assert first.read_bytes() == CONTENT
    assert len(loopback.asked) == 1


def test_the_lock_of_a_dead_run_does_not_hold(url: str) -> None:
    path = cache_path(url)
    path.parent.mkdir(parents=True)
    path.with_name(f".{path.name}.lock").touch()
    path.with_name(f"{path.name}.part").write_bytes(OTHER)
    path.with_name(f"{path.name}.part.of").write_bytes(b"\xff\xfe")
    assert fetch_url(url, sha256=DIGEST).read_bytes() == CONTENT


def test_mirrors_are_asked_first(loopback: Any, url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MUYBRIDGE_MIRROR", f"{loopback.url}/empty, {loopback.url}/flat/")
    folder = cache_path(url).parent.name
    loopback.put("/flat/net-1a2b.pth", CONTENT)
    assert fetch_url(url, sha256=DIGEST).read_bytes() == CONTENT
    assert [path for path, _ in loopback.asked] == [
        f"/empty/{folder}/net-1a2b.pth",
        "/empty/net-1a2b.pth",
        f"/flat/{folder}/net-1a2b.pth",
        "/flat/net-1a2b.pth",
    ]


def test_a_mirrors_flat_folder_is_not_asked_for_what_can_not_be_told_apart(
    loopback: Any, url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MUYBRIDGE_MIRROR", f"{loopback.url}/flat")
    loopback.put("/flat/net-1a2b.pth", OTHER)
    assert fetch_url(url).read_bytes() == CONTENT


def test_a_mirrors_wrong_file_is_passed_over(
    loopback: Any, url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MUYBRIDGE_MIRROR", f"{loopback.url}/mirror")
    loopback.put("/mirror/net-1a2b.pth", OTHER)
    assert fetch_url(url, sha256=DIGEST).read_bytes() == CONTENT


def test_a_cache_that_is_served_is_a_mirror(
    loopback: Any, url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    filled = fetch_url(url)
    loopback.files = {
        f"/{file.relative_to(tmp_path / 'cache' / 'weights').as_posix()}": file.read_bytes()
        for file in filled.parent.iterdir()
    }
    monkeypatch.setenv("MUYBRIDGE_MIRROR", loopback.url)
    monkeypatch.setenv("MUYBRIDGE_CACHE", str(tmp_path / "empty"))
    assert fetch_url(url).read_bytes() == CONTENT


def test_a_full_disk_is_told_before_it_is_full(
    loopback: Any, url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    usage = type(shutil.disk_usage("/"))
    monkeypatch.setattr(shutil, "disk_usage", lambda _: usage(10**9, 10**9 - 1000, 1000))
    text = refusal(lambda: fetch_url(url))
    assert f"{url} needs 0.3 MB, and {cache_path(url).parent} has 0.0 MB left; make room, or set" in text
    assert "MUYBRIDGE_CACHE" in text
    assert beside(cache_path(url)) == set()


def test_an_absurd_length_is_refused(loopback: Any, url: str) -> None:
    loopback.faults = [lambda handler: handler.give(0, **{"Content-Length": str(10**15)})]
    assert "needs 1000000.0 GB" in refusal(lambda: fetch_url(url))
    assert loopback.sent <= 300_000


def test_a_stream_without_length_stops_when_the_disk_fills(
    loopback: Any, url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    usage = type(shutil.disk_usage("/"))
    part = cache_path(url).with_name("net-1a2b.pth.part")

    def left(_: Path) -> object:
        room = transfer.SPARE_BYTES + 2_000_000 - (part.stat().st_size if part.exists() else 0)
        return usage(10**12, 10**12 - room, room)

    def endless(handler: Any) -> None:
        handler.answer(200)
        try:
            while not loopback.released.is_set():
                handler.wfile.write(CONTENT)
        except OSError:
            pass

    monkeypatch.setattr(shutil, "disk_usage", left)
    loopback.faults = [endless]
    assert "make room" in refusal(lambda: fetch_url(url))


def test_a_stream_without_length_comes_whole(loopback: Any, url: str) -> None:
    def chunked(handler: Any) -> None:
        handler.answer(200, **{"Transfer-Encoding": "chunked"})
        for start in range(0, 300_000, 30_000):
            handler.pour(b"7530\r\n" + CONTENT[start : start + 30_000] + b"\r\n")
        handler.pour(b"0\r\n\r\n")

    steps: list[tuple[int, int]] = []
    loopback.faults = [chunked]
    path = fetch_url(url, sha256=DIGEST, progress=lambda done, total: steps.append((done, total)))
    assert path.read_bytes() == CONTENT
    assert steps[-1] == (300_000, 0)


@pytest.mark.parametrize(
    ("fault", "said"),
    [
        (lambda h: h.give(0, **{"Content-Type": "text/html; charset=utf-8"}), "is a web page, not a file"),
        (status(200), "gives an empty file"),
        (status(204), "answers 204 No Content"),
        (status(206), "gives a part of the file without saying which"),
    ],
)
def test_what_is_no_file_is_not_kept(
    loopback: Any, url: str, fault: Callable[[Any], None], said: str
) -> None:
    loopback.faults = [fault]
    assert f"{url} {said}" in refusal(lambda: fetch_url(url))
    assert not cache_path(url).exists()


def test_nonsense_instead_of_http(loopback: Any, url: str) -> None:
    loopback.faults = [lambda handler: handler.pour(b"SSH-2.0-OpenSSH_9.6\r\n")] * 5
    assert "gives no answer (SSH-2.0-OpenSSH_9.6), 5 times" in refusal(lambda: fetch_url(url))


def test_a_folder_on_a_drive_is_explained(loopback: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    url = "https://drive.google.com/drive/folders/1x#r3d50_K_200ep.pth"
    text = refusal(lambda: fetch(weights(url)))
    put = Path(text.rpartition("put the file at ")[2])
    assert text.startswith(f"net.k400 can only be downloaded by hand: open {url} in a browser")
    assert put.name == "r3d50_K_200ep.pth"
    put.write_bytes(CONTENT)
    assert fetch(weights(url)) == put


def test_a_tensorflow_checkpoint_is_two_files(loopback: Any) -> None:
    url = loopback.put("/rgb/model.ckpt.index", CONTENT)
    loopback.put("/rgb/model.ckpt.data-00000-of-00001", OTHER)
    path = fetch(weights(url))
    assert path.read_bytes() == CONTENT
    assert path.with_name("model.ckpt.data-00000-of-00001").read_bytes() == OTHER
    del loopback.files["/rgb/model.ckpt.data-00000-of-00001"]
    path.with_name("model.ckpt.data-00000-of-00001").unlink()
    text = refusal(lambda: fetch(weights(url)))
    assert text.startswith("the data of net.k400 can't be downloaded: ")
    assert f"put the file at {path.with_name('model.ckpt.data-00000-of-00001')}" in text


def test_files_of_one_name_are_kept_apart(loopback: Any) -> None:
    places = ["/a/net.pth", "/b/net.pth", "/a/net.pth?id=2"]
    urls = [loopback.put(place, place.encode()) for place in places]
    loopback.files["/a/net.pth"] = b"/a/net.pth"
    assert len({cache_path(url) for url in urls}) == 3
    assert fetch_url(urls[0]).read_bytes() == b"/a/net.pth"
    assert fetch_url(urls[1]).read_bytes() == b"/b/net.pth"


@pytest.mark.parametrize(
    ("url", "name"),
    [
        ("https://zoo.invalid/a/net%20one.pth?raw=true", "net_one.pth"),
        ("https://zoo.invalid/..%2F..%2Fetc%2Fpasswd", "passwd"),
        ("https://zoo.invalid/get?id=1#net.pth", "net.pth"),
        ("https://zoo.invalid/a/..", ""),
        ("https://zoo.invalid/a/.bashrc", "bashrc"),
    ],
)
def test_names_stay_in_their_folder(url: str, name: str) -> None:
    assert file_name(url) == name


@pytest.mark.parametrize(
    ("url", "said"),
    [
        ("file:///etc/passwd", "not an address to download from"),
        ("ftp://zoo.invalid/net.pth", "begins with https://"),
        ("/home/me/net.pth", "not an address to download from"),
        ("https:///net.pth", "not an address to download from"),
        ("https://[::1/net.pth", "not an address"),
        ("https://zoo.invalid/", "doesn't end in a file's name"),
        ("http://127.0.0.1:port/net.pth", "is not an address"),
        ("http://127.0.0.1/a b/net.pth", "is not an address"),
    ],
)
def test_an_address_that_is_none(url: str, said: str) -> None:
    with pytest.raises(WeightsError, match=said):
        fetch_url(url)


def test_where_the_cache_lies(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    url = "https://zoo.invalid/net.pth"
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("MUYBRIDGE_CACHE", "~/here")
    assert cache_path(url).is_relative_to(tmp_path / "here" / "weights")
    monkeypatch.delenv("MUYBRIDGE_CACHE")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "xdg"))
    assert cache_path(url).is_relative_to(tmp_path / "xdg" / "muybridge" / "weights")
    monkeypatch.delenv("XDG_CACHE_HOME")
    assert cache_path(url).is_relative_to(tmp_path / ".cache" / "muybridge" / "weights")


def test_a_cache_that_can_not_be_written_is_one_line(
    url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").touch()
    monkeypatch.setenv("MUYBRIDGE_CACHE", str(tmp_path / "file"))
    text = refusal(lambda: fetch(weights(url)))
    assert text.startswith(f"net.k400: {tmp_path / 'file'}")
    assert "(Not a directory); set MUYBRIDGE_CACHE to a folder that you can write to" in text


def test_a_complete_cache_may_be_read_only(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    path = fetch_url(url)
    path.with_name(f"{path.name}.sha256").unlink()

    def refuse(*args: Any, **options: Any) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path, "mkdir", refuse)
    monkeypatch.setattr(Path, "write_text", refuse)
    assert fetch_url(url) == path


def test_memory_does_not_grow_with_the_file(loopback: Any) -> None:
    url = loopback.put("/large.pth", bytes(32_000_000))
    tracemalloc.start()
    try:
        path = fetch_url(url)
        fetch_url(url)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert path.stat().st_size == 32_000_000
    assert peak < 8_000_000


@pytest.mark.parametrize("mirror", ["nonsense", "ftp://x", "file:///etc"])
def test_a_mirror_that_is_no_address_is_named_and_passed_over(
    mirror: str, loopback: Any, url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MUYBRIDGE_MIRROR", mirror)
    loopback.faults = [status(404)]
    text = refusal(lambda: fetch_url(url))
    assert f"{mirror}/" in text
    assert "is not an address; it must begin with http:// or https://" in text
    assert fetch_url(url).read_bytes() == CONTENT


def test_a_cache_that_can_not_be_made_tells_why(
    url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").touch()
    monkeypatch.setenv("MUYBRIDGE_CACHE", str(tmp_path / "file"))
    text = refusal(lambda: fetch_url(url))
    assert "Not a directory" in text
    assert "set MUYBRIDGE_CACHE" in text
    assert ".lock" not in text
