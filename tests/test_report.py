from __future__ import annotations

import base64
import hashlib
import json
import os
import re
import shutil
from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from muybridge import plots, viz
from muybridge.report import write_report
from muybridge.types import Score, Window
from muybridge.video.reader import Video
from muybridge.video.writer import write_video

NASTY = "<script>alert('label')</script>"
LABELS = ["walking", NASTY, "跑步 & 'jump'"]
ARGUMENTS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]


class Page(HTMLParser):
    """The elements of a page, its text, and the contents of its scripts."""

    def __init__(self, path: Path) -> None:
        super().__init__(convert_charrefs=True)
        self.elements: list[tuple[str, dict[str, str]]] = []
        self.scripts: list[str] = []
        self.texts: list[str] = []
        self._inside = ""
        self.source = path.read_text(encoding="utf-8")
        self.feed(self.source)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, {name: value or "" for name, value in attrs}))
        self._inside = tag
        if tag == "script":
            self.scripts.append("")

    def handle_endtag(self, tag: str) -> None:
        self._inside = ""

    def handle_data(self, data: str) -> None:
        if self._inside == "script":
            self.scripts[-1] += data
        elif self._inside != "style":
            self.texts.append(data)

    def with_attribute(self, name: str) -> list[tuple[str, dict[str, str]]]:
        return [(tag, values) for tag, values in self.elements if name in values]


@pytest.fixture(scope="module")
def film(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Ten seconds in which the picture goes from dark to bright."""
    frames = torch.linspace(0, 250, 100).byte().view(-1, 1, 1, 1).expand(100, 3, 96, 128)
    return write_video(tmp_path_factory.mktemp("film") / "film.mp4", frames, fps=10)


def windows() -> list[Window]:
    scores = [(0.8, 0.1, 0.1), (0.1, 0.8, 0.1), (0.1, 0.1, 0.8), (0.7, 0.2, 0.1), (0.6, 0.3, 0.1)]
    return [Window(start_s=2.0 * i, end_s=2.0 * i + 2, scores=row) for i, row in enumerate(scores)]


def write(path: Path, video: Path | None, **changes: Any) -> Path:
    values: dict[str, Any] = {
        "title": "What happens in film.mp4",
        "top": [Score("walking", 0.46), Score(NASTY, 0.3), Score(LABELS[2], 0.24)],
        "labels": LABELS,
        "windows": windows(),
        "duration_s": 10.0,
        "facts": {"model": "tiny3d", "views": "5"},
    }
    return write_report(path, video_path=video, **(values | changes))


def test_nothing_is_loaded_from_elsewhere(film: Path, tmp_path: Path) -> None:
    picture = plots.plot_confusion(np.eye(3, dtype=int), LABELS, tmp_path / "confusion.png")
    with Video(film) as video:
        strip = viz.thumbnail_strip(video)
    page = Page(write(tmp_path / "r.html", film, pictures={"Confusion": picture}, filmstrip=strip))
    sources = [values["src"] for _, values in page.with_attribute("src")]
    assert len(sources) == 3
    assert all(source.startswith("data:") for source in sources)
    assert page.with_attribute("href") == []
    assert "http:" not in page.source
    assert "https:" not in page.source
    video_source = next(values["src"] for tag, values in page.elements if tag == "video")
    assert base64.b64decode(video_source.split(",")[1]) == film.read_bytes()


def test_the_policy_allows_only_the_page_s_own_script(film: Path, tmp_path: Path) -> None:
    page = Page(write(tmp_path / "r.html", film))
    policy = next(v["content"] for t, v in page.elements if v.get("http-equiv") == "Content-Security-Policy")
    digest = base64.b64encode(hashlib.sha256(page.scripts[1].encode()).digest()).decode()
    assert policy.startswith("default-src 'none'")
    assert f"script-src 'sha256-{digest}';" in policy


def test_every_text_is_shown_as_it_is(film: Path, tmp_path: Path) -> None:
    page = Page(
        write(
            tmp_path / "r.html",
            film,
            title=f"{NASTY} <!--slot:facts-->",
            facts={NASTY: f"{NASTY}&amp;"},
            truth=[(NASTY, 1.0, 3.0)],
        )
    )
    assert len(page.scripts) == 2
    assert f"{NASTY} <!--slot:facts-->" in page.texts
    assert f"{NASTY}&amp;" in page.texts
    assert LABELS[2] in page.texts
    assert json.loads(page.scripts[0])["labels"] == LABELS
    assert "</script" not in page.scripts[0]
    assert not [values for _, values in page.elements if any(name.startswith("on") for name in values)]


def test_winners_are_merged_and_stand_at_their_times(film: Path, tmp_path: Path) -> None:
    page = Page(write(tmp_path / "r.html", None))
    parts = [v for _, v in page.elements if v.get("class") == "part"]
    assert [part["title"] for part in parts] == [*LABELS, "walking"]
    places = [re.findall(r"(?:left|width):([\d.]+)%", part["style"]) for part in parts]
    assert [[float(x) for x in place] for place in places] == [[0, 20], [20, 20], [40, 20], [60, 40]]


def test_a_large_video_is_linked_and_the_page_says_so(film: Path, tmp_path: Path) -> None:
    folder = tmp_path / "out"
    folder.mkdir()
    video = tmp_path / "a film #1.mp4"
    shutil.copy(film, video)
    page = Page(write(folder / "r.html", video, embed_limit=100))
    assert next(v["src"] for tag, v in page.elements if tag == "video") == "../a%20film%20%231.mp4"
    assert "../a film #1.mp4" in page.texts
    assert any("too large to be part of this page" in text for text in page.texts)


def test_without_windows_there_is_no_timeline(film: Path, tmp_path: Path) -> None:
    page = Page(write(tmp_path / "r.html", film, windows=[]))
    assert "Timeline" not in page.texts
    assert "Windows" not in page.texts
    assert "walking" in page.texts


def test_four_hundred_labels_and_twenty_minutes_stay_small(tmp_path: Path) -> None:
    labels = [f"action {index}" for index in range(400)]
    scores = np.random.default_rng(0).dirichlet(np.ones(400), size=1200)
    long = [
        Window(start_s=float(i), end_s=i + 2.0, scores=tuple(map(float, row))) for i, row in enumerate(scores)
    ]
    path = write(
        tmp_path / "r.html",
        None,
        labels=labels,
        windows=long,
        duration_s=1200.0,
        top=[Score("action 7", 0.4)],
    )
    assert path.stat().st_size < 1_500_000
    assert len(json.loads(Page(path).scripts[0])["windows"]) == 1200


def test_bad_input_leaves_no_page(film: Path, tmp_path: Path) -> None:
    path = tmp_path / "r.html"
    with pytest.raises(FileNotFoundError):
        write(path, tmp_path / "missing.mp4")
    with pytest.raises(ValueError, match="PNG, JPEG or WebP"):
        write(path, film, pictures={"a": tmp_path / "a.bmp"})
    with pytest.raises(ValueError, match="3 scores for 2 labels"):
        write(path, film, labels=["a", "b"])
    assert list(tmp_path.iterdir()) == []


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    """Chromium, headless."""
    sync_api = pytest.importorskip("playwright.sync_api", reason="Playwright is not installed")
    names = ("chromium", "chromium-browser", "google-chrome")
    found = os.environ.get("MUYBRIDGE_CHROMIUM") or next(filter(None, map(shutil.which, names)), None)
    if not found:
        pytest.skip("no Chromium here; install one or set MUYBRIDGE_CHROMIUM to its path")
    with sync_api.sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=found, args=ARGUMENTS)
        yield chromium
        chromium.close()


@pytest.fixture
def tab(browser: Any) -> Iterator[Any]:
    """A page of the browser that collects errors and dialogs and may load nothing but local files."""
    page = browser.new_page(viewport={"width": 1200, "height": 1000})
    page.troubles = []
    page.on("pageerror", lambda error: page.troubles.append(str(error)))
    page.on(
        "console", lambda message: page.troubles.append(message.text) if message.type == "error" else None
    )
    page.on("dialog", lambda dialog: (page.troubles.append("a dialog"), dialog.dismiss()))
    page.on(
        "request", lambda r: None if r.url.startswith(("file:", "data:")) else page.troubles.append(r.url)
    )
    yield page
    page.close()


def wait_until(tab: Any, condition: str) -> None:
    # The page's policy forbids eval, with which Playwright's own wait would poll.
    tab.evaluate(
        "() => new Promise((done, fail) => {"
        "  setTimeout(() => fail(new Error('it never came true')), 20000);"
        f" const look = () => ({condition}) ? done() : requestAnimationFrame(look);"
        "  look(); })"
    )


def open_report(tab: Any, path: Path) -> None:
    tab.goto(path.as_uri())
    wait_until(tab, "document.getElementById('video').readyState >= 2")


def click_timeline(tab: Any, share: float) -> None:
    tab.locator("#seek").scroll_into_view_if_needed()
    box = tab.locator("#seek").bounding_box()
    tab.mouse.click(box["x"] + box["width"] * share, box["y"] + box["height"] / 2)
    wait_until(tab, "!document.getElementById('video').seeking")


@pytest.mark.browser
def test_in_a_browser_a_click_on_the_timeline_seeks_the_video(film: Path, tmp_path: Path, tab: Any) -> None:
    open_report(tab, write(tmp_path / "r.html", film, truth=[("walking", 0.0, 4.0)]))
    video = tab.locator("#video")
    assert video.evaluate("v => v.duration") == pytest.approx(10.0, abs=0.05)
    bars = tab.locator(".side .card").first.locator(".name")
    assert bars.all_inner_texts() == ["walking", NASTY, LABELS[2]]

    click_timeline(tab, 0.25)
    assert video.evaluate("v => v.currentTime") == pytest.approx(2.5, abs=0.05)
    assert video.evaluate("v => v.readyState") >= 2
    assert tab.locator("#now-bars .name").all_inner_texts()[0] == NASTY
    assert tab.locator("tr.now").get_attribute("data-window") == "1"
    # The film gets brighter with time, so the frame that is shown tells where the video really is.
    grey = video.evaluate(
        "v => { const c = document.createElement('canvas').getContext('2d'); c.drawImage(v, 0, 0);"
        "return c.getImageData(20, 20, 1, 1).data[0]; }"
    )
    assert grey == pytest.approx(0.25 * 250, abs=8)
    assert tab.troubles == []


@pytest.mark.browser
def test_in_a_browser_the_table_and_the_keyboard_seek_too(film: Path, tmp_path: Path, tab: Any) -> None:
    open_report(tab, write(tmp_path / "r.html", film))
    video = tab.locator("#video")
    tab.locator("tr[data-window='3'] button").click()
    assert video.evaluate("v => v.currentTime") == pytest.approx(6.0, abs=0.01)
    tab.locator("#seek").focus()
    tab.keyboard.press("ArrowRight")
    assert video.evaluate("v => v.currentTime") == pytest.approx(8.0, abs=0.01)
    tab.keyboard.press("Home")
    assert video.evaluate("v => v.currentTime") == 0
    assert tab.troubles == []


@pytest.mark.browser
def test_in_a_browser_hovering_shows_the_scores_of_that_window(film: Path, tmp_path: Path, tab: Any) -> None:
    open_report(tab, write(tmp_path / "r.html", film))
    assert not tab.locator("#tip").is_visible()
    tab.locator("#seek").hover()
    assert tab.locator("#tip-time").inner_text() == "0:04.0 \u2013 0:06.0"
    assert tab.locator("#tip-bars .name").first.inner_text() == LABELS[2]
    assert tab.locator("#tip-bars .score").first.inner_text() == "80%"
    assert tab.troubles == []


@pytest.mark.browser
def test_in_a_browser_the_play_head_follows_the_video(film: Path, tmp_path: Path, tab: Any) -> None:
    open_report(tab, write(tmp_path / "r.html", film))
    tab.locator("#video").evaluate("v => { v.muted = true; v.playbackRate = 4; return v.play(); }")
    wait_until(tab, "parseFloat(document.getElementById('head').style.left) > 30")
    assert tab.locator("#video").evaluate("v => v.currentTime") > 3
    assert tab.troubles == []


@pytest.mark.browser
def test_in_a_browser_a_linked_video_plays(film: Path, tmp_path: Path, tab: Any) -> None:
    shutil.copy(film, tmp_path / "film.mp4")
    open_report(tab, write(tmp_path / "r.html", tmp_path / "film.mp4", embed_limit=100))
    click_timeline(tab, 0.5)
    assert tab.locator("#video").evaluate("v => v.currentTime") == pytest.approx(5.0, abs=0.05)
    assert tab.troubles == []


@pytest.mark.browser
def test_in_a_browser_a_narrow_screen_has_no_sideways_scrolling(film: Path, tmp_path: Path, tab: Any) -> None:
    tab.set_viewport_size({"width": 360, "height": 740})
    title = "a_very_long_file_name_without_any_space_" * 3
    open_report(tab, write(tmp_path / "r.html", film, title=title, facts={"file": title}))
    assert tab.evaluate("document.documentElement.scrollWidth") <= 360
    click_timeline(tab, 0.75)
    assert tab.locator("#video").evaluate("v => v.currentTime") == pytest.approx(7.5, abs=0.1)
