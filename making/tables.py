"""The papers' tables in miniature: every row trained on `figures` with one budget and three seeds.

    make tables                                            # all rows that are not there yet, then docs/tables.md
    python making/tables.py --rows 'slowfast*' --seeds 1   # some rows, one seed; docs/tables.md shows what there is

Narrow versions of the papers' networks see the same films, as often, in the same order of seeds. Each run is a process
of its own with one thread and leaves `build/tables/runs/ROW-SEED.json`; what is there is not done again, so the work
can be stopped at any time. Two runs go side by side. A GPU, where there is one, is used.

What the rows are, `rows.py` says. The films are of 27 actions. Those of `TARGET` hold five pairs that no single frame
can tell apart, because one is the other backwards (sit down, stand up) or because half of the people walk backwards
(walk left, walk right). The other actions are there to be learnt from first, in the table of transfer.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

from one_run import WORK
from rows import (
    CLAIMS,
    FILM,
    FLOW_BOUND_PX,
    SIDE,
    SOURCE,
    TARGET,
    TEST_VIDEOS,
    TRAIN_VIDEOS,
    TRAJECTORIES,
    Row,
    rows,
)

HERE = Path(__file__).resolve().parent
PAGE = HERE.parent / "docs" / "tables.md"


def film(workers: int) -> None:
    """The two data sets."""
    from muybridge.data.figures import film_dataset

    for name, actions in (("target", TARGET), ("source", SOURCE)):
        print(f"films of {name}: {WORK / 'films' / name}", flush=True)
        film_dataset(
            WORK / "films" / name,
            videos_per_class=(TRAIN_VIDEOS, 0, TEST_VIDEOS),
            size=FILM,
            seed=4,
            actions=actions,
            workers=workers,
        )


def store_flow(workers: int) -> None:
    """The flow of the first data set."""
    from muybridge.data.flow_store import write_store
    from muybridge.flow.storing import Storing

    print(f"flow of target: {WORK / 'flow'}", flush=True)
    storing = Storing(short_side=SIDE, bound=FLOW_BOUND_PX)
    write_store(WORK / "films" / "target", WORK / "flow", storing, method="tvl1", workers=workers)


def store_trajectories(workers: int) -> None:
    """The trajectories of the first data set."""
    from muybridge.data.layouts import read_samples
    from trajectories import find_all

    print(f"trajectories of target: {WORK / 'trajectories'}", flush=True)
    samples = read_samples(WORK / "films" / "target")
    find_all([sample.path for sample in (*samples.train, *samples.test)], WORK / "trajectories", workers)


def do(row: Row, seed: int, lines: list[str]) -> None:
    """One run in a process of its own, unless its result is there."""
    result = WORK / "runs" / f"{row.key}-{seed}.json"
    if result.exists() and (not row.keep or result.with_suffix(".safetensors").exists()):
        return
    started = time.monotonic()
    command = [sys.executable, str(HERE / "one_run.py"), row.key, str(seed)]
    env = {"OMP_NUM_THREADS": "1"} | os.environ
    done = subprocess.run(command, env=env, capture_output=True, text=True, check=False)
    if done.returncode:
        print(done.stderr[-2000:], file=sys.stderr)
        lines.append(f"{row.key}, seed {seed}: failed")
        return
    figures = json.loads(result.read_text())
    print(
        f"{row.key:24} seed {seed}  top-1 {figures['top1']:6.1%}  {time.monotonic() - started:5.0f} s",
        flush=True,
    )


def results() -> dict[str, list[dict[str, Any]]]:
    """What lies there, by row."""
    found: dict[str, list[dict[str, Any]]] = {}
    for row in rows():
        for file in sorted((WORK / "runs").glob(f"{row.key}-[0-9].json")):
            found.setdefault(row.key, []).append(json.loads(file.read_text()))
    return found


def main() -> None:
    """Do what is asked for."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--rows", default="*", help="shell pattern of rows")
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--workers", type=int, default=2, help="runs side by side")
    asked = parser.parse_args()
    known = {row.key: row for row in rows()}
    (WORK / "runs").mkdir(parents=True, exist_ok=True)
    failed: list[str] = []
    chosen = [row for row in known.values() if fnmatchcase(row.key, asked.rows)]
    film(asked.workers)
    if any(row.streams or row.modality != "rgb" for row in chosen):
        store_flow(asked.workers)
    if any(row.key == TRAJECTORIES for row in chosen):
        store_trajectories(asked.workers)
    for waits in (False, True):  # what needs another run's weights comes after it
        with ThreadPoolExecutor(asked.workers) as pool:
            for seed in range(asked.seeds):
                for row in chosen:
                    if bool(row.start or row.streams) == waits:
                        pool.submit(do, row, seed, failed)
    from tables_page import page

    PAGE.write_text(page(list(known.values()), results(), CLAIMS))
    print(f"wrote {PAGE}")
    if failed:
        sys.exit("\n".join(failed))


if __name__ == "__main__":
    main()
