"""Semantic Rearrangement in the real ComfyUI against the reference code of Eye-for-an-eye, on its own tensors.

Official side: sooyeon-go/eye_for_an_eye (8e23f6b), fp32, CPU, torch 2.13. Ours: torch 2.11. Limits are relative to the
largest value; what was seen stands in docs/parity.md. A match is a hard choice: where two positions are equally good
but for rounding, a run goes another way from there. Without masks this happens in iteration 18, where even the released
code goes another way under noise of 1e-7; with masks behind iteration 20, where two cosines lie 2e-6 apart and the
number of threads decides. So runs from the start are compared up to there, and the rest from stored latents.
"""

import contextlib
import logging
from dataclasses import replace

import pytest
import torch
from appearance_transfer.tests.golden.reference import golden
from appearance_transfer.tests.host.golden_model import Recorder, StopRun, golden_inversion, golden_model
from appearance_transfer.tests.host.small_world import relative

log = logging.getLogger(__name__)

MASKED, UNMASKED = "efe_masked_27", "efe_unmasked_27"
LIMIT = 1e-3
TEXT_GUIDANCE = 2.5
FIRST_ADAIN = 0.51  # executed step 19: the reference code opens its window, here 20 and by default 50, one step early


@pytest.fixture(scope="module")
def model(host):
    return golden_model()


@pytest.fixture(scope="module")
def inversions(model):
    return golden_inversion(model, "struct"), golden_inversion(model, "app")


def run_loop(
    model, structure, appearance, *, start=None, first=0, last, masks=(None, None), windows=None
) -> dict[int, torch.Tensor]:
    """The transfer from executed step `first`; the output's latent after each executed step, in the papers' scaling.

    windows: of a run that is the rest of another, whose structure steps are counted from the beginning of that one.
    """
    from appearance_transfer.attention.windows import StepWindows, Window
    from appearance_transfer.host.models.schedules import sigmas_tensor
    from appearance_transfer.host.transfer.adain_operation import AdaINOperation
    from appearance_transfer.host.transfer.noise_map_sampler import NoiseMapSampler
    from appearance_transfer.host.transfer.plan import Appearance
    from appearance_transfer.host.transfer.semantic_rearrangement import RearrangementSettings, rearrange_appearance
    from comfy.samplers import CFGGuider

    settings = RearrangementSettings.reference_code()
    painted = Appearance(appearance, mask=masks[0], appearance_mask=masks[1])
    patched = rearrange_appearance(model, [painted], structure, settings)
    recorder = Recorder(AdaINOperation(appearance, *masks, Window(FIRST_ADAIN, 1.0)), structure, last - first)
    guider = CFGGuider(patched)
    guider.set_conds(*([[golden("inversion", f"text_{side}"), {}]] for side in ("cond", "uncond")))
    guider.set_cfg(TEXT_GUIDANCE)
    start = structure.start if start is None else start
    start = model.get_model_object("latent_format").process_out(start)
    with torch.inference_mode(), contextlib.suppress(StopRun), pytest.MonkeyPatch.context() as patch:
        if windows is not None:
            patch.setattr(StepWindows, "of", lambda *_: windows)
        guider.sample(
            torch.zeros_like(start),
            start,
            NoiseMapSampler(structure, recorder),
            sigmas_tensor(structure.schedule),
            disable_pbar=True,
            seed=0,
        )
    return {first + step: latent for step, latent in recorder.seen.items()}


def compare(seen, run: str, iterations) -> None:
    for i in iterations:
        error = relative(seen[i], golden(run, f"latents_{i}")[:1])
        log.info("%s, iteration %d: %.1e", run, i, error)
        assert error < LIMIT


def masks_of(run: str) -> tuple:
    """(structure, appearance) [1, 512, 512] of a golden run, None each where it has none."""
    if run == UNMASKED:
        return None, None
    return tuple(golden(run, f"mask_{role}_512").float()[None] for role in ("struct", "app"))


@pytest.mark.parametrize(
    ("run", "iterations"), [(MASKED, (4, 9, 10, 11, 12, 14, 16, 19, 20)), (UNMASKED, (4, 9, 10, 11, 12, 14, 16))]
)
def test_released_loop_from_the_start(model, inversions, run, iterations) -> None:
    seen = run_loop(model, *inversions, last=iterations[-1], masks=masks_of(run))
    compare(seen, run, iterations)


@pytest.mark.parametrize(
    ("run", "after", "iterations"),
    [(MASKED, 19, (20,)), (UNMASKED, 16, (19,)), (UNMASKED, 19, (20,)), (UNMASKED, 24, (26,))],
)
def test_released_loop_from_stored_latents(model, inversions, run, after, iterations) -> None:
    """All three images stand where the reference code left them after that iteration."""
    compare(from_stored_latents(model, inversions, run, after, iterations[-1]), run, iterations)


def test_behind_a_tie_the_rest_of_the_image_agrees(model, inversions) -> None:
    """With masks, iterations 25 and 26 hold another tie: where the number of threads decides, a few positions
    differ.
    """
    seen = from_stored_latents(model, inversions, MASKED, 24, 26)[26]
    expected = golden(MASKED, "latents_26")[:1]
    difference = (seen - expected).abs() / expected.abs().max()
    log.info("%s, iteration 26: mean %.1e, largest %.1e", MASKED, difference.mean(), difference.max())
    assert difference.mean() < LIMIT / 10


def from_stored_latents(model, inversions, run: str, after: int, last: int) -> dict[int, torch.Tensor]:
    """The run from the iteration behind `after` on; the references' paths do not depend on masks."""
    from appearance_transfer.attention.windows import StepWindows

    first = after + 1
    whole = inversions[0].schedule
    percent_to_sigma = model.get_model_object("model_sampling").percent_to_sigma
    windows = StepWindows.of(whole.sigmas, percent_to_sigma).part(first, whole.steps - first)
    assert windows.structural == {step - first for step in (11, 16, 21, 26, 31, 36) if step >= first}
    output = golden(run, f"latents_{after}")[:1]
    appearance, structure = golden(UNMASKED, f"latents_{after}")[1:, None]

    def standing_at(inversion, latent):
        """An inversion's rest from there on, with a stored latent as its start, in ComfyUI's scaling."""
        schedule = inversion.schedule.tail(first)
        start = latent * (1 + schedule.sigmas[0] ** 2) ** 0.5
        return replace(
            inversion,
            trajectory=torch.cat([start[None], inversion.trajectory[first + 1 :]]),
            noise_maps=inversion.noise_maps[first:],
            schedule=schedule,
        )

    references = standing_at(inversions[0], structure), standing_at(inversions[1], appearance)
    start = standing_at(inversions[0], output).start
    return run_loop(model, *references, start=start, first=first, last=last, masks=masks_of(run), windows=windows)
