"""Figures as files: a data set for any of the three tasks.

Every file is a function of its seed and number alone, so a data set comes out the same wherever, by however many
processes and in whichever order it is filmed, and a larger one begins with the smaller one's films.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from fractions import Fraction
from importlib import metadata
from pathlib import Path

from muybridge.data.crew import side_by_side
from muybridge.data.figures.actions import ACTIONS, RECOGNIZED
from muybridge.data.figures.crowd import crowd_scene
from muybridge.data.figures.film import shoot
from muybridge.data.figures.filming import Ledger, Row, sha256
from muybridge.data.figures.formats import (
    Take,
    write_activitynet,
    write_ava,
    write_kinetics,
    write_tubes,
)
from muybridge.data.figures.scenes import SPLITS, Scene, clip_scene, known
from muybridge.data.figures.script import Span
from muybridge.data.figures.untrimmed import long_scene

WORLD = 3
"""Grows whenever the same seed films something else."""

TASKS = ("recognition", "temporal", "spatiotemporal")
SIZES = {"recognition": (120, 160), "temporal": (120, 160), "spatiotemporal": (240, 320)}
"""Height and width of the frames, where nothing else is said."""
LENGTHS_S = {"temporal": (60.0, 300.0), "spatiotemporal": (15.0, 60.0)}


@dataclass(frozen=True, slots=True)
class _Job:
    """One film to shoot."""

    folder: Path
    task: str
    path: str
    label: str
    seed: int
    split: str
    index: int
    size: tuple[int, int]
    length_s: tuple[float, float]
    actions: tuple[str, ...]

    def __str__(self) -> str:
        return self.path

    def scene(self) -> Scene:
        """What it shows."""
        place = {"seed": self.seed, "split": self.split, "index": self.index, "size": self.size}
        if self.task == "recognition":
            return clip_scene(self.label, **place)  # type: ignore[arg-type]
        draw = long_scene if self.task == "temporal" else crowd_scene
        return draw(**place, length_s=self.length_s, actions=self.actions)  # type: ignore[arg-type]


def film_dataset(
    folder: str | Path,
    *,
    task: str = "recognition",
    videos: int | None = None,
    videos_per_class: tuple[int, int, int] = (24, 6, 6),
    seed: int = 0,
    size: tuple[int, int] | None = None,
    length_s: tuple[float, float] | None = None,
    actions: Sequence[str] | None = None,
    progress: Callable[[int, int], None] | None = None,
    workers: int = 1,
) -> Path:
    """Film a data set, in the formats of the field.

    `recognition`: clips of two to three seconds, one action each, as `{train,val,test}/{action}/*.mp4` and as
    Kinetics' CSV files. `temporal`: untrimmed videos, as ActivityNet's JSON file. `spatiotemporal`: two to five
    people, as AVA's CSV files with boxes at whole seconds, and as tubes with a box in every frame. `docs/figures.md`
    says what lies where.

    Films that an earlier call left there are kept, if they were made from the same seed and settings.

    Args:
        folder: Made where it doesn't exist.
        task: `recognition`, `temporal` or `spatiotemporal`.
        videos: How many in all; 15 % of them (of each class), and at least one, are for val, as many for test. None:
            `videos_per_class`, for recognition only.
        videos_per_class: How many clips of each action in train, val and test.
        seed: Another seed is another data set.
        size: Height and width of the frames, in pixels, even numbers; None: those of `SIZES`.
        length_s: Shortest and longest film of the two other tasks; None: those of `LENGTHS_S`.
        actions: Names out of `ACTIONS`; None: all that the task can show.
        progress: Called with (films done, films in all) after each.
        workers: Processes that film side by side. They start afresh, so a script that asks for more than one
            calls this under `if __name__ == "__main__"`.

    Returns:
        The folder.

    Raises:
        ValueError: An unknown task or action, too few videos, or a folder that holds something else.
        VideoError: A file can't be written.
    """
    folder = Path(folder)
    names = _names(task, actions)
    size = size or SIZES[task]
    length_s = length_s or LENGTHS_S.get(task, (2.0, 3.0))
    _refuse_odd(size, length_s)
    jobs = _jobs(folder, task, names, _shares(task, names, videos, videos_per_class), seed, size, length_s)
    facts = {
        "format": "muybridge figures 1",
        "world": WORLD,
        "task": task,
        "seed": seed,
        "height": size[0],
        "width": size[1],
        "length_s": list(length_s),
        "actions": names,
    }
    ledger = Ledger(folder, facts)
    _refuse_more(folder, ledger, jobs)
    for parent in {(folder / job.path).parent for job in jobs}:
        parent.mkdir(parents=True, exist_ok=True)
    missing = [job for job in jobs if not ledger.has(job.path)]
    done = len(jobs) - len(missing)
    if progress is not None and done:
        progress(done, len(jobs))
    for _, row in side_by_side(_film, missing, workers):
        ledger.add(row)
        done += 1
        if progress is not None:
            progress(done, len(jobs))
    _annotate(folder, task, names, jobs, ledger.rows)
    ledger.close([job.path for job in jobs], {"muybridge": metadata.version("muybridge")})
    return folder


def _names(task: str, actions: Sequence[str] | None) -> list[str]:
    if task not in TASKS:
        near = get_close_matches(task, TASKS, 1)
        raise ValueError(
            f"no task {task!r}; " + (f"did you mean {near[0]}?" if near else f"there are {', '.join(TASKS)}")
        )
    if actions is None:
        return list(ACTIONS if task == "spatiotemporal" else RECOGNIZED)
    names = list(dict.fromkeys(known(actions)))
    if task == "temporal" and "stand" in names:
        raise ValueError("standing is background in untrimmed videos; leave stand out of the actions")
    return names


def _refuse_odd(size: tuple[int, int], length_s: tuple[float, float]) -> None:
    if min(size) < 32 or any(side % 2 for side in size):
        raise ValueError(f"frames of {size[0]} x {size[1]} pixels; give even numbers, 32 or more")
    if not 2 <= length_s[0] <= length_s[1]:
        raise ValueError(f"films of {length_s[0]:g} to {length_s[1]:g} s; give two lengths, 2 or more")


def _shares(
    task: str, names: Sequence[str], videos: int | None, videos_per_class: tuple[int, int, int]
) -> dict[str, tuple[int, int, int]]:
    """How many films of each class (or, of the other tasks, of "") go to train, val and test."""
    if task == "recognition" and videos is None:
        return dict.fromkeys(names, videos_per_class)
    if videos is None:
        raise ValueError(f"say how many videos the {task} data set is to have")
    classes = names if task == "recognition" else [""]
    if videos < 3 * len(classes):
        what = f" of {len(classes)} classes" if task == "recognition" else ""
        raise ValueError(
            f"{videos} videos{what}: one each for train, val and test are wanted at least; give {3 * len(classes)} or "
            "more" + (", or fewer actions" if task == "recognition" else "")
        )
    shares = {}
    for number, name in enumerate(classes):
        each = videos // len(classes) + (number < videos % len(classes))
        held = max(1, round(0.15 * each))
        shares[name] = (each - 2 * held, held, held)
    return shares


def _jobs(
    folder: Path,
    task: str,
    names: Sequence[str],
    shares: dict[str, tuple[int, int, int]],
    seed: int,
    size: tuple[int, int],
    length_s: tuple[float, float],
) -> list[_Job]:
    jobs = []
    for place, split in enumerate(SPLITS):
        for index in range(max(numbers[place] for numbers in shares.values())):
            for label, numbers in shares.items():
                if index < numbers[place]:
                    name = film_id(task, seed, split, label, index)
                    inside = f"{split}/{label}/{name}_000000_000003" if label else f"videos/{name}"
                    jobs.append(
                        _Job(
                            folder,
                            task,
                            f"{inside}.mp4",
                            label,
                            seed,
                            split,
                            index,
                            size,
                            length_s,
                            tuple(names),
                        )
                    )
    return jobs


def film_id(task: str, seed: int, split: str, label: str, index: int) -> str:
    """The name of a film: eleven characters, as YouTube's are, that no film of another data set has."""
    return hashlib.sha256(f"{task} {seed} {split} {label} {index}".encode()).hexdigest()[:11]


def _refuse_more(folder: Path, ledger: Ledger, jobs: Sequence[_Job]) -> None:
    if more := set(ledger.rows) - {job.path for job in jobs}:
        raise ValueError(
            f"{folder}: holds {len(ledger.rows)} films of this kind, {len(more)} more than asked for; ask for as many, "
            "or give another folder"
        )


def _film(job: _Job) -> Row:
    """Shoot one film, and tell what the manifest says of it."""
    scene, path = job.scene(), job.folder / job.path
    tubes = shoot(path, scene, tubes=job.task == "spatiotemporal")
    row: Row = {
        "path": job.path,
        "split": job.split,
        "sha256": sha256(path),
        "frames": scene.num_frames,
        "fps": str(scene.fps),
        "spans": [list(span) for span in scene.spans],
    }
    if tubes:
        beside = f"tubes/{path.stem}.json"
        (job.folder / "tubes").mkdir(exist_ok=True)
        write_tubes(job.folder / beside, path.stem, scene.fps, scene.num_frames, tubes)
        row |= {"tubes": beside, "tubes_sha256": sha256(job.folder / beside)}
    return row


def _annotate(
    folder: Path, task: str, names: Sequence[str], jobs: Sequence[_Job], rows: dict[str, Row]
) -> None:
    takes = []
    for job in jobs:
        row = rows[job.path]
        spans = tuple(Span(*span) for span in row["spans"])
        duration_s = float(row["frames"] / Fraction(row["fps"]))
        takes.append(Take(Path(job.path), job.split, job.label, duration_s, spans, row.get("tubes", "")))
    if task == "recognition":
        write_kinetics(folder, takes)
    elif task == "temporal":
        write_activitynet(folder, takes, names, jobs[0].size)
    else:
        write_ava(folder, takes, names)
