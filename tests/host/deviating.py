"""Latent Deviation on the small U-Net, as its tests set it up."""

import math

import torch
from appearance_transfer.tests.host import small_world as world

STEPS = 8
FIRST, LAST = 2, 4
ENSEMBLE = 2


def invert(model, latent, positive=1, steps=STEPS):
    from appearance_transfer.host.inversion.ddpm_and_ddim import invert_with_ddim
    from appearance_transfer.host.models.schedules import schedule_of

    with torch.inference_mode():
        return invert_with_ddim(model, latent, world.prompt(positive), world.prompt(2), schedule_of(model, steps=steps))


def deviating(structure, appearance, *, mixing=(), window=(FIRST, LAST), matching="none", ensemble=ENSEMBLE, **inputs):
    from appearance_transfer.correspondence.dift import DiftSettings
    from appearance_transfer.guidance.deviation import DeviationParams
    from appearance_transfer.host.transfer.latent_deviation import DeviationSampler, DeviationSettings

    dift = DiftSettings(ensemble=ensemble)
    within = world.window(*window, sigmas=structure.schedule.sigmas)
    return DeviationSampler(
        structure, appearance, DeviationSettings(DeviationParams(*mixing), within, matching, dift), **inputs
    )


def sample(model, structure, appearance, *, cfg=1.0, **options):
    guider = world.stock_guider(model, negative=world.prompt(2), cfg=cfg)
    return world.sample(model, structure, guider=guider, sampler=deviating(structure, appearance, **options))


def plain(model, structure, cfg=1.0):
    guider = world.stock_guider(model, negative=world.prompt(2), cfg=cfg)
    return world.sample(model, structure, guider=guider)


def warped_values(model, structure, appearance, step=FIRST, **options):
    """The appearance's x0 as laid over the structure: with delta 1, lambda 0 and gamma 1 it is the step's own x0."""
    from appearance_transfer.host.models.schedules import sigmas_tensor

    seen = []
    sampler = deviating(structure, appearance, mixing=(1.0, 0.0, 1.0), window=(step, step), **options)
    start = model.get_model_object("latent_format").process_out(structure.start)
    with torch.inference_mode():
        world.stock_guider(model).sample(
            torch.zeros_like(start), start, sampler, sigmas_tensor(structure.schedule), disable_pbar=True, seed=0,
            callback=lambda i, denoised, x, total: seen.append(denoised.clone()),
        )  # fmt: skip
    return seen[step]


def x0_of(model, inversion, step, conditioning):
    """ComfyUI's estimate of x0 at a recorded latent, under one text."""
    from appearance_transfer.host.runtime.model_runner import run_with_model

    sigma = inversion.schedule.sigmas[step]
    latent = model.get_model_object("latent_format").process_out(inversion.x0)
    with torch.inference_mode():
        return run_with_model(
            model, latent, lambda denoise, x0: denoise(inversion.trajectory[step].to(x0), sigma),
            positive=conditioning, negative=conditioning, guidance=1.0, sigmas=torch.tensor([sigma, 0.0]),
        )  # fmt: skip


def by_the_paper(model, structure, appearance, cfg, mask):
    """Spec 3.2 without matching, in the papers' scaling, eps found from x0: another road to the same image."""
    from appearance_transfer.host.runtime.model_runner import run_with_model

    delta, keep_latent, keep_noise = 0.6, 0.2, 0.2
    sigmas = structure.schedule.sigmas
    abars = [1 / (1 + sigma**2) for sigma in sigmas[:-1]] + [structure.schedule.pair(STEPS)[0] ** 2]
    estimates = {i: x0_of(model, appearance, i, world.prompt(3)) for i in range(FIRST, LAST + 1)}

    def body(denoise, x0):
        def eps_at(z, i):
            return (z - math.sqrt(abars[i]) * denoise(z / math.sqrt(abars[i]), sigmas[i])) / math.sqrt(1 - abars[i])

        x = structure.start.to(x0) * math.sqrt(abars[0])
        for i in range(STEPS):
            a, b = math.sqrt(abars[i]), math.sqrt(1 - abars[i])
            eps = eps_at(x, i)
            if FIRST <= i <= LAST:
                clean = (x - b * eps) / a
                moved = mask * ((1 - delta) * clean + delta * estimates[i]) + (1 - mask) * clean
                deviated = a * moved + b * eps
                x = keep_latent * x + (1 - keep_latent) * deviated
                eps = keep_noise * eps + (1 - keep_noise) * eps_at(deviated, i)
            x = math.sqrt(abars[i + 1]) * (x - b * eps) / a + math.sqrt(1 - abars[i + 1]) * eps
        return x / math.sqrt(abars[STEPS])

    latent_format = model.get_model_object("latent_format")
    with torch.inference_mode():
        x = run_with_model(
            model, latent_format.process_out(structure.x0), body, positive=world.prompt(1), negative=world.prompt(2),
            guidance=cfg, sigmas=torch.tensor(sigmas),
        )  # fmt: skip
    return latent_format.process_out(x) * math.sqrt(abars[STEPS])


OFF = {
    "delta": {"mixing": (0.0, 0.2, 0.2)},
    "lambda and gamma": {"mixing": (0.6, 1.0, 1.0)},
    "mask": {"mask": torch.zeros(1, 128, 128)},
    "window": {"window": (50, 60)},
}


def identity(images=1, grid=(16, 16)):
    from appearance_transfer.correspondence.correspondence import Correspondence

    positions = torch.arange(grid[0] * grid[1]).view(1, 1, *grid).expand(images, -1, -1, -1)
    ones = torch.ones(images, *grid)
    return Correspondence(positions, ones[:, None], ones, ones, grid, (128, 128), (128, 128))
