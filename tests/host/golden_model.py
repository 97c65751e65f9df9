"""The small random U-Net of the golden tensors as an ordinary MODEL of ComfyUI, and inversions of its tensors."""

import json
from pathlib import Path

import pytest
import torch
from appearance_transfer.tests.golden.reference import FULL_SET, SPLICE_AND_PIX2PIX_ZERO, golden
from safetensors.torch import load_file

STEPS, START = 100, 32


def golden_model():
    """A ModelPatcher with the golden weights; skips the test where the full set is not at hand."""
    weights, config = FULL_SET / "unet_ldm.safetensors", FULL_SET / "unet_config.json"
    if not weights.is_file():
        pytest.skip(f"the golden U-Net is only in the full golden set, which is not at {FULL_SET}")
    return model_from(json.loads(Path(config).read_text()), load_file(weights))


def pix2pix_zero_model():
    """The same with the random U-Net of pix2pix-zero's golden tensors."""
    weights = SPLICE_AND_PIX2PIX_ZERO / "p2pz_unet_ldm_fp16.safetensors"
    keymap = SPLICE_AND_PIX2PIX_ZERO / "p2pz_unet_keymap.json"
    if not weights.is_file():
        pytest.skip(f"the golden U-Net of pix2pix-zero is only in the full golden set, not at {weights.parent}")
    config = json.loads(keymap.read_text())["unet_config"]
    return model_from(config, {name: tensor.float() for name, tensor in load_file(weights).items()})


def model_from(config: dict, state: dict[str, torch.Tensor], prediction: str = "EPS"):
    """A MODEL of SD1.5's family (scaled-linear schedule) with any U-Net configuration, fp32, on the CPU.

    prediction: "EPS", or "V_PREDICTION" for what the network's answer means.
    """
    import comfy.model_base
    import comfy.model_patcher
    import comfy.supported_models

    family = type(
        "SmallSD",
        (comfy.supported_models.SD15,),
        {
            "unet_config": {},
            "unet_extra_config": {key: config[key] for key in ("num_heads", "num_head_channels")},
            "memory_usage_factor": 0.3,
        },
    )
    settings = family(dict(config))
    settings.set_inference_dtype(torch.float32, None)
    cpu = torch.device("cpu")
    model = comfy.model_base.BaseModel(settings, model_type=comfy.model_base.ModelType[prediction], device=cpu)
    model.diffusion_model.load_state_dict(state, strict=True)
    return comfy.model_patcher.ModelPatcher(model, load_device=cpu, offload_device=cpu)


def golden_inversion(model, role: str):
    """The stored inversion of "struct" or "app" as our record: drawn levels from the stored seed, stored noise maps."""
    from appearance_transfer.host.models.fingerprint import fingerprint
    from appearance_transfer.host.models.schedules import schedule_of
    from appearance_transfer.inversion.ddpm import draw_noise, noisy_levels
    from appearance_transfer.inversion.types import Inversion

    schedule = schedule_of(model, steps=STEPS, start_at=START)
    x0 = golden("inversion", f"x0_{role}")
    noise = draw_noise(x0, schedule, seed=int(golden("inversion", f"noise_seed_{role}")))
    return Inversion(
        trajectory=noisy_levels(x0, schedule, noise),
        noise_maps=golden("inversion", f"zs_{role}_from32")[:, None],
        schedule=schedule,
        eta=1.0,
        guidance=3.5,
        seed=0,
        method="ddpm",
        fingerprint=fingerprint(model),
        conditioning={"positive": golden("inversion", "text_cond"), "negative": golden("inversion", "text_uncond")},
    )


def papers_scaling(x: torch.Tensor, sigma: float) -> torch.Tensor:
    """x_t = x / sqrt(1 + sigma^2)"""
    return x / (1 + sigma**2) ** 0.5


class Recorder:
    """Between the steps: AdaIN, and a copy of the output's latent in the papers' scaling."""

    def __init__(self, operation, inversion, last: int):
        self.operation, self.inversion, self.last = operation, inversion, last
        self.seen: dict[int, torch.Tensor] = {}

    def __call__(self, latent, sigma, **about_the_step):
        if self.operation is not None:
            latent = self.operation(latent=latent, sigma=sigma, **about_the_step)
        step = self.inversion.schedule.index_of(sigma)
        self.seen[step] = papers_scaling(latent, self.inversion.schedule.sigmas[step + 1])
        if step == self.last:
            raise StopRun
        return latent


class StopRun(Exception):
    """Enough has been seen."""
