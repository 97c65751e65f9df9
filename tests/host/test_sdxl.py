"""SDXL's sizes and pooled text are part of its prompt: every inversion keeps them, in memory and in files."""

from dataclasses import replace

import pytest
import torch
from appearance_transfer.tests.host import small_sdxl as sdxl
from appearance_transfer.tests.host import small_world as world

STEPS = 5


@pytest.fixture(scope="module")
def model(host):
    with torch.inference_mode():  # as ComfyUI makes its weights
        return sdxl.small_sdxl()


@pytest.fixture(scope="module")
def inversion(model):
    return invert(model, guidance=3.5)


def schedule_of(model, steps: int = STEPS):
    from appearance_transfer.host.models.schedules import schedule_of

    return schedule_of(model, steps=steps)


def invert(model, latent=None, positive=None, negative=None, **options):
    from appearance_transfer.host.inversion.ddpm_and_ddim import invert_with_ddpm

    latent = world.latents(3) if latent is None else latent
    positive, negative = positive or sdxl.prompt(1), negative or sdxl.prompt(2)
    with torch.inference_mode():
        return invert_with_ddpm(
            model, latent, positive, negative, schedule_of(model), keep_last_noise=True, **{"guidance": 1.0} | options
        )


def reconstruct(model, inversion):
    from appearance_transfer.host.inversion.ddpm_and_ddim import reconstruct

    with torch.inference_mode():
        return reconstruct(model, inversion)


def denoised(model, inversion, conditioning):
    """The estimate of the image at the noisiest level, under this text alone."""
    from appearance_transfer.host.runtime.model_runner import run_with_model

    def body(denoise, x0):
        return denoise(inversion.start.to(x0), inversion.schedule.sigmas[0])

    with torch.inference_mode():
        return run_with_model(
            model, world.latents(3), body, positive=conditioning, negative=conditioning, guidance=1.0,
            sigmas=torch.tensor(inversion.schedule.sigmas),
        )  # fmt: skip


def test_the_sizes_matter_to_this_model(model, inversion) -> None:
    here = denoised(model, inversion, sdxl.prompt(1))
    assert world.relative(denoised(model, inversion, sdxl.prompt(1, **sdxl.OTHER_SIZES)), here) > 1e-3
    assert world.relative(denoised(model, inversion, sdxl.prompt(1, nothing=None)), here) > 1e-3


@pytest.mark.parametrize(("guidance", "within"), [(1.0, 1e-5), (3.5, 1e-4)])  # guidance amplifies rounding
def test_a_replay_gives_the_image_back(model, guidance, within) -> None:
    inverted = invert(model, guidance=guidance)
    assert world.relative(reconstruct(model, inverted), world.latents(3)) < within


def test_the_prompt_comes_out_as_it_went_in(model, inversion) -> None:
    from appearance_transfer.host.models.conditioning import unpack

    for side, seed in (("positive", 1), ("negative", 2)):
        [[text, extras]], [[original, expected]] = unpack(inversion.conditioning, side), sdxl.prompt(seed)
        assert torch.equal(text, original)
        assert torch.equal(extras.pop("pooled_output"), expected.pop("pooled_output"))
        assert extras == expected


def test_a_file_keeps_every_bit(model, inversion, tmp_path) -> None:
    from appearance_transfer.inversion import storage

    storage.save(inversion, tmp_path / "sdxl.safetensors")
    loaded = storage.load(tmp_path / "sdxl.safetensors")
    assert loaded.conditioning.keys() == inversion.conditioning.keys()
    assert torch.equal(reconstruct(model, loaded), reconstruct(model, inversion))


def test_a_reference_is_run_under_its_own_sizes(model) -> None:
    """An image as its own appearance: with the same queries, keys and values nothing changes."""
    from appearance_transfer.host.transfer.cross_image_attention import transfer_appearance
    from appearance_transfer.host.transfer.plan import Appearance

    inverted = invert(model)
    settings = world.transfer_settings(contrast=1.0)
    patched = transfer_appearance(model, [Appearance(inverted)], None, settings)
    guider = world.stock_guider(patched, positive=sdxl.prompt(1), negative=sdxl.prompt(2))
    plain = world.stock_guider(model, positive=sdxl.prompt(1), negative=sdxl.prompt(2))
    same = world.sample(patched, inverted, guider=guider)
    assert world.relative(same, world.sample(model, inverted, guider=plain)) < 1e-5
    other = invert(model, positive=sdxl.prompt(1, **sdxl.OTHER_SIZES))
    patched = transfer_appearance(model, [Appearance(other)], None, settings)
    guider = world.stock_guider(patched, positive=sdxl.prompt(1), negative=sdxl.prompt(2))
    assert world.relative(world.sample(patched, inverted, guider=guider), same) > 1e-4


def test_null_text_is_found_and_replayed_under_the_sizes(model, monkeypatch) -> None:
    """Replayed, every step predicts what it did while its embedding was found."""
    from appearance_transfer.host.inversion import ddpm_and_ddim as inverting
    from appearance_transfer.host.inversion import null_text as null_text_inverting
    from appearance_transfer.inversion.null_text import NullTextSettings

    def recorded(module, run):
        seen = []
        monkeypatch.setattr(module, "preview_callback", lambda *args: lambda i, total, denoised: seen.append(denoised))
        return run(), torch.stack(seen)

    settings = NullTextSettings(guidance=3.0, updates=3, early_stop=0.0)
    with torch.inference_mode():
        found, steps = recorded(
            null_text_inverting,
            lambda: null_text_inverting.invert_with_null_text(
                model, world.latents(3), sdxl.prompt(1), sdxl.prompt(2), schedule_of(model), settings
            ),
        )
    assert found.null_text_steps == STEPS
    assert world.relative(recorded(inverting, lambda: reconstruct(model, found))[1], steps) < 1e-4
    without = {name: entry for name, entry in found.conditioning.items() if isinstance(entry, torch.Tensor)}
    stripped = replace(found, conditioning=without)
    assert world.relative(recorded(inverting, lambda: reconstruct(model, stripped))[1], steps) > 1e-2


def test_images_under_other_sizes_do_not_go_into_one_grid(model, inversion) -> None:
    from appearance_transfer.inversion.pairing import joined

    both = joined([inversion, invert(model, world.latents(4), guidance=3.5)])
    assert both.conditioning["positive.width"] == sdxl.SIZES["width"]
    with pytest.raises(ValueError, match="settings of the text"):
        joined([inversion, invert(model, positive=sdxl.prompt(1, **sdxl.OTHER_SIZES), guidance=3.5)])


def test_maps_are_read_under_the_sizes(model, inversion) -> None:
    from appearance_transfer.host.matching.capture import capture_text_maps

    def maps(sizes):
        changed = inversion.conditioning | {f"positive.{name}": size for name, size in sizes.items()}
        with torch.inference_mode():
            return capture_text_maps(model, replace(inversion, conditioning=changed), [0], 2)[0]

    assert torch.equal(maps({}), maps(sdxl.SIZES))
    assert world.relative(maps(sdxl.OTHER_SIZES), maps({})) > 1e-4


def test_the_refiner_and_its_score(host) -> None:
    """Without a score ComfyUI takes 6 for the positive text and 2.5 for the negative one."""
    refiner = sdxl.small_sdxl(refiner=True)
    for extras in (sdxl.REFINED, {"width": 700, "height": 640}):
        texts = {"positive": sdxl.prompt(1, **extras), "negative": sdxl.prompt(2, **extras)}
        inverted = invert(refiner, guidance=3.5, **texts)
        assert world.relative(reconstruct(refiner, inverted), world.latents(3)) < 1e-4
    assert inverted.conditioning["positive.width"] == 700


@pytest.mark.parametrize("extras", [sdxl.REFINED, {"width": 700}])
def test_a_replayed_reference_of_the_refiner_is_its_inversion(host, extras) -> None:
    """Both of its texts move a replayed reference on, so the negative one has to be the negative one."""
    from appearance_transfer.host.models.conditioning import processed_prompt, unpack

    refiner = sdxl.small_sdxl(refiner=True)
    texts = {"positive": sdxl.prompt(1, **extras), "negative": sdxl.prompt(2, **extras)}
    inverted = invert(refiner, **texts)
    x = world.latents(3)
    for side, unsaid in (("positive", 6.0), ("negative", 2.5)):
        [cond] = processed_prompt(refiner.model, unpack(inverted.conditioning, side), x, 0, side)
        embedded = refiner.model.embedder(torch.tensor([extras.get("aesthetic_score", unsaid)]))[0]
        assert torch.equal(cond["model_conds"]["y"].cond[0, -256:], embedded)
