"""CONDITIONING <-> the plain tensors an inversion keeps, so that a reference is denoised under its own prompt."""

from typing import Any

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
