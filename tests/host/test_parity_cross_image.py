"""Our nodes' parts in the real ComfyUI against the reference code of Cross-Image Attention, on its own tensors.

Official side: garibida/cross-image-attention (ee2080c), fp32, CPU, torch 2.13. Ours: torch 2.11. Limits are relative to
the largest value; what was seen stands in docs/parity.md.
"""

import contextlib
import logging

import pytest
import torch
from appearance_transfer.tests.golden.reference import golden
from appearance_transfer.tests.host.golden_model import Recorder, StopRun, golden_inversion, golden_model
from appearance_transfer.tests.host.small_world import relative

log = logging.getLogger(__name__)

LOOP_LIMIT = 1e-3
STEP_LIMIT = 1e-4


@pytest.fixture(scope="module")
def model(host):
    return golden_model()


@pytest.fixture(scope="module")
def inversions(model):
    return golden_inversion(model, "struct"), golden_inversion(model, "app")


def test_noise_maps_of_single_levels(model, inversions) -> None:
    """z of a step depends on two levels only, so any one of them can be checked alone."""
    from appearance_transfer.host.models.schedules import sigmas_tensor
    from appearance_transfer.host.runtime.model_runner import run_with_model
    from appearance_transfer.inversion.step import mean, step_coefficients

    prompts = {"positive": "text_cond", "negative": "text_uncond"}
    prompts = {side: [[golden("inversion", name), {}]] for side, name in prompts.items()}
    for role, inversion in zip(("struct", "app"), inversions, strict=True):
        schedule = inversion.schedule
        for i in (0, 34, 66):
            x, sigma = inversion.trajectory[i], schedule.sigmas[i]

            def denoised_at(denoise, _, x=x, sigma=sigma):
                return denoise(x, sigma)

            with torch.inference_mode():
                denoised = run_with_model(
                    model, x, denoised_at, **prompts, guidance=3.5, sigmas=sigmas_tensor(schedule)
                )
            noise_scale = step_coefficients(schedule, i, 1.0)[2]
            z = (inversion.trajectory[i + 1] - mean(x, denoised, schedule, i, 1.0)) / noise_scale
            assert relative(z, golden("inversion", f"zs_{role}_from32")[i][None]) < STEP_LIMIT


def run_loop(model, inversions, settings, adain_masks=(None, None), last: int = 67) -> dict[int, torch.Tensor]:
    """The whole transfer from the stored start latents; the output's latent after each executed step."""
    from appearance_transfer.attention.windows import ADAIN
    from appearance_transfer.host.models.schedules import sigmas_tensor
    from appearance_transfer.host.transfer.adain_operation import AdaINOperation
    from appearance_transfer.host.transfer.appearance_guider import AppearanceGuider, GuidanceSettings
    from appearance_transfer.host.transfer.cross_image_attention import Appearance, transfer_appearance
    from appearance_transfer.host.transfer.noise_map_sampler import NoiseMapSampler

    structure, appearance = inversions
    patched = transfer_appearance(model, [Appearance(appearance)], structure, settings)
    recorder = Recorder(AdaINOperation(appearance, *adain_masks, ADAIN), structure, last)
    sampler = NoiseMapSampler(structure, recorder)
    positive = [[golden("inversion", "text_cond"), {}]]
    guider = AppearanceGuider(patched, positive, None, GuidanceSettings.reference_code())
    start = model.get_model_object("latent_format").process_out(structure.start)
    with torch.inference_mode(), contextlib.suppress(StopRun):
        guider.sample(
            torch.zeros_like(start), start, sampler, sigmas_tensor(structure.schedule), disable_pbar=True, seed=0
        )
    return recorder.seen


def test_released_loop_to_the_last_step(model, inversions) -> None:
    from appearance_transfer.host.transfer.cross_image_attention import CrossImageSettings

    seen = run_loop(model, inversions, CrossImageSettings(replayed=True))
    for i in (0, 11, 12, 16, 20, 21, 30, 40, 50, 60):
        error = relative(seen[i], golden("cia_unmasked", f"latents_{i}")[:1])
        log.info("iteration %d: %.1e", i, error)
        assert error < STEP_LIMIT
    error = relative(seen[67], golden("cia_unmasked", "final")[:1])
    log.info("last iteration: %.1e", error)
    assert error < LOOP_LIMIT


def test_masked_adain_in_the_loop(model, inversions) -> None:
    from appearance_transfer.host.transfer.cross_image_attention import CrossImageSettings

    masks = tuple(golden("cia_masked", f"mask_{role}_64").float()[None] for role in ("struct", "app"))
    seen = run_loop(model, inversions, CrossImageSettings(replayed=True), masks, last=21)
    for i in (20, 21):
        assert relative(seen[i], golden("cia_masked", f"latents_{i}")) < STEP_LIMIT


def test_paper_variant_without_clip_and_structure(model, inversions) -> None:
    from appearance_transfer.host.transfer.cross_image_attention import CrossImageSettings

    seen = run_loop(model, inversions, CrossImageSettings(replayed=True, clip=False, structure_share=0.0), last=16)
    for i in (11, 12, 16):
        assert relative(seen[i], golden("cia_variant_paper", f"latents_{i}")) < STEP_LIMIT
