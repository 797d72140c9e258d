"""Answers that a person can read and a program can use: what a model said about one video.

A result is plain data. It knows how to print itself, how to become JSON and CSV, and how to draw itself: as a video
with labels on it, or as one HTML page.
"""

from __future__ import annotations

import csv
import io
import json
import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from muybridge.files import write_text
from muybridge.types import Score, Window

if TYPE_CHECKING:
    from muybridge.video import Video

Progress = Callable[[int, int], None]
"""Called with (done, total) while long work goes on."""


@dataclass(frozen=True, kw_only=True)
class Recognition:
    """What happens in a video: a score per label, for the whole of it and, if asked for, per window.

    Attributes:
        name: The video's file name, or words for a source that has none.
        source: Its path; None for a tensor.
        labels: The `k` labels that the model can give.
        scores: One score (0..1) per label for the whole video: the mean over views, or over windows.
        windows: The same for stretches of the video, in order of time; empty unless a window was asked for.
        duration_s: Length of the video, in seconds.
        views: How many clips of the video went through the network.
        model: Name of the model.
        facts: Anything else worth showing beside the answer (checkpoint, clip, versions).
    """

    name: str
    source: Path | None
    labels: tuple[str, ...]
    scores: tuple[float, ...]
    windows: tuple[Window, ...] = ()
    duration_s: float
    views: int
    model: str
    facts: Mapping[str, str] = field(default_factory=dict, repr=False)

    def top(self, k: int = 5) -> list[Score]:
        """The `k` best labels of the whole video, best first."""
        return _ranked(self.labels, self.scores)[:k]

    def above(self, score: float) -> list[Score]:
        """All labels of the whole video with at least this score (0..1), best first."""
        return [s for s in _ranked(self.labels, self.scores) if s.score >= score]

    def timeline(self, k: int = 1) -> list[tuple[float, float, list[Score]]]:
        """`(start_s, end_s, the k best labels)` of every window, in order of time."""
        return [(w.start_s, w.end_s, _ranked(self.labels, w.scores)[:k]) for w in self.windows]

    def to_dict(self, k: int = 5) -> dict[str, Any]:
        """JSON values: the `k` best labels of the video and of each window."""
        return {
            "video": str(self.source) if self.source else self.name,
            "duration_s": round(self.duration_s, 3),
            "model": self.model,
            "views": self.views,
            "top": _rows(self.top(k)),
            "windows": [
                {"start_s": round(start_s, 3), "end_s": round(end_s, 3), "top": _rows(best)}
                for start_s, end_s, best in self.timeline(k)
            ],
        }

    def to_json(self, k: int = 5, indent: int | None = None) -> str:
        """`to_dict` as JSON text, on one line unless indented."""
        return json.dumps(self.to_dict(k), ensure_ascii=False, indent=indent)

    def to_csv(self, k: int = 5) -> str:
        """CSV text with a header: `video,start_s,end_s,rank,label,score`; the whole video's rows come first."""
        out = io.StringIO()
        rows = csv.writer(out, lineterminator="\n")
        rows.writerow(["video", "start_s", "end_s", "rank", "label", "score"])
        video = str(self.source) if self.source else self.name
        for start_s, end_s, best in [(0.0, self.duration_s, self.top(k)), *self.timeline(k)]:
            for rank, (label, score) in enumerate(best, start=1):
                rows.writerow([video, f"{start_s:.3f}", f"{end_s:.3f}", rank, label, f"{score:.6f}"])
        return out.getvalue()

    def save(
        self,
        path: str | Path,
        *,
        overlay: Path | None = None,
        pictures: Mapping[str, Path] | None = None,
        truth: Sequence[tuple[str, float, float]] = (),
        progress: Progress | None = None,
    ) -> Path:
        """Write the answer; the suffix says how.

        Args:
            path: `.mp4` (the video with its labels drawn on it, sound kept), `.html` (one self-contained page),
                `.png` (the timeline; needs windows), `.json` or `.csv`.
            overlay: For `.html`: an annotated video that exists already and needn't be drawn again.
            pictures: For `.html`: titles and files of PNG pictures to show on the page.
            truth: For `.html`: what really happens, as `(label, start_s, end_s)`, shown under the timeline.
            progress: Called with (done, total) frames while a video is drawn.

        Returns:
            The path written. It appears when it is complete; a failure leaves nothing behind.

        Raises:
            ValueError: Another suffix, or a timeline without windows.
            VideoError: The source can't be read any more, or the target can't be written.
        """
        path = Path(path)
        match path.suffix.lower():
            case ".mp4":
                return self._save_overlay(path, progress)
            case ".html":
                return self._save_report(path, overlay, pictures or {}, truth, progress)
            case ".png":
                from muybridge import plots

                return plots.plot_timeline(self.windows, self.labels, path, self.duration_s)
            case ".json":
                return write_text(path, self.to_json(indent=2) + "\n")
            case ".csv":
                return write_text(path, self.to_csv())
        raise ValueError(
            f"{path}: a result is saved as .mp4, .html, .png, .json or .csv; give one of these suffixes"
        )

    def _save_overlay(self, path: Path, progress: Progress | None) -> Path:
        if self.source is None:
            raise ValueError(
                f"{path}: the video came from memory, not from a file; draw it with muybridge.viz"
            )
        if path.resolve() == self.source.resolve():
            raise ValueError(f"{path}: this is the source video itself; save the overlay under another name")
        from muybridge import viz

        with _open(self.source) as video:
            return viz.annotate(
                video, path, top=self.top(5), labels=self.labels, windows=self.windows, progress=progress
            )

    def _save_report(
        self,
        path: Path,
        overlay: Path | None,
        pictures: Mapping[str, Path],
        truth: Sequence[tuple[str, float, float]],
        progress: Progress | None,
    ) -> Path:
        from muybridge import report, viz

        strip = None
        with tempfile.TemporaryDirectory() as folder:
            if overlay is None and self.source is not None:
                overlay = self._save_overlay(Path(folder) / f"{self.source.stem}.mp4", progress)
            if self.source is not None:
                with _open(self.source) as video:
                    strip = viz.thumbnail_strip(video)
            facts = {
                "video": self.name,
                "length": f"{self.duration_s:.1f} s",
                "model": self.model,
                "views": str(self.views),
            }
            return report.write_report(
                path,
                title=f"What happens in {self.name}",
                video_path=overlay,
                top=self.top(5),
                labels=self.labels,
                windows=self.windows,
                duration_s=self.duration_s,
                facts=facts | dict(self.facts),
                pictures=pictures,
                truth=truth,
                filmstrip=strip,
            )

    def __repr__(self) -> str:
        best = ", ".join(f"{label} {score:.0%}" for label, score in self.top(3))
        windows = f", {len(self.windows)} windows" if self.windows else ""
        return f"<Recognition of {self.name} ({self.duration_s:.1f} s{windows}): {best}>"


def _open(source: Path) -> Video:
    """The source once more: what was good enough for an answer is good enough for its picture."""
    from muybridge.video import Video

    return Video(source, on_error="partial", max_pixels=2**31 - 1, max_duration_s=float("inf"))


def _ranked(labels: Sequence[str], scores: Sequence[float]) -> list[Score]:
    pairs = (Score(label, score) for label, score in zip(labels, scores, strict=True))
    return sorted(pairs, key=lambda s: -s.score)


def _rows(scores: Sequence[Score]) -> list[dict[str, Any]]:
    return [{"label": s.label, "score": round(s.score, 6)} for s in scores]
