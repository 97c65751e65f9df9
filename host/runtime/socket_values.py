"""What a value must be to pass through a socket of one type, whatever node it arrives at."""

import importlib
import re
from collections.abc import Callable, Sequence
from typing import Any

import torch
from comfy.model_patcher import ModelPatcher
from torch import Tensor

from .supported import SUPPORTED, TRANSFORMERS

OURS = {
    "INVERSION": ("...inversion.types", "Inversion", "from an Invert Image node or Load Inversion"),
    "REFERENCE": ("...inversion.types", "Inversion", "from Reference Image"),
    "APPEARANCE": ("..transfer.plan", "Appearance", "from Appearance Options"),
    "FEATURES": ("...correspondence.features", "Features", "from DIFT Features or DINO Features"),
    "MATCHES": ("...correspondence.correspondence", "Correspondence", "from Match Features"),
    "EDIT_DIRECTION": ("...editing.direction", "EditDirection", "from Edit Direction or Load Edit Direction"),
    "DINO_VIT": ("..vit.dino", "ManagedVit", "from Load DINO ViT"),
    "SPLICE_GENERATOR": ("...splice.checkpoint", "TrainedGenerator", "from Train Splice or Load Splice Generator"),
    "DISTILLED_EDITOR": (
        "...distillation.checkpoint", "DistilledEditor", "from Train Distilled Editor or Load Distilled Editor",
    ),
    "PERCEPTUAL_NETWORK": ("..evaluation.perceptual", "PerceptualNetwork", "from Load Perceptual Network"),
}  # fmt: skip
"""Our own types of socket, without their prefix: where the class of their values stands, and which nodes give them."""

PREFIX = "APPEARANCE_TRANSFER_"
"""As in nodes/sockets.py."""

METHODS = {
    "CLIP": (("tokenize",), "connect the CLIP of a checkpoint"),
    "VAE": (("encode", "decode"), "connect the VAE of a checkpoint, or Load VAE"),
    "CLIP_VISION": (("encode_image",), "connect Load CLIP Vision"),
    "LATENT_OPERATION": (("__call__",), "connect AdaIN or another latent operation"),
    "GUIDER": (("sample",), "connect Appearance Guider or another guider"),
}
"""ComfyUI's types that packs offer in classes of their own: what is called of them here, and what to connect."""


def complaint(kinds: Sequence[str], value: Any) -> str | None:
    """What is wrong with a value, to be read after the name of its input; None where it is one of these types.

    kinds: of the socket. Of several, the value must fit one; the complaint is then that of the nearest.
    """
    complaints = [_complaint(kind, value) for kind in kinds]
    if None in complaints:
        return None
    foreign = f"is {_described(value)}, which is none of {', '.join(kinds)}; connect one of these."
    near = [text for text in complaints if text and not text.startswith(f"is {_described(value)}")]
    return near[0] if near else complaints[0] if len(kinds) == 1 else foreign


def all_finite(tensor: Tensor) -> bool:
    """Whether no number is NaN or infinite. One pass, without a copy, for numbers whose sum is finite."""
    if not (tensor.is_floating_point() or tensor.is_complex()):
        return True
    return bool(torch.isfinite(tensor.sum())) or bool(torch.isfinite(tensor).all())


def _complaint(kind: str, value: Any) -> str | None:
    if kind.startswith(PREFIX):
        module, name, source = OURS[kind.removeprefix(PREFIX)]
        kept = getattr(importlib.import_module(module, __package__), name)
        return None if isinstance(value, kept) else f"is {_described(value)}; connect one {source}."
    if kind in METHODS:
        methods, advice = METHODS[kind]
        present = value is not None and not isinstance(value, type)
        fits = present and all(callable(getattr(value, method, None)) for method in methods)
        return None if fits else f"is {_described(value)}; {advice}."
    return TENSORS[kind](value) if kind in TENSORS else None


def _model(value: Any) -> str | None:
    if not isinstance(value, ModelPatcher):
        return f"is {_described(value)}; connect the MODEL of a checkpoint."
    network = getattr(value.model, "diffusion_model", None)
    architecture = importlib.import_module("..models.architecture", __package__)
    if architecture.is_unet(network) or architecture.transformer_of(network) is not None:
        return None
    return (
        f"is a {type(network).__name__}, whose attention this pack does not know. It works with {SUPPORTED}, and with "
        f"{TRANSFORMERS}. Load one of these."
    )


def _image(value: Any) -> str | None:
    return _numbers(value, "IMAGE", "[B, H, W, 3]", (4,)) or (
        None if value.shape[-1] in (3, 4) else
        f"has {value.shape[-1]} channel(s) per pixel; connect an IMAGE with 3 (RGB) or 4 (RGBA)."
    )  # fmt: skip


def _mask(value: Any) -> str | None:
    return _numbers(value, "MASK", "[B, H, W]", (2, 3))


def _latent(value: Any) -> str | None:
    if not isinstance(value, dict) or "samples" not in value:
        return f"is {_described(value)}; connect a LATENT, for example from VAE Encode."
    if getattr(value["samples"], "is_nested", False):
        return "holds latents of several kinds at once (image and sound); connect the LATENT of an image."
    return _numbers(value["samples"], "LATENT", "[B, C, h, w]", (4, 5))


def _conditioning(value: Any) -> str | None:
    if not isinstance(value, (list, tuple)) or not all(isinstance(entry, (list, tuple)) for entry in value):
        return f"is {_described(value)}; connect a CONDITIONING, for example from CLIP Text Encode."
    if not value:
        return "holds no prompt; connect CLIP Text Encode (an empty text is fine)."
    for entry in value:
        if len(entry) != 2 or not isinstance(entry[1], dict):
            return "holds an entry that is no prompt with its options; connect CLIP Text Encode."
        wrong = _numbers(entry[0], "CONDITIONING", "[B, tokens, channels]", (3,))
        if wrong:
            return wrong
        for name, extra in entry[1].items():
            if isinstance(extra, Tensor) and not all_finite(extra):
                return f"holds NaN or infinite numbers in its {name}; encode the text anew, in a higher precision."
    return None


def _sigmas(value: Any) -> str | None:
    wrong = _numbers(value, "SIGMAS", "[steps + 1]", (1,))
    if wrong:
        return wrong
    return "holds a noise level below 0; connect the SIGMAS of a scheduler." if bool((value < 0).any()) else None


def _string(value: Any) -> str | None:
    if not isinstance(value, str):
        return f"is {_described(value)}; it must be a text."
    if "\0" in value or re.search("[\ud800-\udfff]", value):
        return "holds characters that no text has (null, or half of a pair); type it anew."
    return None


def _boolean(value: Any) -> str | None:
    return None if isinstance(value, bool) else f"is {_described(value)}; it must be true or false."


def _numbers(value: Any, kind: str, form: str, dimensions: Sequence[int]) -> str | None:
    if not isinstance(value, Tensor) or value.layout != torch.strided:
        return f"is {_described(value)}; connect {_an(kind)} {form}."
    shape = list(value.shape)
    if value.ndim not in dimensions or not value.is_floating_point():
        return f"has the shape {shape} ({value.dtype}); connect {_an(kind)} {form} of floating-point numbers."
    if 0 in shape:
        return f"is empty: its shape is {shape}. Connect {_an(kind)} {form} that holds something."
    if not all_finite(value):
        return f"holds NaN or infinite numbers; connect {_an(kind)} of finite numbers."
    return None


def _an(kind: str) -> str:
    return f"an {kind}" if kind[0] in "AEIO" else f"a {kind}"


def _described(value: Any) -> str:
    """What a value is, in a few words."""
    if value is None:
        return "nothing (None)"
    if isinstance(value, Tensor):
        return f"a tensor of the shape {list(value.shape)}"
    return f"a value of the type {type(value).__name__!r}"


TENSORS: dict[str, Callable[[Any], str | None]] = {
    "MODEL": _model,
    "IMAGE": _image,
    "MASK": _mask,
    "LATENT": _latent,
    "CONDITIONING": _conditioning,
    "SIGMAS": _sigmas,
    "STRING": _string,
    "BOOLEAN": _boolean,
}
