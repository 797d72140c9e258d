"""How well does a model do on a person it has never seen? Leave one group out, train on the rest, measure, repeat.

    python examples/leave_one_group_out.py list.csv runs/people clip.sampling=segments train.epochs=30

The list has the columns `path,label,group`; a group is a person, a place, a camera: whatever must not be on both sides.
The best epoch would be chosen on the people that are measured, so nothing is held out in training, and the last
epoch's weights are measured.
"""

from __future__ import annotations

import sys
from pathlib import Path

import torch

from muybridge.build import build_training
from muybridge.data.clips import ClipDataset
from muybridge.data.layouts import read_samples
from muybridge.engine import fit
from muybridge.metrics.recognition import Evaluation
from muybridge.recipe import load_recipe
from muybridge.tasks.recognition import evaluate


def main(data: Path, out: Path, settings: list[str]) -> None:
    samples = read_samples(data)
    groups = sorted({sample.group for sample in samples.train})
    folds = []
    for group in groups:
        recipe = load_recipe("scratch", [*settings, f'data.val_groups=["{group}"]'])
        plan = build_training(recipe, data)
        fit(plan.built.model, plan.task, plan.train_set, None, recipe.train, recipe.data, out_dir=out / group)
        test_set = ClipDataset(plan.samples.val, plan.samples.labels, plan.built.clip, train=False)
        folds.append(evaluate(plan.built.model, test_set))
        print(
            f"{group}: {folds[-1].top1:.1%} of {len(test_set)} videos, trained on {len(plan.samples.train)}"
        )
    everybody = Evaluation(
        labels=folds[0].labels,
        probabilities=torch.cat([fold.probabilities for fold in folds]),
        targets=torch.cat([fold.targets for fold in folds]),
        views=folds[0].views,
    )
    videos = everybody.confusion.sum(dim=1)
    print(f"\ntogether {everybody.top1:.1%}, mean class {everybody.mean_class:.1%}")
    print(f"always saying the most frequent class: {videos.max() / videos.sum():.1%}")
    for row in everybody.per_class:
        print(f"  {row.label}: {row.correct} of {row.videos}")


if __name__ == "__main__":
    if len(sys.argv) < 3:
        sys.exit(__doc__)
    main(Path(sys.argv[1]), Path(sys.argv[2]), sys.argv[3:])
