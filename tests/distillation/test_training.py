"""Training: resumed it is the uninterrupted one, NaN stops it, and it learns; editors as records and files."""

import dataclasses
import os

import pytest
import torch
from appearance_transfer.distillation import storage
from appearance_transfer.distillation.architecture import EditorConfig
from appearance_transfer.distillation.checkpoint import DistilledEditor
from appearance_transfer.distillation.losses import PENALIZED_EVERY
from appearance_transfer.distillation.pairs import Dataset
from appearance_transfer.distillation.training import EditorTraining, EditorTrainingSettings
from appearance_transfer.tests.storage.files import rewrite
from appearance_transfer.training.report import Diverged

TINY = EditorTrainingSettings(EditorConfig(64, 1 / 64), batch=4, seed=3)
FIRST = "weights.start.bias"


def dataset(count: int = 6) -> Dataset:
    """Smooth images, and their edit: red and blue swapped."""
    random = torch.Generator().manual_seed(0)
    coarse = torch.rand(count, 3, 4, 4, generator=random)
    before = (torch.nn.functional.interpolate(coarse, size=(64, 64), mode="bilinear") * 255).to(torch.uint8)
    return Dataset(before, before.flip(1))


def make(settings: EditorTrainingSettings = TINY, **options) -> EditorTraining:
    return EditorTraining(dataset(), settings, **options)


def assert_same(a: DistilledEditor, b: DistilledEditor) -> None:
    assert (a.architecture, a.steps, a.images) == (b.architecture, b.steps, b.images)
    for x, y in ((a.weights, b.weights), (a.memory, b.memory)):
        assert x.keys() == y.keys()
        assert all(torch.equal(x[name], y[name]) for name in x)


@pytest.fixture(scope="module")
def editor() -> DistilledEditor:
    training = make()
    training.advance()
    training.advance()
    return training.snapshot()


def test_a_resumed_training_is_the_uninterrupted_one(monkeypatch) -> None:
    """With a gradient penalty at steps 0, 2 and 4, so that the discriminator has more updates than steps."""
    monkeypatch.setattr("appearance_transfer.distillation.training.PENALIZED_EVERY", 2)
    whole = make()
    reports = [whole.advance() for _ in range(5)]
    assert [("penalty" in report.terms) for report in reports] == [True, False, True, False, True]
    first = make()
    for _ in range(3):
        first.advance()
    torch.manual_seed(99)
    second = make(start=first.snapshot())
    assert [second.advance() for _ in range(2)] == reports[3:]
    assert_same(second.snapshot(), whole.snapshot())


def test_what_a_training_starts_from_stays_as_it_was(editor) -> None:
    kept = DistilledEditor(
        editor.architecture,
        {name: tensor.clone() for name, tensor in editor.weights.items()},
        editor.steps,
        editor.images,
        {name: tensor.clone() for name, tensor in editor.memory.items()},
    )
    make(start=editor).advance()
    assert_same(editor, kept)


def test_an_editor_without_memory_can_be_trained_further(editor) -> None:
    bare = dataclasses.replace(editor, memory={})
    training = make(start=bare)
    torch.testing.assert_close(
        dict(training.generator.named_parameters())["start.bias"].data, bare.weights["start.bias"]
    )
    assert training.advance().step == 2


def test_another_architecture_is_refused(editor) -> None:
    with pytest.raises(ValueError, match="one of 64 px and width 0.015625, but 64 px and width 0.03125"):
        make(dataclasses.replace(TINY, architecture=EditorConfig(64, 1 / 32)), start=editor)


def test_no_pairs() -> None:
    with pytest.raises(ValueError, match="no pair to learn from"):
        EditorTraining(dataset(0), TINY)


def test_the_seed_decides_and_nothing_else() -> None:
    losses = []
    for seed in (3, 3, 4):
        torch.manual_seed(len(losses))
        training = make(dataclasses.replace(TINY, seed=seed))
        losses.append([training.advance().loss for _ in range(2)])
    assert losses[0] == losses[1] != losses[2]


def test_the_optimizers_are_the_reference_s() -> None:
    training = EditorTraining(dataset(), dataclasses.replace(TINY, learning_rate=0.001))
    for adam, ratio in ((training.generator_adam, 4 / 5), (training.discriminator_adam, 16 / 17)):
        (group,) = adam.param_groups
        assert group["lr"] == pytest.approx(0.001 * ratio)
        assert group["betas"] == (0.0, pytest.approx(0.99**ratio))
        assert group["eps"] == 1e-8


def test_the_average_has_the_half_life_that_is_said() -> None:
    """From weights 0 towards weights 1, it is half way after 10 000 images, once 200 000 have been seen."""
    training = make()
    with torch.no_grad():
        for average, parameter in zip(training.average.parameters(), training.generator.parameters(), strict=True):
            average.zero_()
            parameter.fill_(1)
    training.images = 1_000_000
    for _ in range(10):
        training._follow(1000)
    torch.testing.assert_close(training.average.start.bias, torch.full_like(training.average.start.bias, 0.5))
    training.images = 1000
    training._follow(1000)  # early, the half-life is 50 images
    assert training.average.start.bias.min() > 1 - 1e-5


@pytest.mark.parametrize("broken", ["generator", "discriminator", "penalty"])
def test_nan_stops_before_anything_changes(broken, monkeypatch) -> None:
    training = make()
    for _ in range(2):
        training.advance()
    training.steps = PENALIZED_EVERY
    last_finite = training.snapshot()
    module = "appearance_transfer.distillation.training"
    if broken == "generator":
        monkeypatch.setattr(training, "distance", lambda a, b: ((a - b).sum((1, 2, 3)) * 0).sqrt())  # slope not finite
    elif broken == "discriminator":
        monkeypatch.setattr(
            f"{module}.discriminator_loss", lambda generated, real: (generated - real).mean() * torch.nan
        )
    else:
        monkeypatch.setattr(f"{module}.gradient_penalty", lambda d, a, b: d(a, b).mean() * torch.inf)
    with pytest.raises(Diverged, match="At step 16 .* no longer a number"):
        training.advance()
    assert_same(training.snapshot(), last_finite)
    assert training.output().isfinite().all()


def test_it_learns() -> None:
    """The edit, red and blue swapped, from noise: much nearer than the first guess, and than leaving it as it is."""
    training = EditorTraining(dataset(), EditorTrainingSettings(EditorConfig(64, 1 / 32), batch=4, learning_rate=0.003))
    losses = [training.advance().terms["pixel"] for _ in range(60)]
    assert sum(losses[-5:]) < 0.4 * sum(losses[:5])
    before, after = (images.float() / 255 for images in (training.pairs.before, training.pairs.after))
    assert (training.edited(before) - after).abs().mean() < (before - after).abs().mean()


def test_the_sheet_shows_before_output_and_after() -> None:
    sheet = make().output()
    assert sheet.shape == (1, 3, 4 * 64, 3 * 64)
    torch.testing.assert_close(sheet[0, :, 64:128, :64], dataset().before[1] / 255)
    torch.testing.assert_close(sheet[0, :, 64:128, 128:], dataset().after[1] / 255)


def test_the_network_has_the_averaged_weights(editor) -> None:
    network = editor.network()
    assert not network.training
    assert all(torch.equal(tensor, editor.weights[name]) for name, tensor in network.state_dict().items())


@pytest.mark.parametrize("resumable", [True, False])
def test_what_is_saved_comes_back_bit_by_bit(editor, tmp_path, resumable) -> None:
    path = tmp_path / "coats.safetensors"
    editor = dataclasses.replace(editor, metadata={"pairs": "6 of coats"})
    storage.save(editor, path, resumable=resumable)
    expected = editor if resumable else dataclasses.replace(editor, memory={})
    assert_same(storage.load(path), expected)
    assert storage.load(path).metadata == editor.metadata
    assert os.listdir(tmp_path) == [path.name]


def test_a_broken_editor_is_not_saved(editor, tmp_path) -> None:
    weights = editor.weights | {"start.bias": torch.full_like(editor.weights["start.bias"], torch.nan)}
    with pytest.raises(ValueError, match="NaN"):
        storage.save(dataclasses.replace(editor, weights=weights), tmp_path / "coats.safetensors")
    assert not os.listdir(tmp_path)


DEFECTS = {
    "no steps": (lambda h: h.pop("steps"), None, "lacks 'steps'"),
    "negative steps": (lambda h: h.update(steps=-1), None, "-1 steps"),
    "another size": (lambda h: h["architecture"].update(size=128), None, "does not fit"),
    "no such size": (lambda h: h["architecture"].update(size=100), None, "not 100"),
    "architecture no object": (lambda h: h.update(architecture=7), None, "header"),
    "a tensor too few": (None, lambda t: t.pop(FIRST), "does not fit"),
    "half a memory": (None, lambda t: t.pop("memory.discriminator.first.bias"), "optimizer's numbers"),
    "another shape": (None, lambda t: t.update({FIRST: torch.zeros(4)}), "does not fit"),
    "NaN": (None, lambda t: t[FIRST].fill_(torch.nan), "NaN"),
    "endless steps": (lambda h: h.update(steps=float("inf")), None, "'steps' is infinite"),
    "endless width": (lambda h: h["architecture"].update(width=float("inf")), None, "'width' is infinite"),
    "8-bit floats": (None, lambda t: t.update({FIRST: t[FIRST].to(torch.float8_e4m3fn)}), "8-bit numbers"),
}


@pytest.mark.parametrize("defect", DEFECTS)
def test_every_defect_has_its_sentence(editor, tmp_path, defect) -> None:
    header, tensors, sentence = DEFECTS[defect]
    path = tmp_path / "coats.safetensors"
    storage.save(editor, path)
    rewrite(path, storage.KIND, header, tensors)
    with pytest.raises(ValueError, match=sentence) as caught:
        storage.load(path)
    assert path.name in str(caught.value)
    assert str(caught.value).endswith(".")
