"""How far does one get without a network? Improved dense trajectories, Fisher vectors and support vector machines.

    pip install 'muybridge[classic]'
    python examples/before_networks.py clips runs/trajectories

The data set is of any layout that `muybridge train` reads. Trajectories lie in the folder and are found once; stopped,
the same command goes on. The last lines are the accuracy on videos that were held out, and the classifier's file.
"""

from __future__ import annotations

import os
import sys
from functools import partial
from pathlib import Path

from muybridge.data.crew import side_by_side
from muybridge.data.groups import training_samples
from muybridge.data.layouts import read_samples
from muybridge.trajectories import Settings, StoredTrajectories, TrajectoryModel, save_trajectories
from muybridge.types import VideoError

SETTINGS = Settings()
GAUSSIANS = 64
"""256 in the paper, whose data sets hold thousands of videos."""


def place(out: Path, video: Path) -> Path:
    return out / f"{'-'.join(video.absolute().parts[-3:])}.safetensors"


def find(out: Path, video: Path) -> str:
    """Find a video's trajectories; what is wrong with it, if something is."""
    try:
        save_trajectories(video, place(out, video), settings=SETTINGS, again=False)
    except VideoError as error:
        return str(error)
    return ""


def main(data: Path, out: Path) -> None:
    samples = training_samples(read_samples(data))
    held_out = samples.test or samples.val
    out.mkdir(parents=True, exist_ok=True)
    videos = [sample.path for sample in (*samples.train, *held_out)]
    for done, (_, wrong) in enumerate(side_by_side(partial(find, out), videos, os.cpu_count() or 1), 1):
        print(f"\r{done} of {len(videos)} videos" if not wrong else f"\n{wrong}", end="", flush=True)
    print()

    def known(part: list) -> list:
        pairs = [(place(out, sample.path), sample.label) for sample in part]
        return [(StoredTrajectories(path), label) for path, label in pairs if path.exists()]

    model = TrajectoryModel.train(known(samples.train), settings=SETTINGS, gaussians=GAUSSIANS)
    answers = [(label, next(iter(model.scores(batches)))) for batches, label in known(held_out)]
    right = sum(label == answer for label, answer in answers)
    print(f"{right / len(answers):.1%} of {len(answers)} held-out videos")
    print(model.save(out / "model.safetensors"))


if __name__ == "__main__":
    if len(sys.argv) != 3:
        sys.exit(__doc__)
    main(Path(sys.argv[1]), Path(sys.argv[2]))
