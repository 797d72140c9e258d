"""From a name to the first output, and from a weight file to the first output: seconds and memory, model by model.

    python benchmarks/opening.py                     # one model of each family
    python benchmarks/opening.py 'slowfast*' x3d_l   # these

Each figure comes from a process of its own, with one thread; memory is the highest resident set above that of a process
that has imported everything and done nothing; `to output` is one view of the model's own clip, whose activations come
on top of the weights. An opened file is mapped, not read: its numbers arrive with the first output, and a peak above
the fresh model's by the size of the weights would mean that they are held twice.
"""

from __future__ import annotations

import argparse
import json
import resource
import subprocess
import sys
import tempfile
import time
from fnmatch import fnmatchcase
from pathlib import Path

HEAD = (
    "model",
    "weights MB",
    "create s",
    "to output s",
    "peak MB",
    "open s",
    "to output s",
    "opened MB",
    "peak MB",
)


def peak_mb() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def measure(name: str, file: str) -> dict[str, float]:
    """In a fresh process: create (or open) a model and give it one view."""
    import torch

    from muybridge.checkpoints import open_checkpoint
    from muybridge.models import create_model, model_info

    torch.set_num_threads(1)
    spec = model_info(name).clip
    (torch.ones(64, 64) @ torch.ones(64, 64)).sum()
    torch.nn.functional.conv3d(torch.ones(1, 1, 4, 8, 8), torch.ones(1, 1, 3, 3, 3))
    before, started = peak_mb(), time.perf_counter()
    model = open_checkpoint(file).model if file else create_model(name).eval()
    built_s, built_mb = time.perf_counter() - started, peak_mb() - before
    weights_mb = sum(tensor.nbytes for tensor in model.state_dict().values()) / 2**20
    clip = torch.zeros(1, model.channels, spec.frames, spec.size, spec.size)
    with torch.inference_mode():
        model(clip)
    return {
        "built_s": built_s,
        "built_mb": built_mb,
        "weights_mb": weights_mb,
        "output_s": time.perf_counter() - started,
        "peak_mb": peak_mb() - before,
    }


def in_a_process(name: str, file: str = "") -> dict[str, float]:
    call = [sys.executable, __file__, "--child", name, file]
    done = subprocess.run(call, capture_output=True, text=True, check=True)
    return json.loads(done.stdout.splitlines()[-1])  # type: ignore[no-any-return]


def write_file(name: str, path: Path) -> None:
    """The model as a file of ours; written in a process of its own."""
    code = (
        "import sys; from muybridge.models import create_model, model_info; "
        "from muybridge.model_file import save_model; n = sys.argv[1]; "
        "save_model(sys.argv[2], create_model(n), name=n, options={}, labels=[str(i) for i in range(400)], "
        "clip=model_info(n).clip, facts={})"
    )
    subprocess.run([sys.executable, "-c", code, name, str(path)], check=True)


def main() -> None:
    from muybridge.models import list_models, model_info

    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("patterns", nargs="*")
    arguments = parser.parse_args()
    names = [n for n in list_models() if any(fnmatchcase(n, p) for p in arguments.patterns)]
    if not arguments.patterns:
        names = list({model_info(name).family: name for name in reversed(list_models())}.values())
    print("| " + " | ".join(HEAD) + " |\n|" + "---|" * len(HEAD))
    with tempfile.TemporaryDirectory() as folder:
        for name in sorted(names):
            file = Path(folder) / "model.safetensors"
            write_file(name, file)
            fresh, opened = in_a_process(name), in_a_process(name, str(file))
            figures = (
                f"{fresh['weights_mb']:.0f}",
                f"{fresh['built_s']:.2f}",
                f"{fresh['output_s']:.2f}",
                f"{fresh['peak_mb']:.0f}",
                f"{opened['built_s']:.2f}",
                f"{opened['output_s']:.2f}",
                f"{opened['built_mb']:.0f}",
                f"{opened['peak_mb']:.0f}",
            )
            print(f"| {name} | " + " | ".join(figures) + " |", flush=True)


if __name__ == "__main__":
    if sys.argv[1:2] == ["--child"]:
        print(json.dumps(measure(sys.argv[2], sys.argv[3])))
    else:
        main()
