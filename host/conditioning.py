"""CONDITIONING <-> the plain tensors an inversion keeps, so that a reference is denoised under its own prompt."""

from typing import Any

import comfy.sampler_helpers
import comfy.samplers
from torch import Tensor

# What a prompt consists of for SD1.x, SD2.x and SDXL; everything else (ControlNet, areas, hooks) belongs to the
# output only.
PROMPT_KEYS = ("pooled_output",)


def pack(positive: list, negative: list) -> dict[str, Tensor]:
    """Embeddings of two CONDITIONINGs (first entry each): `<side>`, [b, T, C], and, if any, `<side>.pooled_output`."""
    packed: dict[str, Tensor] = {}
    for side, conditioning in (("positive", positive), ("negative", negative)):
        if not conditioning or conditioning[0][0] is None:
            raise ValueError(
                f"The {side} CONDITIONING is empty. Connect a CLIP Text Encode node (an empty text is fine)."
            )
        cross_attn, extras = conditioning[0]
        packed[side] = cross_attn.detach().float().cpu()
        for key in PROMPT_KEYS:
            if extras.get(key) is not None:
                packed[f"{side}.{key}"] = extras[key].detach().float().cpu()
    return packed


def unpack(packed: dict[str, Tensor], side: str) -> list[list[Any]]:
    """The CONDITIONING of one side, as `pack` stored it."""
    extras = {key: packed[f"{side}.{key}"] for key in PROMPT_KEYS if f"{side}.{key}" in packed}
    return [[packed[side], extras]]


def processed_prompt(model: Any, conditioning: list, x: Tensor, seed: Any) -> list[dict[str, Any]]:
    """A CONDITIONING as `calc_cond_batch` takes it, for an extra forward of the pictures x [B, C, h, w] inside a run.

    model: the host's BaseModel. x: on the device and in the shape of that forward.
    """
    prompt = comfy.sampler_helpers.convert_cond(conditioning)
    return comfy.samplers.process_conds(model, x, {"positive": prompt}, x.device, x, None, seed)["positive"]
