"""The recognizer that comes with the package, made by one command.

    make bundled

Films people (`data make figures`), trains on them with the recipe `figures`, measures on 500 films of another seed that
chose nothing, and on real people where the shared clips are at hand, and writes
`src/muybridge/bundled/tiny3d.figures.safetensors` in half precision with all these figures in it. About three quarters
of an hour on two cores; what is there already in `build/bundled` is not done again.
"""

from __future__ import annotations

import argparse
import csv
import json
import os
import re
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from muybridge.bundled import __file__ as bundled_file
from muybridge.data.samples import Sample

if TYPE_CHECKING:
    from muybridge.model_file import LoadedModel

HERE = Path(__file__).resolve().parent
WORK = HERE.parent / "build" / "bundled"
TARGET = Path(bundled_file).with_name("tiny3d.figures.safetensors")
SHARED = Path(os.environ.get("MUYBRIDGE_SHARED", HERE.parent.parent / "shared"))
TRAIN_SEED, FRESH_SEED = 1, 2
TRAIN_VIDEOS, FRESH_VIDEOS = (84, 6, 0), (19, 0, 0)
"""Of each of the 27 actions, in train, val and test."""
# What the people of GMDCSA24 are said to do, and which of our actions are right for it.
REAL = {
    "walking": ("walk", "walk_left", "walk_right"),
    "sitting": ("sit_down",),
    "falling": ("fall",),
}


def main() -> None:
    """Film, train, measure, write."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--workers", type=int, default=2, help="processes that film")
    parser.add_argument("--devices", default="auto", help="as for `muybridge train`")
    asked = parser.parse_args()

    from muybridge.cli.train import run_training
    from muybridge.data.figures import film_dataset
    from muybridge.recipe import load_recipe

    films, fresh, out = WORK / "films", WORK / "fresh", WORK / "run"
    print(f"filming into {WORK}", flush=True)
    film_dataset(films, videos_per_class=TRAIN_VIDEOS, seed=TRAIN_SEED, workers=asked.workers)
    film_dataset(fresh, videos_per_class=FRESH_VIDEOS, seed=FRESH_SEED, workers=asked.workers)
    recipe = load_recipe("figures")
    resume = out if (out / "last.ckpt").exists() else None
    if not (out / "model.safetensors").exists():
        if resume is None:
            shutil.rmtree(out, ignore_errors=True)
        run_training(films, recipe, out, resume=resume, devices=asked.devices)
    bundle(out / "model.safetensors", films, fresh)


def bundle(trained: Path, films: Path, fresh: Path) -> None:
    """Measure a trained model on fresh films and real people, and put it into the package with these figures."""
    from muybridge.data.clips import ClipDataset
    from muybridge.data.layouts import read_samples
    from muybridge.model_file import load_model, save_model
    from muybridge.tasks.recognition import evaluate

    loaded = load_model(trained)
    everything = tuple(s for part in read_samples(fresh).splits.values() for s in part)
    measured = evaluate(loaded.model, ClipDataset(everything, loaded.labels, loaded.clip, train=False))
    print(f"{len(everything)} fresh films: top-1 {measured.top1:.1%}")
    facts: dict[str, Any] = {
        **{name: loaded.facts[name] for name in ("recipe", "start", "best_epoch", "versions")},
        "data": f"{loaded.facts['videos']['train']} films of figures, {which(films)}",
        "measured": {
            "on": f"{len(everything)} other films, {which(fresh)}",
            "top1": measured.top1,
            "top5": measured.top5,
            "mean_class": measured.mean_class,
            "views": measured.views,
            "per_class": {row.label: row.accuracy for row in measured.per_class},
        },
        "real": on_real_people(loaded),
    }
    save_model(
        TARGET,
        loaded.model.half(),
        name=loaded.name,
        options=loaded.options,
        labels=loaded.labels,
        clip=loaded.clip,
        facts=facts,
    )
    print(f"wrote {TARGET}, {TARGET.stat().st_size / 1e6:.2f} MB")


def which(films: Path) -> str:
    """What decides the films of a folder."""
    facts = json.loads((films / "manifest.json").read_text())
    return f"world {facts['world']}, seed {facts['seed']}"


def on_real_people(loaded: LoadedModel) -> dict[str, Any] | None:
    """How it does where people of flesh and blood walk, sit and fall: the segments of GMDCSA24 that are at hand.

    `open`: one of the right actions has the highest score of all. `closed`: the right one of the three does, when
    scores of other actions are left aside.
    """
    from muybridge.data.clips import ClipDataset
    from muybridge.tasks.recognition import evaluate

    segments = list(real_segments(SHARED / "clips" / "gmdcsa24"))
    if not segments:
        print(f"no clips of real people under {SHARED}; the card will say nothing of them")
        return None
    number = {label: k for k, label in enumerate(loaded.labels)}
    samples = [
        Sample(path, (REAL[what][0],), path.as_posix(), start, end) for what, path, start, end in segments
    ]
    measured = evaluate(loaded.model, ClipDataset(samples, loaded.labels, loaded.clip, train=False))
    counts = {what: [0, 0, 0] for what in REAL}
    for (what, *_), scores in zip(segments, measured.probabilities, strict=True):
        of = {name: float(sum(scores[number[label]] for label in right)) for name, right in REAL.items()}
        counts[what][0] += 1
        counts[what][1] += loaded.labels[int(scores.argmax())] in REAL[what]
        counts[what][2] += max(of, key=lambda name: of[name]) == what
    found = {what: {"segments": n, "open": a, "closed": b} for what, (n, a, b) in counts.items()}
    print(f"real people: {found}")
    return {"on": "GMDCSA24, 23 videos of 4 people: walking, sitting and falling segments", **found}


def real_segments(folder: Path) -> Iterator[tuple[str, Path, float, float]]:
    """What, which video, from when to when; brackets of the tables hold one interval or several, some hold nonsense."""
    for table in sorted(folder.glob("subject*/*.csv")):
        for row in csv.reader(table.read_text(encoding="utf-8-sig").splitlines()[1:]):
            path = table.parent / table.stem / row[0].strip() if row else folder
            if not path.is_file():
                continue
            for what, _, inside in re.findall(r"(Walking|Sitting|Falling)([^\[\]]*)\[([^\]]*)", row[-1]):
                for start, end in re.findall(r"([\d.]+)\s*to\s*([\d.]+)", inside):
                    if float(end) - float(start) >= 1:
                        yield what.lower(), path, float(start), float(end)


if __name__ == "__main__":
    main()
