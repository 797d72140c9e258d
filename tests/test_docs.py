"""The generated list of models and weights says what the sources say."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from muybridge.models import list_models, model_info, outline
from muybridge.models.cost import count_gflops, count_parameters
from muybridge.published import list_weights

PAGE = (Path(__file__).parents[1] / "docs" / "models.md").read_text(encoding="utf-8")
LINES = [line for line in PAGE.partition("## Published")[0].splitlines() if line.startswith("| ")]
ROWS = {
    cells[1].strip("`"): cells
    for cells in ([c.strip() for c in line.strip("|").split("|")] for line in LINES)
}


def test_every_model_has_its_row() -> None:
    assert sorted(name for name in ROWS if name in list_models()) == list_models(), "type: make docs"


@pytest.mark.parametrize("name", list_models())
def test_a_row_tells_what_the_model_is(name: str) -> None:
    info = model_info(name)
    if info.family == "hf":
        pytest.importorskip("transformers", reason="needs the extra hf")
    family, _, clip, millions, gflops, what, paper, _ = ROWS[name]
    assert (family, what, paper) == (info.family, info.summary, info.paper), "type: make docs"
    assert clip == f"{info.clip.frames}x{info.clip.size}x{info.clip.size}"
    model = outline(name)
    assert float(millions) == pytest.approx(count_parameters(model) / 1e6, abs=0.006)
    if name in ("x3d_s", "slowfast_r50_4x16", "c3d", "i3d_rgb"):
        assert float(gflops) == pytest.approx(count_gflops(model, info.clip), abs=0.006)


def test_every_published_file_has_its_row() -> None:
    listed = re.findall(r"^\| `([^`]+)` \| `", PAGE.partition("## Published")[2], flags=re.MULTILINE)
    assert listed == [weights.name for weights in list_weights()], "type: make docs"
