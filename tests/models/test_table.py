from __future__ import annotations

import importlib
import subprocess
import sys
from fractions import Fraction

import pytest
import torch
from torch import nn

from muybridge.models import create_model, list_models, model, model_info
from muybridge.models._blocks import Classifier, ClipModel
from muybridge.types import ClipSpec


class Mean(ClipModel):
    dim, time_stride, space_stride = 3, 1, 1

    def __init__(self, num_classes: int, gain: float) -> None:
        super().__init__()
        self.gain = nn.Parameter(torch.tensor(gain))
        self.head = Classifier(self.dim, num_classes, dropout=0.0)

    def features(self, clip):
        self.check(clip)
        return self.gain * clip


@model(clip=ClipSpec(frames=3, fps=Fraction(5)), paper="none", summary="averages pixels")
def mean(*, num_classes: int = 400, gain: float = 1.0) -> Mean:
    return Mean(num_classes, gain)


def bare(*, num_classes: int = 400) -> Mean:
    return Mean(num_classes, 1.0)


@pytest.fixture
def outsider(monkeypatch):
    monkeypatch.setitem(sys.modules, "their_package.nets", sys.modules[__name__])
    monkeypatch.setitem(sys.modules, "their_package", sys.modules[__name__])
    return "their_package.nets"


def test_the_first_models_are_there_in_order():
    expected = ["c3d", "r3d_18", "resnet3d_50", "slowfast_r50_8x8", "tiny3d", "tsn_r50"]
    assert [name for name in list_models() if name in expected] == expected
    assert list_models() == sorted(list_models())


def test_names_are_found_by_pattern():
    assert "slowfast_r50_8x8" in list_models("*slow*")
    assert all("slow" in name for name in list_models("*slow*"))
    assert list_models("m?3_??") == ["mc3_18"]
    assert list_models("R3D*") == []


def test_names_and_facts_come_without_importing_torch():
    code = (
        "import sys; from muybridge.models import list_models, model_info;"
        "assert list_models() and [model_info(n) for n in list_models()];"
        "sys.exit('torch' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


@pytest.mark.parametrize("name", list_models())
def test_facts_read_from_the_source_are_those_of_the_builder(name):
    info = model_info(name)
    module = importlib.import_module(f"muybridge.models.{info.family}")
    assert getattr(module, name).model_info == info
    assert info.name == name
    assert info.paper
    assert len(info.summary) < 100
    assert "\n" not in info.summary


def create_on_meta(name):
    with torch.device("meta"):
        return create_model(name, num_classes=2)


@pytest.mark.parametrize(
    ("name", "hint"),
    [
        ("slowfst_r50", "did you mean slowfast_r50_8x8?"),
        ("c3", "did you mean c3d?"),
        ("zzzzzz", "`muybridge models` lists them"),
        ("", "`muybridge models` lists them"),
    ],
)
def test_an_unknown_name_gets_a_hint(name, hint):
    for ask in (create_model, model_info):
        with pytest.raises(ValueError, match="no model") as error:
            ask(name)
        assert hint in str(error.value)


def test_an_unknown_option_gets_a_hint():
    with pytest.raises(ValueError, match=r"tsn_r50 has no option 'consensu'; did you mean consensus\?"):
        create_model("tsn_r50", consensu="max")
    with pytest.raises(ValueError, match="has no option 'zzz'; it takes: consensus, dropout"):
        create_model("tsn_r50", zzz=1)


@pytest.mark.parametrize(
    ("name", "option", "wanted"),
    [
        ("tiny3d", {"dropout": "0.5"}, "type float, such as 0.2"),
        ("tiny3d", {"width": 8.5}, "type int, such as 16"),
        ("tiny3d", {"width": True}, "type int"),
        ("c3d", {"pool5_padding": "no"}, "type bool, such as True"),
        ("c3d", {"pool5_padding": 0}, "type bool"),
        ("tsn_r50", {"consensus": 1}, "type str, such as 'average'"),
        ("tiny3d", {"dropout": 2.0}, "between 0 and 1"),
    ],
)
def test_an_option_of_the_wrong_kind_is_refused(name, option, wanted):
    with pytest.raises(ValueError, match=wanted):
        create_model(name, **option)


def test_a_whole_number_will_do_for_a_fraction():
    assert create_model("tiny3d", num_classes=2, dropout=0).num_classes == 2


@pytest.mark.parametrize("num_classes", [0, -3])
def test_a_model_has_classes(num_classes):
    with pytest.raises(ValueError, match="at least 1 class"):
        create_model("tiny3d", num_classes=num_classes)


def test_builders_of_others_are_taken_by_their_address(outsider):
    name = f"{outsider}:mean"
    built = create_model(name, num_classes=4, gain=2.0)
    assert built.num_classes == 4
    assert built.gain.item() == 2.0
    assert model_info(name).name == name
    assert model_info(name).clip.fps == 5
    with pytest.raises(ValueError, match="has no option 'gian'; did you mean gain"):
        create_model(name, gian=2.0)


def test_a_builder_without_facts_builds_but_tells_no_clip(outsider):
    assert create_model(f"{outsider}:bare", num_classes=2).num_classes == 2
    with pytest.raises(ValueError, match="does not say how to feed it"):
        model_info(f"{outsider}:bare")


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("no_such_package:net", "cannot import 'no_such_package'"),
        ("muybridge.models.c3d:c4d", "has no 'c4d'"),
        ("muybridge.models.c3d:_STAGES", "not a function"),
        (":net", "no model ':net'"),
        ("muybridge.models.c3d:", "no model"),
    ],
)
def test_a_wrong_address_is_explained(name, message):
    with pytest.raises(ValueError, match=message):
        create_model(name)
