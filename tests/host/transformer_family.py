"""A tiny random transformer of one family with all that a transfer on it is made of."""

import pytest
import torch
from appearance_transfer.tests.host.tiny_transformers import TINY

STEPS = 4
REARRANGED = ("Flux.1", "Flux.2", "Chroma", "HunyuanImage", "Qwen-Image", "Krea 2")
"""Whose queries, keys and values ComfyUI hands out before positions enter."""
METHODS = ("attention", "rearrangement")


def supported(family: "Family", method: str) -> None:
    """Skip a test of a method that needs what ComfyUI does not hand out in this family."""
    if method == "rearrangement" and not any(family.tiny is TINY[name] for name in REARRANGED):
        pytest.skip("ComfyUI hands out nothing before positions enter.")


class Family:
    """A tiny network, its noised images, transfers on it, and what it predicts."""

    def __init__(self, name: str):
        from appearance_transfer.host.models.schedules import schedule_of

        self.tiny = TINY[name]
        self.model = self.tiny.model()
        self.schedule = schedule_of(self.model, steps=STEPS)
        self.structure = self.noised(1)
        self.appearance = self.noised(2)

    def noised(self, seed: int, images: int = 1, size=None, tokens: int = 12, text=None):
        """An image at every level of the schedule; it shares its text with the run unless `tokens` says otherwise."""
        from appearance_transfer.host.inversion.reference import noised_reference

        texts = text or self.tiny.prompt(1, tokens), self.tiny.prompt(2)
        latent = self.tiny.image(seed, images, size)
        return noised_reference(self.model, latent, *texts, self.schedule, seed=9)

    def inverted(self, seed: int, images: int = 1, text=None):
        """The DDPM inversion of an image, without text guidance, under the text that it shares with the run."""
        from appearance_transfer.host.inversion.ddpm_and_ddim import invert_with_ddpm

        texts = text or self.tiny.prompt(1), self.tiny.prompt(2)
        latent = self.tiny.image(seed, images)
        with torch.inference_mode():
            return invert_with_ddpm(self.model, latent, *texts, self.schedule, guidance=1.0, seed=seed)

    def transferred(self, appearances, *, method: str = "attention", structure=None, model=None, **settings):
        """A MODEL with a transfer whose window is the whole run."""
        from appearance_transfer.attention.windows import Window
        from appearance_transfer.host.transfer import cross_image_attention as attention
        from appearance_transfer.host.transfer import semantic_rearrangement as rearrangement
        from appearance_transfer.host.transfer.plan import Appearance

        images = [entry if isinstance(entry, Appearance) else Appearance(entry) for entry in appearances]
        settings = {"window": Window(0.0, 1.0)} | settings
        if method == "attention":
            merged = attention.CrossImageSettings(**{"contrast": 1.0} | settings)
            return attention.transfer_appearance(model or self.model, images, structure, merged)
        merged = rearrangement.RearrangementSettings(**settings)
        return rearrangement.rearrange_appearance(model or self.model, images, structure, merged)

    def identity_match(self):
        """Every position of the structure with itself."""
        from appearance_transfer.correspondence.correspondence import Correspondence

        grid = self.tiny.latent[1], self.tiny.latent[2]
        index = torch.arange(grid[0] * grid[1]).view(1, 1, *grid)
        alike = torch.ones(1, *grid)
        return Correspondence(index, alike[None], alike, alike, grid, grid, grid)

    def deviated(self, structure, appearance, *, matching: str = "none", delta: float = 0.6, correspondence=None):
        """[B, C, h, w] of an inverted structure that Latent Deviation replays, each step of it deviated."""
        from appearance_transfer.attention.windows import Window
        from appearance_transfer.guidance.deviation import DeviationParams
        from appearance_transfer.host.runtime.latents import in_vae_scale, without_frame
        from appearance_transfer.host.transfer.latent_deviation import DeviationSampler, DeviationSettings
        from appearance_transfer.tests.host.small_world import sample, stock_guider

        settings = DeviationSettings(DeviationParams(delta=delta), Window(0.0, 1.0), matching)
        guider = stock_guider(self.model, positive=self.tiny.prompt(1), negative=self.tiny.prompt(2))
        sampler = DeviationSampler(structure, appearance, settings, correspondence=correspondence)
        latent = in_vae_scale(structure.start, self.model.get_model_object("latent_format"))
        return without_frame(sample(self.model, structure, guider=guider, latent=latent, sampler=sampler))

    def predictions(self, model, x, *, cfg: float = 1.0, positive=None, negative=None, levels=(1, 2)):
        """(positive, negative) as the network predicts them at two levels; x [B, C, h, w] or a trajectory."""
        import comfy.samplers

        kept = []

        class Guider(comfy.samplers.CFGGuider):
            def predict_noise(self, x, timestep, model_options={}, seed=None):  # noqa: B006
                sides = [self.conds["positive"], self.conds["negative"] if cfg != 1 else None]
                out = comfy.samplers.calc_cond_batch(self.inner_model, sides, x, timestep, model_options)
                kept.append([side[:, :, 0] if side.ndim == 5 else side for side in out])
                return out[0]

        from appearance_transfer.host.runtime.model_runner import run_guider

        guider = Guider(model)
        guider.set_conds(positive or self.tiny.prompt(1), negative or self.tiny.prompt(2, tokens=9))
        sigmas = torch.tensor(self.schedule.sigmas)

        def body(denoise, x0):
            for level in levels:
                denoise((x if x.ndim == 4 else x[level]).to(x0), float(sigmas[level]))

        latent = x if x.ndim == 4 else x[-1]
        with torch.inference_mode():
            run_guider(guider, latent, body, sigmas=sigmas)
        return kept
