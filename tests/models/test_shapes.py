"""The shapes that signatures promise, checked while every model runs.

In a process of its own: the import hook would otherwise answer bad clips before the models do, and get in the way of
torch.export.
"""

from __future__ import annotations

import subprocess
import sys

SCRIPT = """
from jaxtyping import install_import_hook

with install_import_hook("muybridge.models", "beartype.beartype"):
    import torch
    from muybridge.models import create_model, list_models, model_info

for name in list_models():
    clip = model_info(name).clip
    size = clip.size if name == "c3d" else 64
    model = create_model(name, num_classes=3).eval()
    with torch.inference_mode():
        x = torch.zeros(1, 3, clip.frames, size, size)
        assert model(x).shape == (1, 3)
        assert model.features(x).ndim == 5
print(len(list_models()))
"""


def test_every_model_keeps_to_its_signatures() -> None:
    done = subprocess.run([sys.executable, "-c", SCRIPT], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert int(done.stdout) >= 6
