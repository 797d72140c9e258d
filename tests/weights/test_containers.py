"""One small file of every kind that weights are published in, and of every kind that isn't one."""

from __future__ import annotations

import argparse
import gzip
import io
import os
import pickle
import random
import struct
import tarfile
import zipfile
from collections import OrderedDict
from contextlib import suppress
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import save_file
from torch import nn

from muybridge.types import WeightsError
from muybridge.weights.containers import open_file

STATE = OrderedDict(
    {
        "conv.weight": torch.randn(4, 3, 2, 2, 2),
        "conv.bias": torch.randn(4).half(),
        "norm.running_mean": torch.randn(4).double(),
        "norm.num_batches_tracked": torch.tensor(7),
        "mask": torch.tensor([True, False]),
        "brain": torch.randn(3).bfloat16(),
        "none": torch.zeros(0, 2),
    }
)


def assert_state(opened, expected=STATE):
    assert list(opened.state) == list(expected)
    for key, tensor in expected.items():
        assert opened.state[key].dtype == tensor.dtype
        assert torch.equal(opened.state[key], tensor)
        assert not opened.state[key].requires_grad


def save(path: Path, value, legacy: bool = False) -> Path:
    torch.save(value, path, _use_new_zipfile_serialization=not legacy)
    return path


def lies_in(tensor: torch.Tensor, path: Path) -> bool:
    """Whether a tensor's numbers are the mapped file's own bytes."""
    for line in Path("/proc/self/maps").read_text().splitlines():
        start, end = (int(part, 16) for part in line.split()[0].split("-"))
        if start <= tensor.data_ptr() < end:
            return line.endswith(str(path))
    return False


@pytest.mark.parametrize("legacy", [False, True])
@pytest.mark.parametrize("suffix", [".pth", ".pickle", ".pyth", ""])
def test_a_torch_file_of_any_name(suffix, legacy, tmp_path):
    opened = open_file(save(tmp_path / f"weights{suffix}", STATE, legacy))
    assert_state(opened)
    assert opened.kind == ("torch legacy" if legacy else "torch zip")
    assert opened.facts == {}


@pytest.mark.parametrize("legacy", [False, True])
def test_torchs_own_reader_gives_the_same(legacy, tmp_path):
    base = torch.randn(4, 6)
    state = {
        "base": base,
        "transposed": base.t(),
        "row": base[2],
        "strided": base[::2, 1::3],
        "repeated": torch.ones(1).expand(3),
        "parameter": nn.Parameter(torch.randn(2)),
        "with attributes": nn.Parameter(torch.randn(2)),
    } | {
        str(d): torch.ones(3).to(d) for d in (torch.int8, torch.uint8, torch.int16, torch.int32, torch.int64)
    }
    state["with attributes"].mark = "x"
    path = save(tmp_path / "weights.pth", state, legacy)
    opened, theirs = open_file(path), torch.load(path, weights_only=True)
    assert list(opened.state) == list(theirs)
    for key, tensor in theirs.items():
        assert torch.equal(opened.state[key], tensor)
        assert opened.state[key].dtype == tensor.dtype


def test_a_module_whose_storages_are_shared_and_cut(tmp_path):
    lstm = nn.LSTM(3, 4, bidirectional=True)
    flat = torch.randn(20)
    state = lstm.state_dict() | {"a": flat[:5], "b": flat[5:]}
    for legacy in (False, True):
        assert_state(open_file(save(tmp_path / "weights.pth", state, legacy)), state)


def test_safetensors(tmp_path):
    path = tmp_path / "weights.safetensors"
    save_file(dict(STATE), path, metadata={"format": "pt"})
    opened = open_file(path)
    assert_state(opened, dict(sorted(STATE.items(), key=lambda item: list(opened.state).index(item[0]))))
    assert (opened.kind, opened.facts) == ("safetensors", {"format": "pt"})


BLOBS = {
    "conv1_w": np.random.default_rng(0).random((8, 3, 1, 7, 7), np.float32),
    "conv1_w_momentum": np.zeros((8, 3, 1, 7, 7), np.float32),
    "res_conv1_bn_riv": np.arange(8, dtype=np.float32),
    "pred_w": np.ones((4, 8), np.float32),
    "lr": np.array([0.1], np.float32),
    "model_iter": np.array([5], np.int64),
}


def test_a_caffe2_file_comes_in_pyslowfasts_names(tmp_path):
    path = tmp_path / "SLOWFAST_8x8_R50.pkl"
    path.write_bytes(pickle.dumps({"blobs": BLOBS}, 2))
    opened = open_file(path)
    expected = {
        "s1.pathway0_stem.conv.weight": torch.from_numpy(BLOBS["conv1_w"]),
        "s1.pathway0_stem.bn.running_var": torch.arange(8.0),
        "head.projection.weight": torch.ones(4, 8),
    }
    assert_state(opened, expected)
    assert opened.kind == "caffe2"
    assert opened.facts == {"left out": "conv1_w_momentum, lr, model_iter"}


@pytest.mark.parametrize("protocol", [0, 2, 4])
def test_a_pickle_of_arrays(protocol, tmp_path):
    path = tmp_path / "weights.pkl"
    path.write_bytes(pickle.dumps({"a.weight": np.arange(4, dtype="f4")}, protocol))
    assert_state(open_file(path), {"a.weight": torch.arange(4.0)})


WRAPPED = {
    "PySlowFast": (
        {
            "epoch": 3,
            "model_state": STATE,
            "optimizer_state": {"state": {0: {"m": torch.ones(9)}}},
            "cfg": "A: 1\nB: 2\n",
        },
        {"epoch": "3", "cfg": "A: 1\nB: 2\n", "inside": "model_state"},
    ),
    "Hara": (
        {
            "arch": "resnet-50",
            "epoch": 200,
            "state_dict": {f"module.{k}": v for k, v in STATE.items()},
            "optimizer": {},
        },
        {"arch": "resnet-50", "epoch": "200", "inside": "state_dict", "stripped": "module."},
    ),
    "Lightning": (
        {
            "state_dict": {f"model._orig_mod.{k}": v for k, v in STATE.items()},
            "hyper_parameters": {"args": argparse.Namespace(lr=1)},
            "pytorch-lightning_version": "2.6.0",
            "optimizer_states": [{"state": {0: {"exp_avg": torch.ones(5)}}}],
        },
        {"pytorch-lightning_version": "2.6.0", "inside": "state_dict", "stripped": "model._orig_mod."},
    ),
    "MMAction2": (
        {"meta": {"epoch": 5, "config": "a = 1\n" * 100, "time": np.float64(1.5)}, "state_dict": STATE},
        {"meta.epoch": "5", "meta.config": "a = 1\n" * 100, "inside": "state_dict"},
    ),
    "twice wrapped": ({"model": {"state_dict": STATE}, "best": torch.ones(1)}, {"inside": "model.state_dict"}),
    "an unusual wrapper": (
        {"encoder": STATE, "optim": {"a": torch.ones(1)}, "best": torch.ones(1)},
        {"inside": "encoder"},
    ),
    "leaves that are no tensors": ({**STATE, "name": "x", "_extra_state": None}, {"name": "x"}),
    "a prefix that not all have": (
        {"model.a.weight": torch.ones(1), "head.weight": torch.ones(1)},
        {},
    ),
}  # fmt: skip


@pytest.mark.parametrize("legacy", [False, True])
@pytest.mark.parametrize("name", WRAPPED)
def test_the_state_dict_is_found_in_its_wrapper(name, legacy, tmp_path):
    value, facts = WRAPPED[name]
    opened = open_file(save(tmp_path / "weights.pth", value, legacy))
    expected = value if name == "a prefix that not all have" else STATE
    assert_state(opened, expected)
    assert opened.facts == facts


@pytest.mark.skipif(not Path("/proc/self/maps").exists(), reason="asks Linux where memory comes from")
@pytest.mark.parametrize("kind", ["torch zip", "safetensors"])
def test_weights_stay_in_the_file_and_writing_them_leaves_it_alone(kind, tmp_path):
    path = tmp_path / "weights"
    if kind == "safetensors":
        save_file({"a.weight": STATE["conv.weight"]}, path)
    else:
        save(path, {"a.weight": STATE["conv.weight"]})
    before = path.read_bytes()
    tensor = open_file(path).state["a.weight"]
    assert lies_in(tensor, path)
    tensor += 1
    assert torch.equal(tensor, STATE["conv.weight"] + 1)
    assert path.read_bytes() == before


@pytest.mark.skipif(not Path("/proc/self/statm").exists(), reason="asks Linux how much memory is used")
@pytest.mark.parametrize("legacy", [False, True])
def test_what_is_not_needed_is_not_loaded(legacy, tmp_path):
    big = {
        "optimizer_state": {"state": {0: {"m": torch.zeros(50_000_000)}}},
        "model_state": {"a": torch.ones(3)},
    }
    path = save(tmp_path / "weights.pyth", big, legacy)
    del big
    before = int(Path("/proc/self/statm").read_text().split()[1])
    opened = open_file(path)
    grown = (int(Path("/proc/self/statm").read_text().split()[1]) - before) * os.sysconf("SC_PAGESIZE")
    assert_state(opened, {"a": torch.ones(3)})
    assert grown < 20_000_000  # of 200 MB


# TensorFlow


@pytest.mark.parametrize("given", ["", ".index", ".data-00000-of-00001", ".meta", "folder"])
def test_a_tensorflow_checkpoint_by_any_of_its_names(given, tmp_path):
    # One float32 variable "w" of shape (2, 3) in a table of one block; see test_tensorflow for its bytes.
    table = bytes.fromhex("00000608011a02080100011377080112081202080212020803281835040302010000000001000000")
    root = bytes.fromhex("0001027800") + bytes([len(table)]) + bytes.fromhex("0000000001000000")
    data = table + _checksum(table) + root + _checksum(root)
    footer = bytes([0, 0, len(table) + 5, len(root)]).ljust(40, b"\0") + bytes.fromhex("57fb808b247547db")
    prefix = tmp_path / "model.ckpt"
    Path(f"{prefix}.index").write_bytes(data + footer)
    Path(f"{prefix}.meta").write_bytes(b"\0")
    with pytest.raises(WeightsError, match=r"put model\.ckpt\.data-00000-of-00001 beside model\.ckpt\.index"):
        open_file(prefix)
    Path(f"{prefix}.data-00000-of-00001").write_bytes(struct.pack("<6f", *range(6)))
    opened = open_file(tmp_path if given == "folder" else f"{prefix}{given}")
    assert_state(opened, {"w": torch.arange(6.0).reshape(2, 3)})
    assert (opened.kind, opened.facts) == ("tensorflow", {})


def _checksum(block: bytes) -> bytes:
    crc = 0xFFFFFFFF
    for byte in block + b"\0":
        crc ^= byte
        for _ in range(8):
            crc = crc >> 1 ^ (0x82F63B78 if crc & 1 else 0)
    crc ^= 0xFFFFFFFF
    return b"\0" + struct.pack("<I", ((crc >> 15 | crc << 17) + 0xA282EAD8) & 0xFFFFFFFF)


# What is no weight file


def zip_of(**members: bytes) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return buffer.getvalue()


def tar_of(name: str) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as archive:
        archive.addfile(tarfile.TarInfo(name))
    return buffer.getvalue()


ALIENS = {
    "nothing": (b"", r"empty \(0 bytes\); download it again"),
    "a web page": (b"<!DOCTYPE html>\n<html><title>Quota exceeded</title>", r"a web page, .*'<!DOCTYPE html> <html>"),
    "an error in XML": (b"<?xml version='1.0'?><Error><Code>AccessDenied</Code>", "a web page"),
    "an error in JSON": (b'{"message": "not found"}', "a text file, not weights: it begins with"),
    "long text": ("é".encode() * 5000, "a text file"),
    "a Git LFS pointer": (b"version https://git-lfs.github.com/spec/v1\noid sha256:ab\nsize 3\n", "run `git lfs pull`"),
    "an mp4": (b"\0\0\0\x20ftypisom\0\0\2\0" + bytes(100), "a video, not weights"),
    "an avi": (b"RIFF\0\0\0\0AVI LIST" + bytes(100), "a video, not weights"),
    "a webm": (b"\x1a\x45\xdf\xa3" + bytes(100), "a video, not weights"),
    "gzip": (gzip.compress(b"x"), "unpack it with `gunzip`"),
    "tar": (tar_of("weights.pth"), "unpack it with `tar xf`"),
    "HDF5": (b"\x89HDF\r\n\x1a\n" + bytes(100), "a Keras"),
    "another zip": (zip_of(**{"weights.pth": b"x"}), r"a zip archive of weights\.pth; unpack it"),
    "numbers": (bytes(range(128, 256)) * 3, "not a kind of weight file that is known"),
    "TensorFlow's first format": (bytes(60) + bytes.fromhex("57fb808b247547db"), "TensorFlow checkpoint of the old"),
    "a pickle of no tensors": (pickle.dumps({"epoch": 1, "arch": "r3d"}, 2), "no tensors inside, only epoch, arch"),
    "a pickle of nothing": (pickle.dumps({}, 2), "no tensors inside; wanted"),
    "a pickle of a number": (pickle.dumps(3, 2), "no tensors inside"),
    "a data.pkl alone": (b"\x80\x02U\x07storageQ.", r"a data\.pkl taken out of its \.pth file"),
    "a zip that was packed again": (
        zip_of(**{"a/data.pkl": b"\x80\x02ctorch\nFloatStorage\nq\x000(U\x07storageh\x00U\x010U\x03cpuK\x01tQ."}),
        "its record 'a/data/0' is missing or compressed",
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", ALIENS)
def test_what_is_no_weight_file_is_said_in_one_line(name, tmp_path):
    content, text = ALIENS[name]
    path = tmp_path / "weights.pth"
    path.write_bytes(content)
    with pytest.raises(WeightsError, match=text) as refused:
        open_file(path)
    assert str(refused.value).startswith(f"{path}: ")
    assert "\n" not in str(refused.value)
    assert len(str(refused.value)) < 400 + len(str(path))


def test_no_file_a_folder_a_pipe(tmp_path):
    with pytest.raises(WeightsError, match=r"no such file; wanted: a \.pth"):
        open_file(tmp_path / "nowhere.pth")
    with pytest.raises(WeightsError, match=r"a folder; wanted: a \.pth"):
        open_file(tmp_path)
    save(tmp_path / "b.pth", STATE)
    with pytest.raises(WeightsError, match=r"a folder; give one of its files: b\.pth"):
        open_file(tmp_path)
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(WeightsError, match="not a file"):
        open_file(tmp_path / "pipe")


def test_a_file_that_may_not_be_read(tmp_path, monkeypatch):
    path = save(tmp_path / "weights.pth", STATE)

    def refuse(*_, **__):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path, "open", refuse)
    with pytest.raises(WeightsError, match=r"weights\.pth: can't be read \(Permission denied\)"):
        open_file(path)


@pytest.mark.filterwarnings("ignore:.*deprecated")
def test_a_torchscript_program_is_refused(tmp_path):
    path = tmp_path / "model.pt"
    torch.jit.trace(nn.Linear(2, 2), torch.ones(1, 2)).save(path)
    with pytest.raises(WeightsError, match="a TorchScript archive, which is a program"):
        open_file(path)


def test_a_sparse_tensor_is_refused_by_name(tmp_path):
    path = save(tmp_path / "weights.pth", {"a": torch.eye(2).to_sparse()})
    with pytest.raises(WeightsError, match=r"it wants torch\.(_utils|serialization)\."):
        open_file(path)


# Files that lie


@pytest.mark.parametrize("legacy", [False, True])
@pytest.mark.parametrize(
    ("what", "old", "new"),
    [
        ("a storage of 2**62 numbers", b"K\x18", b"\x8a\x08" + (2**62).to_bytes(8, "little")),
        ("a shape of 2**31 rows", b"K\x02K\x03K\x04\x87", b"J\xff\xff\xff\x7fK\x03K\x04\x87"),
        ("a negative shape", b"K\x02K\x03K\x04\x87", b"J\xfe\xff\xff\xffK\x03K\x04\x87"),
        ("strides out of the storage", b"K\x0cK\x04K\x01\x87", b"K\x7fK\x04K\x01\x87"),
        ("negative strides", b"K\x0cK\x04K\x01\x87", b"J\xff\xff\xff\xffK\x04K\x01\x87"),
    ],
)
def test_a_torch_file_that_claims_more_than_it_has(what, old, new, legacy, tmp_path):
    path = save(tmp_path / "weights.pth", {"a.weight": torch.randn(2, 3, 4)}, legacy)
    data = path.read_bytes()
    if legacy:
        assert data.count(old) == 1
        path.write_bytes(data.replace(old, new))
    else:
        with zipfile.ZipFile(path) as archive:
            members = {info.filename: archive.read(info) for info in archive.infolist()}
        main = next(name for name in members if name.endswith("data.pkl"))
        assert members[main].count(old) == 1
        members[main] = members[main].replace(old, new)
        path.write_bytes(zip_of(**members))
    with pytest.raises(WeightsError, match="a damaged or dishonest file|broken off or damaged"):
        open_file(path)


def test_a_repeated_number_can_not_claim_the_memory(tmp_path):
    path = save(tmp_path / "weights.pth", {"a": torch.ones(1).expand(1 << 40)})
    with pytest.raises(WeightsError, match="more than there is"):
        open_file(path)


@pytest.mark.parametrize(
    "header",
    [
        '{"a":{"dtype":"F32","shape":[1099511627776],"data_offsets":[0,4398046511104]}}',
        '{"a":{"dtype":"F32","shape":[4],"data_offsets":[0,4]}}',
        '{"a":{"dtype":"F32","shape":[1],"data_offsets":[4,0]}}',
        '{"a":',
    ],
)
def test_a_safetensors_header_that_lies(header, tmp_path):
    path = tmp_path / "weights.safetensors"
    path.write_bytes(struct.pack("<Q", len(header)) + header.encode() + bytes(16))
    with pytest.raises(WeightsError, match="a damaged safetensors file") as refused:
        open_file(path)
    assert "\n" not in str(refused.value)


def _kinds(folder: Path) -> dict[str, bytes]:
    small = {"state_dict": {"a.weight": torch.randn(2, 3), "a.bias": torch.randn(2)}, "epoch": 1}
    save_file({"a": torch.randn(2)}, folder / "s")
    return {
        "torch zip": save(folder / "z", small).read_bytes(),
        "torch legacy": save(folder / "l", small, legacy=True).read_bytes(),
        "pickle": pickle.dumps({"blobs": {"conv1_w": np.ones((1, 2), "f4")}}, 2),
        "safetensors": (folder / "s").read_bytes(),
    }


@pytest.mark.parametrize("kind", ["torch zip", "torch legacy", "pickle", "safetensors"])
def test_a_file_broken_off_anywhere_is_one_line(kind, tmp_path):
    content, path = _kinds(tmp_path)[kind], tmp_path / "weights.pth"
    for size in range(0, len(content), 1 if len(content) < 1500 else 7):
        path.write_bytes(content[:size])
        with pytest.raises(WeightsError) as refused:
            open_file(path)
        assert "\n" not in str(refused.value)


@pytest.mark.parametrize("kind", ["torch zip", "torch legacy", "pickle", "safetensors"])
def test_a_file_damaged_anywhere_never_raises_anything_else(kind, tmp_path):
    content, path = _kinds(tmp_path)[kind], tmp_path / "weights.pth"
    draw = random.Random(0)
    for _ in range(400):
        damaged = bytearray(content)
        for _ in range(draw.choice([1, 1, 2, 8])):
            damaged[draw.randrange(len(damaged))] = draw.choice([0, 1, 0x7F, 0x80, 0xFF, draw.randrange(256)])
        path.write_bytes(damaged)
        with suppress(WeightsError):
            for tensor in open_file(path).state.values():
                assert tensor.numel() < 10_000
                tensor.clone()
