"""A small random SDXL, and refiner: beside the words its prompts hold a pooled text and the sizes of the image."""

import torch
from appearance_transfer.tests.host import small_world as world

POOLED = 8
SIZES = {"width": 700, "height": 640, "crop_w": 30, "crop_h": 200, "target_width": 900, "target_height": 300}
OTHER_SIZES = {"width": 64, "height": 4000, "crop_w": 0, "crop_h": 0, "target_width": 128, "target_height": 4000}
REFINED = {"width": 700, "height": 640, "aesthetic_score": 9.5}


def small_sdxl(seed: int = 0, refiner: bool = False):
    """A MODEL of SDXL's family with random weights, attention on /2 and /4; ComfyUI's own class reads the sizes."""
    import comfy.model_base
    import comfy.model_patcher
    import comfy.ops
    import comfy.supported_models
    from comfy.ldm.modules.diffusionmodules.openaimodel import UNetModel

    numbers = 5 if refiner else 6
    config = world.CONFIG | {
        "transformer_depth": [0, 1, 1],
        "transformer_depth_output": [0, 0, 1, 1, 1, 1],
        "num_classes": "sequential",
        "adm_in_channels": POOLED + 256 * numbers,
    }
    base = comfy.supported_models.SDXLRefiner if refiner else comfy.supported_models.SDXL
    family = type("SmallSDXL", (base,), {"unet_config": {}, "unet_extra_config": {}, "memory_usage_factor": 0.3})
    settings = family(dict(config))
    settings.set_inference_dtype(torch.float32, None)
    cpu = torch.device("cpu")
    kind = comfy.model_base.SDXLRefiner if refiner else comfy.model_base.SDXL
    model = kind(settings, device=cpu)
    unet = UNetModel(**config, dtype=torch.float32, device="cpu", operations=comfy.ops.manual_cast)
    model.diffusion_model.load_state_dict(world.random_state(unet, seed), strict=True)
    return comfy.model_patcher.ModelPatcher(model, load_device=cpu, offload_device=cpu)


def prompt(seed: int, **extras) -> list:
    """A CONDITIONING as CLIP Text Encode (SDXL) makes it, of random numbers; extras: SIZES unless given."""
    generator = torch.Generator().manual_seed(seed)
    text = torch.randn(1, 77, world.CONFIG["context_dim"], generator=generator)
    return [[text, {"pooled_output": torch.randn(1, POOLED, generator=generator)} | (extras or SIZES)]]
