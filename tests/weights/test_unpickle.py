"""The restricted reader: what weight files hold is read, everything else is refused and nothing runs."""

from __future__ import annotations

import collections
import io
import pickle
import resource
import struct
import sys
import time
import types
import zipfile
from contextlib import nullcontext

import numpy as np
import pytest
import torch
from torch import nn

from muybridge.types import WeightsError
from muybridge.weights import unpickle as reader
from muybridge.weights.containers import open_file, read_pickled
from muybridge.weights.unpickle import Placeholder, Stored, module_tensors, unpickle


def read(data: bytes, **options):
    return unpickle(memoryview(bytearray(data)), source="weights.pkl", **options)[0]


def plain(value):
    """The reader's answer as Python's own reader would have given it."""
    if isinstance(value, Stored):
        return value.tensor().numpy()
    if isinstance(value, memoryview):
        return bytes(value)
    if isinstance(value, dict):
        return {key: plain(part) for key, part in value.items()}
    return type(value)(map(plain, value)) if isinstance(value, (list, tuple)) else value


VALUES = {
    "numbers": [0, 1, -1, 255, 256, 65536, -(2**31), 2**40, 10**30, 1.5, float("inf"), True, False, None],
    "text": ["", "a", "é", "long " * 200, "日本"],
    "bytes": [b"", b"\x00\xff", b"x" * 300, bytearray(b"ab")],
    "containers": {"a": (1,), "b": (1, 2, 3, 4), "c": [[], {}, ()], 3: {"x", "y"}, "d": frozenset({1}), (1, "z"): 0},
    "shared": [shared := [1, 2], shared, {"again": shared}],
    "dicts": [collections.OrderedDict(a=1, b=2), collections.defaultdict(list, a=[1])],
}  # fmt: skip


@pytest.mark.parametrize("protocol", range(6))
@pytest.mark.parametrize("name", VALUES)
def test_plain_values_are_what_pythons_own_reader_gives(name, protocol):
    if (name, protocol) == (
        "containers",
        0,
    ):  # protocols 0 and 1 build sets of unsorted lists, which is the same
        pass
    assert plain(read(pickle.dumps(VALUES[name], protocol))) == VALUES[name]


@pytest.mark.parametrize("protocol", range(6))
@pytest.mark.parametrize(
    "array",
    [
        np.arange(24, dtype="f4").reshape(2, 3, 4),
        np.asfortranarray(np.arange(6, dtype="f8").reshape(2, 3)),
        np.arange(3, dtype=">f4"),
        np.arange(100_000, dtype="i8"),
        np.zeros((0, 3), "f2"),
        np.array(7, "u1"),
        np.array([True, False]),
        np.float32(2.5),
    ],
    ids=lambda array: f"{array.dtype}{array.shape}",
)
def test_arrays_are_numpys_own(array, protocol):
    ours = read(pickle.dumps({"x": array}, protocol))["x"].tensor().numpy()
    np.testing.assert_array_equal(ours, array)
    assert ours.dtype == array.dtype.newbyteorder("=")


def test_a_python_2_file_is_read():
    # What Python 2 and numpy 1.8 wrote for {"blobs": {"conv1_w": array([1, 2], float32)}}, instruction by instruction.
    data = (
        b"\x80\x02}U\x05blobs}U\x07conv1_wcnumpy.core.multiarray\n_reconstruct\ncnumpy\nndarray\nK\x00\x85U\x01b\x87R"
        b"(K\x01K\x02\x85cnumpy\ndtype\nU\x02f4K\x00K\x01\x87R(K\x03U\x01<NNNJ\xff\xff\xff\xffJ\xff\xff\xff\xffK\x00tb"
        b"\x89U\x08\x00\x00\x80?\x00\x00\x00@tbss."
    )
    assert pickle.loads(data, encoding="latin1")["blobs"]["conv1_w"].tolist() == [1, 2]
    assert read(data)["blobs"]["conv1_w"].tensor().tolist() == [1, 2]


# Hostile files. Each command makes a file; a control shows that Python's own reader would have let it.


def _touch(marker) -> bytes:
    return f"touch {marker}".encode()


PAYLOADS = {
    "reduce": ("os.system", lambda m: b"cos\nsystem\n(S'" + _touch(m) + b"'\ntR."),
    "stack_global": (
        "os.system",
        lambda m: (
            b"\x80\x04\x8c\x02os\x8c\x06system\x93\x8c" + bytes([len(_touch(m))]) + _touch(m) + b"\x85R."
        ),
    ),
    "inst": ("os.system", lambda m: b"(S'" + _touch(m) + b"'\nios\nsystem\n."),
    "obj": ("os.system", lambda m: b"(cos\nsystem\nS'" + _touch(m) + b"'\no."),
    "popen": (
        "subprocess.Popen",
        lambda m: b"csubprocess\nPopen\n((lS'touch'\naS'" + str(m).encode() + b"'\natR.",
    ),
    "eval": (
        "builtins.eval",
        lambda m: b"cbuiltins\neval\n(S\"open('" + str(m).encode() + b"', 'w').close()\"\ntR.",
    ),
    "python 2 name": (
        "builtins.eval",
        lambda m: b"c__builtin__\neval\n(S\"open('" + str(m).encode() + b"', 'w').close()\"\ntR.",
    ),
    "getattr of an import": (
        "builtins.__import__",
        lambda m: (
            b"c__builtin__\ngetattr\n(c__builtin__\n__import__\n(S'os'\ntRS'system'\ntR(S'"
            + _touch(m)
            + b"'\ntR."
        ),
    ),
    "getattr of a known class": (
        "builtins.getattr",
        lambda m: (
            b"cbuiltins\ngetattr\n(cbuiltins\ngetattr\n(ccollections\nOrderedDict\nS'__reduce__'\ntRS'__globals__'\ntR."
        ),
    ),
    "numpy gadget": ("numpy.load", lambda m: b"cnumpy\nload\n(S'" + str(m).encode() + b"'\ntR."),
    "torch gadget": ("torch.load", lambda m: b"ctorch\nload\n(S'" + str(m).encode() + b"'\ntR."),
    "newobj": ("subprocess.Popen", lambda m: b"\x80\x02csubprocess\nPopen\n(S'touch'\nt\x81."),
    "dotted": (
        "collections.abc.sys.modules",
        lambda m: b"\x80\x04\x8c\x0fcollections.abc\x8c\x0bsys.modules\x93.",
    ),
    "control characters": ("o?[31ms.system", lambda m: b"co\x1b[31ms\nsystem\n."),
}
LIVE = ("reduce", "stack_global", "inst", "obj", "popen", "eval", "python 2 name", "getattr of an import")


@pytest.fixture
def marker(tmp_path):
    return tmp_path / "it-ran"


def wait_for(path) -> bool:
    for _ in range(100):
        if path.exists():
            return True
        time.sleep(0.02)
    return False


@pytest.mark.parametrize("name", LIVE)
def test_the_hostile_files_would_have_worked(name, marker):
    with pytest.warns(ResourceWarning) if name == "popen" else nullcontext():
        pickle.loads(PAYLOADS[name][1](marker), encoding="latin1")
        assert wait_for(marker)


@pytest.mark.parametrize("packing", ["pickle", "torch zip", "torch legacy"])
@pytest.mark.parametrize("name", PAYLOADS)
def test_a_hostile_file_is_refused_with_what_it_wanted_and_nothing_runs(name, packing, marker, tmp_path):
    wanted, payload = PAYLOADS[name]
    path = tmp_path / "weights.pkl"
    path.write_bytes(PACKINGS[packing](b"\x80\x02" + payload(marker)))
    with pytest.raises(WeightsError, match=r"refused: it wants ") as refused:
        open_file(path)
    assert f"it wants {wanted}, and" in str(refused.value)
    assert "\n" not in str(refused.value)
    assert not marker.exists()


def _zip_of(payload: bytes) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr("archive/data.pkl", payload)
    return buffer.getvalue()


def _legacy_of(payload: bytes) -> bytes:
    head = [pickle.dumps(part, 2) for part in (0x1950A86A20F9469CFC6C, 1001, {"little_endian": True})]
    return b"".join([*head, payload, pickle.dumps([], 2)])


PACKINGS = {"pickle": bytes, "torch zip": _zip_of, "torch legacy": _legacy_of}


def _shaped(size: int) -> bytes:
    """An array of six numbers that claims to have `size` rows."""
    return pickle.dumps(np.zeros((3, 2), "f4"), 2).replace(
        b"K\x03K\x02\x86", b"J" + struct.pack("<i", size) + b"K\x02\x86"
    )


@pytest.mark.parametrize(
    ("what", "data"),
    [
        ("objects in an array", pickle.dumps(np.array([{}], dtype=object), 2)),
        ("an array of text", pickle.dumps(np.array(["a"]), 2)),
        ("an array with fields", pickle.dumps(np.zeros(2, [("a", "f4")]), 2)),
        ("an array of dates", pickle.dumps(np.zeros(2, "M8[s]"), 2)),
        ("a matrix", pickle.dumps(np.zeros(2), 2).replace(b"cnumpy\nndarray", b"ccollections\nOrderedDict")),
        ("a negative shape", _shaped(-1)),
        ("a huge shape", _shaped(2**31 - 1)),
        ("a call of a list", b"\x80\x02]NR."),
        ("a call of text", b"\x80\x02U\x02os)R."),
        ("attributes of a name", b"\x80\x02ccollections\nOrderedDict\n}U\x01xK\x01sb."),
        ("attributes of a list", b"\x80\x02]}U\x01xK\x01sb."),
        ("an extension's number", b"\x80\x02\x82\x01."),
        ("nothing on the stack", b"\x80\x02R."),
        ("a memo that was not written", b"\x80\x02h\x07."),
        ("no end", b"\x80\x02]"),
        ("a storage without a file", b"\x80\x02(U\x07storageK\x00tQ."),
        ("a name that is no text", b"\x80\x04K\x01K\x02\x93."),
        ("keywords", b"\x80\x04ccollections\nOrderedDict\n)}U\x01xK\x01s\x92."),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)  # fmt: skip
def test_nonsense_is_one_line(what, data):
    with pytest.raises(
        WeightsError, match=r"^weights\.pkl: (a damaged or dishonest file|refused): "
    ) as refused:
        read(data)
    assert "\n" not in str(refused.value)


def test_objects_in_an_array_are_called_that():
    with pytest.raises(WeightsError, match="an array of Python objects"):
        read(pickle.dumps(np.array([{}], dtype=object), 2))


LAUGHS = b")" + b"2\x86" * 60
BOMBS = {
    "a billion laughs as a key": b"\x80\x02}" + LAUGHS + b"Ns.",
    "a billion laughs in a set": b"\x80\x04\x8f(" + LAUGHS + b"\x90.",
    "nested tuples as a key": b"\x80\x02}" + b")" + b"\x85" * 500_000 + b"Ns.",
    "a string of 8 EiB": b"\x80\x04\x8d\xff\xff\xff\xff\xff\xff\xff\x7f.",
    "bytes of 4 GiB": b"\x80\x03B\xff\xff\xff\xff.",
    "a Python 2 string of -1 bytes": b"\x80\x02T\xff\xff\xff\xff.",
    "a number of 2 GiB": b"\x80\x02\x8b\xff\xff\xff\x7f.",
    "a number of a million digits": b"I" + b"9" * 1_000_000 + b"\n.",
    "a long name": b"\x80\x04X" + struct.pack("<I", 100_000) + b"a" * 100_000 + b"\x94\x8c\x01b\x93.",
    "one text copied ten thousand times": (
        b"\x80\x02]c_codecs\nencode\nq\x00X" + struct.pack("<I", 100_000) + b"a" * 100_000 + b"q\x01\x85q\x0200"
        b"(" + b"h\x00h\x02R" * 10_000 + b"e."
    ),
    "a loop without end": b"\x80\x02" + b"N0" * 2_000_000 + b".",
}  # fmt: skip


@pytest.mark.parametrize("name", BOMBS)
def test_a_bomb_is_refused_in_no_time_and_little_memory(name):
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    start = time.perf_counter()
    with pytest.raises(WeightsError, match="a damaged or dishonest file"):
        read(BOMBS[name])
    assert time.perf_counter() - start < 10
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 300_000  # kB


def test_harmless_exaggerations_cost_nothing():
    assert read(b"\x80\x02Nr\xff\xff\xff\xff.") is None  # memo number 4294967295
    laughs = read(b"\x80\x02" + LAUGHS + b".")  # 2**60 leaves, 61 objects
    assert isinstance(laughs, tuple)
    nested = read(b"]" * 300_000 + b"a" * 299_999 + b".")
    assert len(nested) == 1


def test_too_many_instructions_are_refused(monkeypatch):
    monkeypatch.setattr(reader, "_MOST_STEPS", 100)
    with pytest.raises(WeightsError, match="more than 100 instructions"):
        read(b"\x80\x02" + b"N0" * 60 + b"N.")


# Modules of a project that isn't there


class Block(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv2d(2, 3, 1)
        self.norm = nn.BatchNorm2d(3)
        self.register_buffer("grid", torch.ones(2), persistent=False)
        self.act = nn.SiLU()


@pytest.fixture
def pickled_model(tmp_path, monkeypatch):
    """A whole model, saved as its project saves it, whose module is then gone."""
    module = types.ModuleType("models.yolo")
    Model = type("Model", (nn.Sequential,), {"__module__": "models.yolo"})  # noqa: N806
    block = type("Block", (Block,), {"__module__": "models.yolo"})
    module.Model, module.Block = Model, block
    model = Model(block(), nn.Sequential(block(), nn.Linear(3, 2))).half()
    model.names = ["walk", "fall"]
    path = tmp_path / "yolo.pt"
    with monkeypatch.context() as patch:
        patch.setitem(sys.modules, "models", types.ModuleType("models"))
        patch.setitem(sys.modules, "models.yolo", module)
        torch.save({"epoch": 3, "model": model}, path)
    return path, model


def test_a_pickled_module_is_refused_by_name(pickled_model):
    with pytest.raises(WeightsError, match=r"it wants models\.yolo\.Model, and"):
        open_file(pickled_model[0])


def test_an_allowed_module_gives_its_tensors_without_being_imported(pickled_model):
    path, model = pickled_model
    allow = {"models.yolo.*": Placeholder, "torch.nn.modules.*": Placeholder}
    top = read_pickled(path, "torch zip", allow=allow)
    tensors = module_tensors(top["model"])
    assert list(tensors) == list(model.state_dict())
    for key, value in model.state_dict().items():
        assert torch.equal(tensors[key].tensor(), value)
    assert top["model"].name == "models.yolo.Model"
    assert top["model"].state["names"] == ["walk", "fall"]
    assert "models.yolo" not in sys.modules


def test_an_allowed_name_is_still_not_called(marker):
    made = read(PAYLOADS["reduce"][1](marker), allow={"os.*": Placeholder})
    assert isinstance(made, Placeholder)
    assert (made.name, made.args) == ("os.system", (f"touch {marker}",))
    assert not marker.exists()


def test_modules_that_hold_themselves_are_refused():
    module = Placeholder("torch.nn.Module", ())
    module.state = {"_parameters": {}, "_buffers": {}, "_modules": {"again": module}}
    with pytest.raises(ValueError, match="nested beyond reason"):
        module_tensors(module)


@pytest.mark.parametrize(
    ("wants", "advice"),
    [(b"posix\nsystem", "better delete it"), (b"models.yolo\nModel", "if you trust the file")],
)
def test_a_function_of_python_is_no_model_to_be_opened_elsewhere(wants, advice, tmp_path):
    path = tmp_path / "weights.pkl"
    path.write_bytes(b"\x80\x02c" + wants + b"\n.")
    with pytest.raises(WeightsError, match=advice):
        open_file(path)
