"""How two runs differ on the same videos: per class, overall, and how sure that is."""

from __future__ import annotations

import os.path
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from muybridge.metrics.multi_label import average_precisions, multi_hot
from muybridge.metrics.runs import Answer, Run
from muybridge.metrics.significance import Interval, map_difference, mcnemar, top1_difference


@dataclass(frozen=True, kw_only=True, slots=True)
class Gain:
    """One class in two runs.

    Attributes:
        label: Its name.
        videos: Videos of it that both measured.
        before: Its accuracy or average precision in the first run (0..1); None without videos.
        after: The same in the second.
    """

    label: str
    videos: int
    before: float | None
    after: float | None

    @property
    def gain(self) -> float | None:
        """Second minus first."""
        return None if self.before is None or self.after is None else self.after - self.before


@dataclass(frozen=True, kw_only=True)
class Comparison:
    """Two runs on the videos that both measured.

    Attributes:
        score_name: `top-1` or `mAP`.
        videos: Videos that both measured; all figures are of these.
        before: The first run's figure (0..1).
        after: The second's.
        interval: 95% interval of the difference.
        only_before: Single label: videos that only the first got right.
        only_after: Single label: those that only the second got right.
        p_value: Single label: how likely so uneven a pair of counts is if both runs are equally good.
        moved: The data set lay elsewhere; videos were matched by their paths below its top folder.
        per_class: One row per class, in the order of the labels.
    """

    score_name: str
    videos: int
    before: float
    after: float
    interval: Interval
    only_before: int | None = None
    only_after: int | None = None
    p_value: float | None = None
    moved: bool = False
    per_class: tuple[Gain, ...]

    def to_dict(self) -> dict[str, Any]:
        """Plain JSON values."""
        values = {name: getattr(self, name) for name in self.__dataclass_fields__ if name != "per_class"}
        rows = [{name: getattr(row, name) for name in (*row.__slots__, "gain")} for row in self.per_class]
        return values | {"interval": list(self.interval), "per_class": rows}


def refuse_other(before: Run, labels: Sequence[str], videos: Sequence[str], *, multi_label: bool) -> None:
    """Stop before long work whose result could not be compared.

    Args:
        before: The run to compare with.
        labels: The classes of the new one.
        videos: The paths it will measure.
        multi_label: Whether its videos may show several classes.

    Raises:
        ValueError: Other labels, or not one common video.
    """
    if before.multi_label != multi_label:
        kinds = ["one label per video", "several labels per video"]
        raise ValueError(
            f"one run has {kinds[multi_label]}, the other {kinds[before.multi_label]}; they can't be compared"
        )
    if set(before.labels) != set(labels):
        odd = sorted(set(before.labels) ^ set(labels))
        more = ", ..." if len(odd) > 3 else ""
        raise ValueError(
            f"the two runs know different classes ({len(before.labels)} and {len(labels)}; "
            f"only one of them has {', '.join(odd[:3])}{more}); compare runs on the same data set"
        )
    if not _pairs([answer.video for answer in before.answers], videos)[0]:
        raise ValueError(
            f"the two runs have no video in common (such as {before.answers[0].video} and {videos[0]}); "
            "compare runs on the same data and split"
        )


def compare(before: Run, after: Run) -> Comparison:
    """How the second run differs from the first, on the videos that both measured.

    Raises:
        ValueError: Other labels, not one common video, or a video that shows something else in the other run.
    """
    ours = [answer.video for answer in after.answers]
    refuse_other(before, after.labels, ours, multi_label=after.multi_label)
    places, moved = _pairs([answer.video for answer in before.answers], ours)
    pairs = [(before.answers[one], after.answers[two]) for one, two in places]
    for one, two in pairs:
        if _shown(one) != _shown(two):
            raise ValueError(
                f"{two.video} shows {' + '.join(sorted(_shown(one))) or 'nothing'} in one run and "
                f"{' + '.join(sorted(_shown(two))) or 'nothing'} in the other; measure both on the same labels"
            )
    compared = _compare_scores(before, after, pairs) if after.multi_label else _compare_answers(after, pairs)
    return replace(compared, moved=moved)


def _compare_answers(after: Run, pairs: Sequence[tuple[Answer, Answer]]) -> Comparison:
    right = torch.tensor([[one.answer == one.truth, two.answer == two.truth] for one, two in pairs])
    truth = [str(two.truth) for _, two in pairs]
    only_before = int((right[:, 0] & ~right[:, 1]).sum())
    only_after = int((right[:, 1] & ~right[:, 0]).sum())
    rows = []
    for label in after.labels:
        of_it = torch.tensor([name == label for name in truth])
        shares = right[of_it].double().mean(dim=0).tolist() if bool(of_it.any()) else [None, None]
        rows.append(Gain(label=label, videos=int(of_it.sum()), before=shares[0], after=shares[1]))
    overall = right.double().mean(dim=0).tolist()
    return Comparison(
        score_name=after.score_name,
        videos=len(pairs),
        before=overall[0],
        after=overall[1],
        interval=top1_difference(only_before, only_after, len(pairs)),
        only_before=only_before,
        only_after=only_after,
        p_value=mcnemar(only_before, only_after),
        per_class=tuple(rows),
    )


def _compare_scores(before: Run, after: Run, pairs: Sequence[tuple[Answer, Answer]]) -> Comparison:
    targets = multi_hot([sorted(_shown(two)) for _, two in pairs], after.labels)
    column = [before.labels.index(label) for label in after.labels]
    scores: tuple[Tensor, Tensor] = (
        torch.tensor([one.scores for one, _ in pairs], dtype=torch.float64)[:, column],
        torch.tensor([two.scores for _, two in pairs], dtype=torch.float64),
    )
    if not bool(targets.any()):
        raise ValueError("none of the videos that both runs measured shows any of the classes")
    one, two = (average_precisions(values, targets) for values in scores)
    videos = targets.sum(dim=0).int().tolist()
    rows = [
        Gain(label=label, videos=n, before=float(a) if n else None, after=float(b) if n else None)
        for label, n, a, b in zip(after.labels, videos, one, two, strict=True)
    ]
    return Comparison(
        score_name=after.score_name,
        videos=len(pairs),
        before=float(one.nanmean()),
        after=float(two.nanmean()),
        interval=map_difference(*scores, targets),
        per_class=tuple(rows),
    )


def _shown(answer: Answer) -> frozenset[str]:
    return frozenset([answer.truth] if isinstance(answer.truth, str) else answer.truth)


def _pairs(ones: Sequence[str], twos: Sequence[str]) -> tuple[list[tuple[int, int]], bool]:
    """Places of the same video in two lists; whether only their paths below the top folder are the same."""
    first, second = _places(ones), _places(twos)
    moved = not first.keys() & second.keys()
    if moved:
        first, second = _places(_below_top(ones)), _places(_below_top(twos))
    return [(first[video], place) for video, place in second.items() if video in first], moved


def _places(videos: Sequence[str]) -> dict[tuple[str, int], int]:
    # Several stretches of one film have the same path; both runs measured them in the same order.
    seen: Counter[str] = Counter()
    places = {}
    for place, video in enumerate(videos):
        places[video, seen[video]] = place
        seen[video] += 1
    return places


def _below_top(videos: Sequence[str]) -> list[str]:
    paths = [Path(video).absolute() for video in videos]
    top = os.path.commonpath([path.parent for path in paths])
    return [str(path.relative_to(top)) for path in paths]
