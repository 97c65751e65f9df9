"""CONDITIONING <-> what an inversion keeps of it, so that a reference is denoised under its own prompt."""

import numbers
from typing import Any

import comfy.conds
import comfy.sampler_helpers
import comfy.samplers
import torch
from torch import Tensor

from ...inversion.conditioning import Entry, check_entry, is_finite

REFUSED = {
    "control": ("a ControlNet", "Apply ControlNet"),
    "gligen": ("GLIGEN boxes", "GLIGEN Textbox Apply"),
    "hooks": ("hooks, such as a LoRA on the text", "the hooks are set"),
    "default": ("the mark of a default text of hooks", "the hooks are set"),
    "area": ("an area", "Conditioning (Set Area)"),
    "mask": ("a mask", "Conditioning (Set Mask)"),
}
"""What ties a text to a part of the image, to other networks, or to hooks: entry, what it is, the node that adds it."""

NO_PART = {"strength", "mask_strength", "set_area_to_bounds", "control_apply_to_uncond", "start_percent", "end_percent"}
"""What says how several texts are mixed; of a text that is alone, on all steps and everywhere, it changes nothing."""


def pack(positive: list, negative: list) -> dict[str, Entry]:
    """Everything that the texts of two CONDITIONINGs consist of, as inversion/conditioning.py names it, on the CPU.

    Floating-point tensors in fp32, others as they are.
    Raises ValueError, naming it, for what an inversion cannot keep: several texts, none, one for a part of the image or
    of the steps, ControlNet, GLIGEN, hooks, and objects of no kind that we know.
    """
    packed: dict[str, Entry] = {}
    for side, conditioning in (("positive", positive), ("negative", negative)):
        _check_one_text(side, conditioning)
        [[embedding, extras]] = first_text(conditioning)
        packed[side] = _plain(embedding)
        for name, value in extras.items():
            packed[f"{side}.{name}"] = _entry(side, name, value)
    return packed


def check_packed(packed: dict[str, Entry], images: int) -> None:
    """Raises ValueError for texts that are not one for all images or one for each, or that hold NaN."""
    for name, entry in packed.items():
        side = name.partition(".")[0]
        rows = len(entry) if isinstance(entry, Tensor) and entry.ndim > 1 else 1
        if rows not in (1, images):
            raise ValueError(
                f"The {side} CONDITIONING holds {rows} texts for {images} images. Connect one for all, or one for each."
            )
        check_entry(name, entry, images)
        if not is_finite(entry):
            raise ValueError(
                f"The {side} CONDITIONING holds NaN or infinite numbers ({name}). Encode the text again, with a text "
                "encoder in a higher precision."
            )


def unpack(packed: dict[str, Entry], side: str) -> list[list[Any]]:
    """The CONDITIONING of one side, as `pack` stored it."""
    extras = {name.removeprefix(f"{side}."): entry for name, entry in packed.items() if name.startswith(f"{side}.")}
    return [[packed[side], {n: list(entry) if isinstance(entry, tuple) else entry for n, entry in extras.items()}]]


def first_text(conditioning: list) -> list[list[Any]]:
    """The first text of a CONDITIONING alone: everywhere, on all steps, without ControlNet, GLIGEN and hooks."""
    embedding, extras = conditioning[0]
    return [[embedding, {name: value for name, value in extras.items() if name not in REFUSED.keys() | NO_PART}]]


def same_text(one: list, other: list) -> bool:
    """Whether the first texts of two CONDITIONINGs are equal, with everything they consist of."""
    [[a, extras_a]], [[b, extras_b]] = first_text(one), first_text(other)
    return torch.equal(a, b) and comfy.conds.is_equal(extras_a, extras_b)


def processed_prompt(
    model: Any, conditioning: list, x: Tensor, seed: Any, side: str = "positive"
) -> list[dict[str, Any]]:
    """A CONDITIONING as `calc_cond_batch` takes it, for an extra forward of the images x [B, C, h, w] inside a run.

    model: ComfyUI's BaseModel. x: on the device and in the shape of that forward. side: "positive" or "negative", on
        which what a text does not say may depend (the refiner's aesthetic score).
    """
    prompt = comfy.sampler_helpers.convert_cond(conditioning)
    return comfy.samplers.process_conds(model, x, {side: prompt}, x.device, x, None, seed)[side]


def _check_one_text(side: str, conditioning: list) -> None:
    if not conditioning or conditioning[0][0] is None:
        raise ValueError(f"The {side} CONDITIONING is empty. Connect a CLIP Text Encode node (an empty text is fine).")
    if len(conditioning) > 1:
        raise ValueError(
            f"The {side} CONDITIONING holds {len(conditioning)} texts, and an inversion is made under one. Connect one "
            "CLIP Text Encode, from before Conditioning (Combine)."
        )
    extras = conditioning[0][1]
    for name, (what, node) in REFUSED.items():
        if extras.get(name) is not None:
            raise ValueError(
                f"The {side} CONDITIONING carries {what} ({name}), which an inversion cannot keep. Connect the text "
                f"from before {node}; the text that samples may carry it."
            )
    if extras.get("start_percent", 0.0) > 0 or extras.get("end_percent", 1.0) < 1:
        raise ValueError(
            f"The {side} CONDITIONING is for a part of the steps (start_percent, end_percent), and an inversion is "
            "made under one text on all steps. Connect the text from before ConditioningSetTimestepRange."
        )


def _entry(side: str, name: str, value: Any) -> Entry:
    """An entry as an inversion keeps it. Raises ValueError, naming it, for what is of no kind that we know."""
    parts = value if isinstance(value, (list, tuple)) else [value]
    tensors = [isinstance(part, Tensor) and not part.is_complex() and part.ndim > 0 for part in parts]
    plain = [part is None or isinstance(part, (str, numbers.Real)) for part in parts]
    if not str(name).isidentifier() or not (all(tensors) or all(plain)):
        raise ValueError(
            f"The {side} CONDITIONING holds an entry {str(name)[:60]!r} of a kind that an inversion cannot keep "
            f"({type(value).__name__}); it keeps tensors, numbers, texts and lists of these. Connect the text from "
            "before the node that adds it."
        )
    kept = tuple(map(_plain, parts))
    return kept if isinstance(value, (list, tuple)) else kept[0]


def _plain(value: Any) -> Entry:
    if isinstance(value, Tensor):
        return (value.detach().float() if value.is_floating_point() else value.detach()).cpu()
    if value is None or isinstance(value, (str, bool)):
        return value
    return int(value) if isinstance(value, numbers.Integral) else float(value)
