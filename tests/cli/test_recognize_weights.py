"""`muybridge recognize` with published weights: fetched once, checked, run; and what it says where they can't be had.

The weights are random ones that torchvision made and a server on loopback gives.
"""

from __future__ import annotations

import hashlib
import io
import json
import socket
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
import torchvision

from muybridge.labels import load_labels
from muybridge.published import borrowed

Run = Callable[..., Any]
NAME = "mvit_v2_s.k400"
FILE = "mvit_v2_s-ae3be167.pth"  # as torchvision publishes it
ONE_VIEW = ("--clips", 1, "--crops", 1)


@pytest.fixture
def walk(film: Path) -> Path:
    return film / "test" / "walk" / "walk_s0000.mp4"


@pytest.fixture(scope="module")
def published() -> bytes:
    """What the server gives: a torchvision MViTv2-S that has learnt nothing."""
    torch.manual_seed(0)
    content = io.BytesIO()
    torch.save(torchvision.models.video.mvit_v2_s(weights=None).state_dict(), content)
    return content.getvalue()


@pytest.fixture
def mirror(loopback: Any, published: bytes, monkeypatch: pytest.MonkeyPatch) -> Any:
    """A mirror that has the file of `NAME`, whose digest stands in the list of published weights."""
    digest = hashlib.sha256(published).hexdigest()
    changed = tuple(replace(w, sha256=digest) if w.name == NAME else w for w in borrowed.WEIGHTS)
    monkeypatch.setattr(borrowed, "WEIGHTS", changed)
    monkeypatch.setenv("MUYBRIDGE_MIRROR", loopback.url)
    loopback.put(f"/{FILE}", published)
    return loopback


def cached(tmp_path: Path) -> list[Path]:
    return sorted((tmp_path / "cache").rglob("*.pth"))


@pytest.mark.parametrize("options", [(), ("--model", NAME), ("--checkpoint", NAME)])
@pytest.mark.parametrize(
    ("failure", "says"),
    [
        (ConnectionRefusedError(111, "Connection refused"), "Connection refused"),
        (socket.gaierror(-2, "Name or service not known"), "Name or service not known"),
    ],
)
def test_without_a_network_one_line_says_where_to_put_the_file(
    failure: OSError,
    says: str,
    options: tuple[str, ...],
    muybridge: Run,
    loopback: Any,
    walk: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def fails(*args: Any, **options: Any) -> socket.socket:
        raise failure

    monkeypatch.setattr(socket, "create_connection", fails)
    ran = muybridge("recognize", walk, *options, *ONE_VIEW)
    assert (ran.code, ran.out) == (2, "")
    assert len(ran.err.splitlines()) == 1
    assert NAME in ran.err
    assert f"https://download.pytorch.org/models/{FILE}" in ran.err
    assert says in ran.err
    place = Path(ran.err.partition("put the file at ")[2].partition(" yourself")[0])
    assert place.name == FILE
    assert place.is_relative_to(tmp_path / "cache")
    assert cached(tmp_path) == []


def test_offline_touches_no_network_and_takes_the_file_that_was_put_there(
    muybridge: Run,
    mirror: Any,
    walk: Path,
    published: bytes,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("MUYBRIDGE_OFFLINE", "1")
    ran = muybridge("recognize", walk, "--model", NAME, *ONE_VIEW)
    assert (ran.code, ran.out) == (2, "")
    assert len(ran.err.splitlines()) == 1
    assert "MUYBRIDGE_OFFLINE is set" in ran.err
    place = Path(ran.err.partition("put that file at ")[2].strip())
    assert place.is_relative_to(tmp_path / "cache")
    place.write_bytes(published)
    assert muybridge("recognize", walk, "--model", NAME, *ONE_VIEW).code == 0
    assert mirror.asked == []


def test_weights_are_fetched_once_checked_and_run(
    muybridge: Run, mirror: Any, walk: Path, published: bytes, tmp_path: Path
) -> None:
    first = muybridge("recognize", walk, "--model", NAME, *ONE_VIEW, "--json", "-")
    assert first.code == 0, first.err
    (path,) = cached(tmp_path)
    assert path.read_bytes() == published
    assert first.err == f"fetched {path}\n"
    told = json.loads(first.out)
    assert told["model"] == "mvit_v2_s"
    assert len(told["top"]) == 5
    assert {row["label"] for row in told["top"]} <= set(load_labels("kinetics400"))

    asked = list(mirror.asked)
    again = muybridge("recognize", walk, *ONE_VIEW, "--json", "-")  # the default are the same weights
    assert (again.code, again.err) == (0, "")
    assert json.loads(again.out) == told
    assert mirror.asked == asked


def test_another_file_than_the_published_one_is_not_run(
    muybridge: Run, mirror: Any, walk: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    connect = socket.create_connection

    def no_further(address: tuple[str, int], *args: Any, **options: Any) -> socket.socket:
        if address[0] != "127.0.0.1":
            raise ConnectionRefusedError(111, "Connection refused")
        return connect(address, *args, **options)

    monkeypatch.setattr(socket, "create_connection", no_further)
    mirror.put(f"/{FILE}", b"another file")
    ran = muybridge("recognize", walk, "--model", NAME, *ONE_VIEW)
    assert (ran.code, ran.out) == (2, "")
    assert len(ran.err.splitlines()) == 1
    assert "is not the published file" in ran.err
    assert cached(tmp_path) == []


@pytest.mark.parametrize(
    ("name", "says"),
    [
        ("c3d", "say which: c3d.sports1m, c3d.ucf101"),
        ("mvit_v2_s.k401", "did you mean mvit_v2_s.k400"),
        ("tiny3d", "no weights are published for tiny3d"),
    ],
)
def test_a_name_that_can_not_be_meant_is_told_before_anything_is_fetched(
    name: str, says: str, muybridge: Run, loopback: Any, walk: Path
) -> None:
    for option in ("--model", "--checkpoint"):
        ran = muybridge("recognize", walk, option, name)
        assert (ran.code, ran.out) == (2, "")
        assert len(ran.err.splitlines()) == 1
        assert says in ran.err
    assert loopback.asked == []
