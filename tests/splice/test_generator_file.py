"""Trained generators as files: what is saved comes back bit by bit, and every defect has its sentence."""

import dataclasses
import os

import pytest
import torch
from appearance_transfer.splice import storage
from appearance_transfer.splice.checkpoint import TrainedGenerator
from appearance_transfer.splice.generator import SkipGenerator, initialize
from appearance_transfer.tests.storage.files import rewrite
from safetensors.torch import save_file

FIRST = "weights.levels.skip.0.weight"


def make(dtype=torch.float32, resumable=True) -> TrainedGenerator:
    generator = SkipGenerator().to(dtype)
    initialize(generator, 0)
    weights = generator.state_dict()
    second_moments = {name: tensor.square() for name, tensor in weights.items()} if resumable else {}
    return TrainedGenerator(weights, 120, second_moments, {"structure": "cow", "seed": "7"})


@pytest.fixture
def path(tmp_path):
    return tmp_path / "cow.safetensors"


def assert_same(a: TrainedGenerator, b: TrainedGenerator) -> None:
    for x, y in ((a.weights, b.weights), (a.second_moments, b.second_moments)):
        assert x.keys() == y.keys()
        assert all(x[name].dtype == y[name].dtype and torch.equal(x[name], y[name]) for name in x)
    assert (a.steps, a.metadata) == (b.steps, b.metadata)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("resumable", [True, False])
def test_what_is_saved_comes_back_bit_by_bit(path, dtype, resumable) -> None:
    generator = make(dtype, resumable)
    storage.save(generator, path)
    assert_same(storage.load(path), generator)
    assert os.listdir(path.parent) == [path.name]


def test_what_only_training_needs_can_be_left_out(path) -> None:
    storage.save(make(), path, resumable=False)
    assert_same(storage.load(path), make(resumable=False))
    assert path.stat().st_size < 4.5e6


def test_a_broken_generator_is_not_saved(path) -> None:
    generator = make()
    generator.weights["head.bias"][0] = torch.nan
    with pytest.raises(ValueError, match="NaN"):
        storage.save(generator, path)
    assert not path.exists()


def test_the_network_has_these_weights() -> None:
    generator = make(torch.float64)
    network = generator.network()
    assert all(torch.equal(tensor, generator.weights[name]) for name, tensor in network.state_dict().items())
    network.head.bias.data.fill_(9)
    assert not (generator.weights["head.bias"] == 9).any()


@pytest.mark.parametrize("wrong", ["weights", "second_moments"])
def test_parts_that_do_not_fit_are_refused(wrong) -> None:
    generator = make()
    with pytest.raises(ValueError, match="'head.bias' does not fit"):
        dataclasses.replace(generator, **{wrong: getattr(generator, wrong) | {"head.bias": torch.zeros(4)}})


def change(path, header=None, tensors=None) -> None:
    storage.save(make(), path)
    rewrite(path, storage.KIND, header, tensors)


DEFECTS = {
    "missing": (lambda path: None, "no Splice generator file"),
    "cut off": (lambda path: (storage.save(make(), path), os.truncate(path, 3000)), "damaged"),
    "foreign": (lambda path: save_file({"weight": torch.zeros(2)}, path), "holds no Splice generator"),
    "newer": (lambda path: change(path, lambda h: h.update(version=2)), "version 2"),
    "no steps": (lambda path: change(path, lambda h: h.pop("steps")), "lacks 'steps'"),
    "negative steps": (lambda path: change(path, lambda h: h.update(steps=-1)), "-1 steps"),
    "metadata no object": (lambda path: change(path, lambda h: h.update(metadata=7)), "header"),
    "another architecture": (lambda path: change(path, lambda h: h["architecture"].update(skip="8")), "architecture"),
    "a tensor too few": (lambda path: change(path, None, lambda t: t.pop(FIRST)), "does not fit"),
    "a tensor too many": (lambda path: change(path, None, lambda t: t.update({"weights.x": torch.ones(1)})), "'x'"),
    "another shape": (lambda path: change(path, None, lambda t: t.update({FIRST: torch.zeros(4)})), "does not fit"),
    "integers": (lambda path: change(path, None, lambda t: t.update({FIRST: t[FIRST].int()})), "does not fit"),
    "NaN": (lambda path: change(path, None, lambda t: t[FIRST].fill_(torch.nan)), "NaN"),
    "endless steps": (lambda path: change(path, lambda h: h.update(steps=float("inf"))), "'steps' is infinite"),
    "steps a text": (lambda path: change(path, lambda h: h.update(steps="12")), "'steps' is '12'"),
    "8-bit floats": (
        lambda path: change(path, None, lambda t: t.update({FIRST: t[FIRST].to(torch.float8_e5m2)})),
        "8-bit numbers",
    ),
}


@pytest.mark.parametrize("defect", DEFECTS)
def test_every_defect_has_its_sentence(path, defect) -> None:
    damage, sentence = DEFECTS[defect]
    damage(path)
    with pytest.raises(ValueError, match=sentence) as caught:
        storage.load(path)
    text = str(caught.value)
    assert path.name in text
    assert str(path.parent) not in text
    assert text.endswith(".")
