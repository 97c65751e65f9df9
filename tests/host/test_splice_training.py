"""The Splice nodes: train, show, interrupt, go on, apply, keep; with a tiny random ViT."""

import logging

import pytest
import torch
from appearance_transfer.tests.splice.vits import random_images, random_weights

TRAIN = "AppearanceTransfer_TrainSplice"
APPLY = "AppearanceTransfer_ApplySpliceGenerator"
SAVE, LOAD = "AppearanceTransfer_SaveSpliceGenerator", "AppearanceTransfer_LoadSpliceGenerator"


@pytest.fixture(scope="module")
def vit(host):
    return managed(torch.float32)


def managed(dtype: torch.dtype):
    import comfy.model_management
    from appearance_transfer.host.vit.dino import ManagedVit
    from appearance_transfer.vit.vit import load_vit
    from comfy.model_patcher import ModelPatcher

    network = load_vit({name: tensor.to(dtype) for name, tensor in random_weights().items()})
    device = comfy.model_management.get_torch_device()
    return ManagedVit(ModelPatcher(network, load_device=device, offload_device=torch.device("cpu")), "random")


def images(height=70, width=64, images=1, seed=0) -> torch.Tensor:
    return random_images(height, width, images, seed).movedim(1, -1)


def train(host, vit, steps=2, structure=None, appearance=None, **changed):
    """What the node returns, as users get it: inside inference mode."""
    inputs = {
        "structure": images() if structure is None else structure,
        "appearance": images(64, 80, seed=1) if appearance is None else appearance,
        "vit": vit,
        "steps": steps,
        "resolution": 0,
        "seed": 3,
        "appearance_weight": 10.0,
        "structure_weight": 1.0,
        "identity_weight": 1.0,
        "learning_rate": 0.002,
        "layer": -1,
        "antialias": False,
        "checkpointing": False,
        "preview_every": 0,
    }
    with torch.inference_mode():
        return host.nodes[TRAIN].execute(**inputs | changed).args


def apply(host, generator, image):
    with torch.inference_mode():
        return host.nodes[APPLY].execute(generator, image).args[0]


@pytest.fixture
def progress():
    """What the page is told: (done, of how many, preview)."""
    import comfy.utils

    reports, before = [], comfy.utils.PROGRESS_BAR_HOOK
    comfy.utils.set_progress_bar_global_hook(
        lambda done, total, preview, node_id=None: reports.append((done, total, preview))
    )
    yield reports
    comfy.utils.set_progress_bar_global_hook(before)


@pytest.fixture
def unfinished(host):
    """Names of what interrupted trainings have left since the test began."""
    from appearance_transfer.host.runtime.files import GENERATORS

    before = set(GENERATORS.names())
    return lambda: sorted(set(GENERATORS.names()) - before)


def assert_same(a, b) -> None:
    assert a.steps == b.steps
    assert all(torch.equal(a.weights[name], b.weights[name]) for name in a.weights)


def test_it_trains(host, vit, unfinished) -> None:
    image, generator, losses, report = train(host, vit)
    assert image.shape == (1, 70, 64, 3)
    assert 0 <= image.min() <= image.max() <= 1
    assert generator.steps == 2
    assert generator.metadata["structure"] == "64x70"
    assert generator.metadata["vit"] == "random"
    assert losses.ndim == 4
    assert losses.shape[-1] == 3
    assert "2 steps" in report
    assert "step 1" in report
    assert not unfinished()


def test_the_seed_decides(host, vit) -> None:
    first, again, other = (train(host, vit, seed=seed)[0] for seed in (3, 3, 4))
    assert torch.equal(first, again)
    assert not torch.equal(first, other)


def test_the_resolution_is_that_of_the_shorter_side(host, vit) -> None:
    image, generator, *_ = train(host, vit, structure=images(140, 100), resolution=80)
    assert image.shape == (1, 112, 80, 3)
    assert generator.metadata["appearance"] == "100x80"


def test_checkpointing_gives_the_same(host, vit) -> None:
    plain, saving = (train(host, vit, checkpointing=value)[0] for value in (False, True))
    torch.testing.assert_close(plain, saving, atol=1e-3, rtol=0)


def test_a_vit_in_half_precision(host) -> None:
    image, generator, *_ = train(host, managed(torch.bfloat16))
    assert image.isfinite().all()
    assert {tensor.dtype for tensor in generator.weights.values()} == {torch.float32}


def test_going_on_is_as_never_stopping(host, vit, tmp_path) -> None:
    from appearance_transfer.splice.storage import load, save

    _, whole, _, _ = train(host, vit, steps=4)
    _, half, _, _ = train(host, vit, steps=2)
    with torch.inference_mode():
        save(half, tmp_path / "half.safetensors")
        loaded = load(tmp_path / "half.safetensors")
    _, resumed, _, report = train(host, vit, steps=2, generator=loaded)
    assert_same(resumed, whole)
    assert "4 steps" in report


def test_the_page_is_told_and_shown(host, vit, progress) -> None:
    train(host, vit, steps=3, preview_every=2)
    assert [total for _, total, _ in progress] == [3] * len(progress)
    assert progress[-1][0] == 3
    previews = [preview for _, _, preview in progress if preview]
    assert len(previews) == 2
    assert previews[0][0] == "JPEG"
    assert previews[0][1].size == (64, 70)


def test_an_interrupt_keeps_the_generator_and_says_where(host, vit, unfinished, caplog) -> None:
    import comfy.model_management
    import comfy.utils

    def stop_after_two(done, total, preview, node_id=None):
        comfy.model_management.interrupt_current_processing(done == 2)

    before = comfy.utils.PROGRESS_BAR_HOOK
    comfy.utils.set_progress_bar_global_hook(stop_after_two)
    try:
        with (
            caplog.at_level(logging.WARNING, "appearance_transfer"),
            pytest.raises(comfy.model_management.InterruptProcessingException),
        ):
            train(host, vit, steps=50, preview_every=1)
    finally:
        comfy.utils.set_progress_bar_global_hook(before)
    (name,) = unfinished()
    assert name in caplog.text
    kept = host.nodes[LOAD].execute(name).args[0]
    assert_same(kept, train(host, vit, steps=2)[1])
    assert_same(train(host, vit, steps=1, generator=kept)[1], train(host, vit, steps=3)[1])


@pytest.mark.parametrize("finite_steps", [0, 2])
def test_nan_stops(host, vit, finite_steps, monkeypatch, unfinished) -> None:
    from appearance_transfer.splice.training import SpliceTraining

    terms = SpliceTraining.terms

    def degraded(training):
        factor = torch.nan if training.steps == finite_steps else 1.0
        return {name: factor * term for name, term in terms(training).items()}

    monkeypatch.setattr(SpliceTraining, "terms", degraded)
    if finite_steps == 0:
        with pytest.raises(ValueError, match="no longer a number"):
            train(host, vit, steps=4)
    else:
        image, generator, _, report = train(host, vit, steps=4)
        assert "no longer a number" in report
        assert generator.steps == 1
        assert generator.is_finite()
        assert image.isfinite().all()
    assert not unfinished()


@pytest.mark.parametrize("which", ["structure", "appearance"])
def test_bad_images(host, vit, which) -> None:
    with pytest.raises(ValueError, match=f"The {which} image has 63 x 100 pixels"):
        train(host, vit, **{which: images(100, 63)})
    with pytest.raises(ValueError, match=f"one {which} image, but 2 are connected"):
        train(host, vit, **{which: images(images=2)})


def test_a_block_that_is_not_there(host, vit) -> None:
    with pytest.raises(ValueError, match="Layer 11 is asked for, but this ViT has 2"):
        train(host, vit, layer=11)


def test_applying_gives_what_training_gave(host, vit) -> None:
    image, generator, *_ = train(host, vit)
    torch.testing.assert_close(apply(host, generator, images()), image, atol=1e-6, rtol=0)


def test_applying_to_any_size_and_to_batches(host, vit) -> None:
    generator = train(host, vit, steps=1)[1]
    batch = images(97, 131, images=2)
    outputs = apply(host, generator, batch)
    assert outputs.shape == batch.shape
    torch.testing.assert_close(apply(host, generator, batch[1:]), outputs[1:])
    with_alpha = torch.cat([batch, torch.ones_like(batch[..., :1])], dim=-1)
    torch.testing.assert_close(apply(host, generator, with_alpha), outputs)
    with pytest.raises(ValueError, match="The image has 200 x 63 pixels"):
        apply(host, generator, images(63, 200))


def test_save_and_load(host, vit) -> None:
    generator = train(host, vit, steps=1)[1]
    host.nodes[SAVE].execute(generator, "cow", True)
    host.nodes[SAVE].execute(generator, "cow", False)
    whole, light = (host.nodes[LOAD].execute(f"cow_0000{number}.safetensors").args[0] for number in (1, 2))
    assert_same(whole, generator)
    assert_same(light, generator)
    assert whole.second_moments
    assert not light.second_moments
    with pytest.raises(ValueError, match="Save one with Save Splice Generator"):
        host.nodes[LOAD].execute("nothing")
