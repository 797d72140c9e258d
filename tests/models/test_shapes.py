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
    with torch.device("meta"):
        model = create_model(name, num_classes=3).eval()
        x = torch.zeros(1, clip.channels, clip.frames, clip.size, clip.size)
    with torch.inference_mode():
        assert model(x).shape == (1, 3)
        assert model.features(x).ndim == 5
print(len(list_models()))
"""


def test_every_model_keeps_to_its_signatures() -> None:
    done = subprocess.run([sys.executable, "-c", SCRIPT], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert int(done.stdout) >= 6
