"""What a video was cut from, and splits that respect it.

Two clips of one recording share the room, the clothes and the light. With one on each side of a split, a
network that only knows the room scores well; so clips of one source stay together.
"""

from __future__ import annotations

import os
import random
import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import replace
from pathlib import Path

from muybridge.data.samples import Sample, Samples, refuse_unknown

_WORD = r"(?:part|pt|clip|scene|seg|segment|chunk|shot|cut|split|piece)"
_UCF101 = re.compile(r"(.+_g\d+)_c\d+", re.IGNORECASE)
_KINETICS = re.compile(r"(.{11})_\d{6}_\d{6}")
_PART = re.compile(rf"(.*?)[ _.-]*(?<![a-z]){_WORD}[ _.-]*\d+", re.IGNORECASE)
_NUMBER = re.compile(r"\d+")


def source_of(path: Path, label: str, folder: str = "") -> str:
    """Name of the source that a video was cut from, as far as names tell.

    `v_Basketball_g01_c02` (UCF101) is from `v_Basketball_g01`; `<id>_000010_000020` (Kinetics) from `<id>`;
    `name_part3`, `name-clip_12`, `name_scene-001`, `name_seg4` and `name_chunk2` from `name`. Where the name
    is a part or number alone (`talk/part3`, `subject1/07`) and lies in a folder of its own, the folder is the
    source.

    A number at the end (`defense_37`) is not a part: cameras and people number separate recordings in the
    same way, and holding a whole class for one recording would leave nothing to split. For the same reason a
    name that is only the label (`jump_clip_3` in `jump`) is no source. A list can name groups where names
    don't tell.

    Args:
        path: The video.
        label: Its class.
        folder: Folder below the class folder that the video lies in; "" for none.

    Returns:
        The source's name, or the path where names don't tell.
    """
    name = path.name if os.path.isdir(path) else path.stem  # noqa: PTH112 - Path's raises where a name is too long
    for pattern in (_UCF101, _KINETICS):
        if match := pattern.fullmatch(name):
            return match[1]
    match = _PART.fullmatch(name)
    base = match[1] if match else ""
    if base and base.casefold() != label.casefold():
        return base
    if folder and (_NUMBER.fullmatch(name) or (match and not base)):
        return folder
    return path.as_posix()


def split_by_group(
    samples: Sequence[Sample], val_fraction: float, seed: int
) -> tuple[list[Sample], list[Sample], list[str]]:
    """Hold out a share of every class without parting a group.

    Classes are served rarest first, because they have the least choice; of each, random groups go to the
    validation side while that brings the classes in them nearer to their share. A class never loses its last group.

    Args:
        samples: Samples of all classes; one of several classes counts for each of them.
        val_fraction: Share to hold out, of each class.
        seed: The same seed gives the same split, whatever the order of `samples`.

    Returns:
        Training samples, validation samples (both in the order given), and a line for each class that could
        not be held out.

    Raises:
        ValueError: Nothing can be held out: every class is one group.
    """
    sizes: dict[str, Counter[str]] = defaultdict(Counter)
    for sample in samples:
        sizes[sample.group].update(_classes_of(sample))
    totals = Counter(label for sample in samples for label in _classes_of(sample))
    groups = sorted(sizes)
    random.Random(seed).shuffle(groups)
    of_class: dict[str, list[str]] = defaultdict(list)
    for group in groups:
        for label in sizes[group]:
            of_class[label].append(group)
    held: set[str] = set()
    count: Counter[str] = Counter()

    def hold(group: str) -> None:
        held.add(group)
        count.update(sizes[group])

    def free(group: str) -> bool:
        return group not in held and all(count[k] + n < totals[k] for k, n in sizes[group].items())

    def nearer(group: str) -> bool:
        targets = {label: val_fraction * totals[label] for label in sizes[group]}
        steps = ((targets[k], count[k], count[k] + n) for k, n in sizes[group].items())
        return (
            sum((abs(after - target) - abs(before - target)) / target for target, before, after in steps) < 0
        )

    for label in sorted(totals, key=lambda name: (totals[name], name)):
        for group in of_class[label]:
            if free(group) and nearer(group):
                hold(group)
        if not count[label] and (rest := [group for group in of_class[label] if free(group)]):
            # Every group is more than twice the share: the smallest is still better than nothing to measure
            # by.
            hold(min(rest, key=lambda group: sizes[group][label]))
    if not held:
        raise ValueError(
            "nothing can be held out for validation: by their names, all videos of a class are parts of one "
            "source; name the groups in a list (path,label,group), or make train and val folders"
        )
    notes = [
        f"class {label!r} is not in the validation set: its {totals[label]} videos come from one source"
        for label in sorted(totals)
        if label and not count[label]
    ]
    train = [sample for sample in samples if sample.group not in held]
    return train, [sample for sample in samples if sample.group in held], notes


def _classes_of(sample: Sample) -> tuple[str, ...]:
    # Where nothing happens is a kind of video too, of which both sides should have some.
    return sample.labels or ("",)


def training_samples(
    samples: Samples, *, val_fraction: float = 0.2, val_groups: Iterable[str] = (), seed: int = 0
) -> Samples:
    """A data set that can be trained on: with something held out, and refused where that can't work.

    Args:
        samples: From `read_samples`.
        val_fraction: Share to hold out, if there is no val split yet.
        val_groups: Groups to hold out instead.
        seed: Seed of the draw.

    Raises:
        ValueError: Fewer than two classes, a group that isn't there, a class that is only in val or test, or
            nothing that can be held out.
    """
    if not samples.train:
        raise ValueError(f"no training videos; there is only {' and '.join(samples.splits)}")
    labels = {label for sample in samples.train for label in sample.labels}
    if len(labels) < (1 if samples.multi_label else 2):
        what = f"only one class, {next(iter(labels))!r}" if labels else "no video with a class"
        raise ValueError(
            f"{what}; a recognizer needs {'one' if samples.multi_label else 'two'} or more "
            "(a folder per class: DATA/label/*.mp4)"
        )
    val_groups = set(val_groups)
    if val_groups:
        pool = (*samples.train, *samples.val)
        refuse_unknown(val_groups, pool, "data.val_groups: ")
        train = tuple(s for s in pool if s.group not in val_groups)
        samples = replace(samples, train=train, val=tuple(s for s in pool if s.group in val_groups))
    elif not samples.val:
        kept, held, notes = split_by_group(samples.train, val_fraction, seed)
        samples = replace(samples, train=tuple(kept), val=tuple(held), notes=(*samples.notes, *notes))
    _refuse_unlearnt(samples)
    shown = {label for part in samples.splits.values() for sample in part for label in sample.labels}
    if unused := [label for label in samples.labels if label not in shown]:
        named = ", ".join(unused[:5]) + (", ..." if len(unused) > 5 else "")
        note = f"{len(unused)} of {len(samples.labels)} classes have no video: {named}"
        samples = replace(samples, notes=(*samples.notes, note))
    return samples


def _refuse_unlearnt(samples: Samples) -> None:
    learnt = {label for sample in samples.train for label in sample.labels}
    for name in ("val", "test"):
        part = samples.splits.get(name, ())
        alone = Counter(label for sample in part for label in sample.labels if label not in learnt)
        if alone:
            label, count = alone.most_common(1)[0]
            raise ValueError(
                f"class {label!r} is in {name} ({count} videos) but not in train; it can't be learnt"
            )
