"""Inversions as files: what is saved comes back bit by bit, and every defect has its sentence."""

from __future__ import annotations

import dataclasses
import json
import os

import pytest
import torch
from appearance_transfer.inversion import storage
from appearance_transfer.inversion.schedule import Schedule
from appearance_transfer.inversion.types import Inversion
from appearance_transfer.storage import tensor_file
from safetensors.torch import load_file, save_file


def make(method="ddpm", dtype=torch.float32) -> Inversion:
    generator = torch.Generator().manual_seed(0)
    trajectory = torch.randn(3, 2, 4, 6, 5, generator=generator).to(dtype)
    noise_maps = torch.randn(2, 2, 4, 6, 5, generator=generator).to(dtype)
    return Inversion(
        trajectory=trajectory,
        noise_maps=noise_maps if method == "ddpm" else torch.empty(0, dtype=dtype),
        schedule=Schedule((14.614641, 1 / 3, 0.0), finest=0.0291671),
        eta=1.0 if method == "ddpm" else 0.0,
        guidance=3.5,
        seed=2**63 + 5,
        method=method,
        fingerprint={"architecture": "sd15", "weights": "abc"},
        conditioning={
            "positive": torch.randn(1, 7, 8, generator=generator).expand(2, -1, -1),
            "negative": torch.randn(1, 7, 8, generator=generator),
        },
        prompts=("a cat", "a dog"),
    )


@pytest.fixture
def path(tmp_path):
    return tmp_path / "cat.safetensors"


def assert_same(a: Inversion, b: Inversion) -> None:
    for name in ("trajectory", "noise_maps"):
        assert getattr(a, name).dtype == getattr(b, name).dtype
        assert torch.equal(getattr(a, name), getattr(b, name))
    assert a.conditioning.keys() == b.conditioning.keys()
    for key, entry in a.conditioning.items():
        assert_same_entry(entry, b.conditioning[key])
    for name in ("schedule", "eta", "guidance", "seed", "method", "fingerprint", "prompts"):
        assert getattr(a, name) == getattr(b, name)


def assert_same_entry(a, b) -> None:
    assert type(a) is type(b)
    if isinstance(a, torch.Tensor):
        assert a.dtype == b.dtype
        assert torch.equal(a, b)
    elif isinstance(a, tuple):
        assert len(a) == len(b)
        for one, other in zip(a, b, strict=True):
            assert_same_entry(one, other)
    else:
        assert a == b


EVERY_KIND = {
    "positive": torch.randn(2, 7, 8),
    "positive.pooled_output": torch.randn(1, 8),
    "positive.attention_mask": torch.tensor([[1, 1, 0]]),
    "positive.t5xxl_ids": torch.tensor([3, 5, 7, 1]),
    "positive.width": 1024,
    "positive.aesthetic_score": 6.0,
    "positive.guidance": None,
    "positive.reference_latents_method": "offset",
    "positive.some_switch": True,
    "positive.reference_latents": (torch.randn(1, 4, 6, 5), torch.randn(1, 4, 9, 2)),
    "positive.shape": (27, 27),
    "positive.nothing": (),
    "negative": torch.randn(1, 7, 8),
    "negative.width": 512,
}


def test_every_kind_of_entry_comes_back_as_it_was(path):
    inversion = dataclasses.replace(make(), conditioning=EVERY_KIND)
    storage.save(inversion, path)
    assert_same(storage.load(path), inversion)


@pytest.mark.parametrize("method", ["ddpm", "ddim"])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float16, torch.float64])
def test_what_is_saved_comes_back_bit_by_bit(path, method, dtype):
    inversion = make(method, dtype)
    storage.save(inversion, path)
    assert_same(storage.load(path), inversion)


def test_embeddings_may_be_one_tensor(path):
    shared = torch.ones(2, 3, 4)
    inversion = dataclasses.replace(make(), conditioning={"positive": shared, "negative": shared})
    storage.save(inversion, path)
    assert_same(storage.load(path), inversion)


def test_null_text_embeddings_are_kept(path):
    losses = torch.tensor([0.3, 0.1, torch.nan]).expand(2, 2, -1)
    for steps in (1, 2):
        inversion = dataclasses.replace(
            make("ddim"), null_text=torch.randn(2, 2, 7, 8)[:steps], null_text_losses=losses[:steps]
        )
        storage.save(inversion, path)
        loaded = storage.load(path)
        assert_same(loaded, inversion)
        assert torch.equal(loaded.null_text, inversion.null_text)
        assert torch.allclose(loaded.null_text_losses, inversion.null_text_losses, equal_nan=True)


def test_embeddings_that_are_not_numbers_are_not_saved(path):
    null_text = torch.full((2, 1, 7, 8), torch.nan)
    with pytest.raises(ValueError, match="NaN"):
        storage.save(dataclasses.replace(make("ddim"), null_text=null_text, null_text_losses=torch.ones(2, 1, 3)), path)


def test_a_text_that_could_not_be_loaded_is_not_saved(path):
    with pytest.raises(ValueError, match="was not saved, for its header could not be read again .*'prompts'"):
        storage.save(dataclasses.replace(make(), prompts=("horse " * 20_000,)), path)
    assert not path.exists()


def test_an_image_of_a_batch_is_saved_alone(path):
    inversion = make().image(1)
    storage.save(inversion, path)
    assert_same(storage.load(path), inversion)


def test_the_same_inversion_makes_the_same_file(path):
    storage.save(make(), path)
    first = path.read_bytes()
    storage.save(make(), path)
    assert path.read_bytes() == first


def test_nothing_but_the_file_is_left(path):
    storage.save(make(), path)
    assert os.listdir(path.parent) == [path.name]


def test_what_is_loaded_does_not_depend_on_the_file(path):
    storage.save(make(), path)
    trajectory = storage.load(path).trajectory
    with path.open("r+b") as file:
        file.write(bytes(path.stat().st_size))
    assert torch.equal(trajectory, make().trajectory)


def test_a_failed_save_keeps_the_old_file(path, monkeypatch):
    storage.save(make(), path)
    before = path.read_bytes()

    def full(source, destination):
        raise OSError("No space left on device")

    monkeypatch.setattr(tensor_file.os, "replace", full)
    with pytest.raises(OSError, match="No space"):
        storage.save(dataclasses.replace(make(), seed=1), path)
    assert path.read_bytes() == before
    assert os.listdir(path.parent) == [path.name]


def test_a_broken_inversion_is_not_saved(path):
    inversion = make()
    inversion.trajectory[0, 0, 0, 0, 0] = torch.nan
    with pytest.raises(ValueError, match="NaN"):
        storage.save(inversion, path)
    assert not path.exists()


def rewrite(path, change_header=None, change_tensors=None, metadata=None):
    """A file that another program, an older version or an accident left."""
    storage.save(make(), path)
    tensors = load_file(path)
    with tensor_file.safetensors.safe_open(path, framework="pt") as file:
        header = json.loads(file.metadata()[storage.KIND.key])
    if change_header:
        change_header(header)
    if change_tensors:
        change_tensors(tensors)
    save_file(tensors, path, {storage.KIND.key: json.dumps(header)} if metadata is None else metadata)


def entries(path, values) -> None:
    rewrite(path, lambda header: header["conditioning"].update(values))


POSITIVE = "conditioning.positive"


def nested(depth: int) -> dict:
    return {"a": nested(depth - 1)} if depth else {}


DEFECTS = {
    "missing": (lambda path: None, "no inversion file"),
    "empty": (lambda path: path.write_bytes(b""), "damaged"),
    "an image": (lambda path: path.write_bytes(b"\x89PNG\r\n" * 40), "damaged"),
    "cut off": (lambda path: (storage.save(make(), path), os.truncate(path, 3000)), "damaged"),
    "a folder": (lambda path: path.mkdir(), "no inversion file"),
    "foreign": (lambda path: save_file({"weight": torch.zeros(2)}, path), "holds no inversion"),
    "header no JSON": (lambda path: rewrite(path, metadata={storage.KIND.key: "{"}), "header"),
    "header no object": (lambda path: rewrite(path, metadata={storage.KIND.key: "[1]"}), "header"),
    "older": (lambda path: rewrite(path, lambda h: h.update(version=1)), "version 1"),
    "newer": (lambda path: rewrite(path, lambda h: h.update(version=3)), "version 3"),
    "no seed": (lambda path: rewrite(path, lambda h: h.pop("seed")), "lacks 'seed'"),
    "no sigmas": (lambda path: rewrite(path, lambda h: h.pop("sigmas")), "lacks 'sigmas'"),
    "sigmas not numbers": (lambda path: rewrite(path, lambda h: h.update(sigmas=["a", None])), "header"),
    "sigmas no list": (lambda path: rewrite(path, lambda h: h.update(sigmas=3)), "header"),
    "sigmas rise": (lambda path: rewrite(path, lambda h: h["sigmas"].reverse()), "must decrease"),
    "sigmas too many": (lambda path: rewrite(path, lambda h: h["sigmas"].insert(0, 99.0)), "trajectory"),
    "no version": (lambda path: rewrite(path, lambda h: h.pop("version")), "lacks 'version'"),
    "eta not a number": (lambda path: rewrite(path, lambda h: h.update(eta=float("nan"))), "eta"),
    "foreign method": (lambda path: rewrite(path, lambda h: h.update(method="magic")), "magic"),
    "fingerprint no object": (lambda path: rewrite(path, lambda h: h.update(fingerprint=7)), "header"),
    "no conditioning": (lambda path: rewrite(path, lambda h: h.pop("conditioning")), "lacks 'conditioning'"),
    "an entry of no kind": (lambda path: entries(path, {"positive.x": [[1]]}), "'positive.x'"),
    "an entry that is not a number": (lambda path: entries(path, {"positive.x": float("nan")}), "NaN"),
    "an object as an entry": (lambda path: entries(path, {"positive.x": {"a": 1}}), "lacks 'tensors'"),
    "a list without its tensors": (lambda path: entries(path, {"positive.x": {"tensors": 10**12}}), "positive.x.0"),
    "a list of no number": (lambda path: entries(path, {"positive.x": {"tensors": "a"}}), "header"),
    "no trajectory": (lambda path: rewrite(path, None, lambda t: t.pop("trajectory")), "lacks the trajectory"),
    "noise maps of another size": (
        lambda path: rewrite(path, None, lambda t: t.update(noise_maps=torch.zeros(2, 2, 4, 6, 6))),
        "noise maps",
    ),
    "null text of DDPM": (
        lambda path: rewrite(path, None, lambda t: t.update(null_text=torch.zeros(2, 1, 7, 8))),
        "Null-text embeddings belong to a DDIM inversion",
    ),
    "NaN": (lambda path: rewrite(path, None, lambda t: t["trajectory"].view(-1)[3:4].fill_(torch.nan)), "NaN"),
    "infinite": (lambda path: rewrite(path, None, lambda t: t["noise_maps"].view(-1)[3:4].fill_(torch.inf)), "NaN"),
    "integers": (lambda path: rewrite(path, None, lambda t: t.update(trajectory=t["trajectory"].int())), "numbers"),
    "8-bit floats": (
        lambda path: rewrite(path, None, lambda t: t.update(trajectory=t["trajectory"].to(torch.float8_e4m3fn))),
        "8-bit numbers",
    ),
    "no text": (lambda path: rewrite(path, None, lambda t: t.pop(POSITIVE)), "lacks the conditioning.positive"),
    "another name": (
        lambda path: rewrite(path, None, lambda t: t.update({"conditioning.Positive": t.pop(POSITIVE)})),
        "lacks the conditioning.positive",
    ),
    "a tensor of nothing": (lambda path: rewrite(path, None, lambda t: t.update(x=torch.ones(1))), "also holds 'x'"),
    "a text of whole numbers": (
        lambda path: rewrite(path, None, lambda t: t.update({POSITIVE: t[POSITIVE].int()})),
        "whole numbers",
    ),
    "a text of another rank": (
        lambda path: rewrite(path, None, lambda t: t.update({POSITIVE: t[POSITIVE][0]})),
        "3 dimensions",
    ),
    "endless eta": (lambda path: rewrite(path, lambda h: h.update(eta=float("inf"))), "'eta' is infinite"),
    "endless seed": (lambda path: rewrite(path, lambda h: h.update(seed=float("inf"))), "'seed' is infinite"),
    "a seed of a thousand digits": (lambda path: rewrite(path, lambda h: h.update(seed=10**1000)), "a huge number"),
    "flow a text": (lambda path: rewrite(path, lambda h: h.update(flow="no")), "true or false"),
    "deep": (lambda path: rewrite(path, lambda h: h.update(fingerprint=nested(40))), "nested more than 16"),
    "very deep": (lambda path: rewrite(path, metadata={storage.KIND.key: "[" * 100_000}), "nested more than 16"),
    "a pipe": (lambda path: os.mkfifo(path), "no inversion file"),
}


@pytest.mark.parametrize("defect", DEFECTS)
def test_every_defect_has_its_sentence(path, defect):
    damage, sentence = DEFECTS[defect]
    damage(path)
    with pytest.raises(ValueError, match=sentence) as caught:
        storage.load(path)
    text = str(caught.value)
    assert path.name in text
    assert str(path.parent) not in text
    assert text.endswith(".")
