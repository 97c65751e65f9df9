"""Who made this inversion: a short identity of a MODEL, stored with it and checked before it is used again."""

import hashlib
import json

import comfy.latent_formats
import comfy.utils
import torch
from comfy.model_patcher import ModelPatcher

from .architecture import identity_of, network_of

MOST_NUMBERS = 16
"""How many numbers of the weights stand in a fingerprint."""


def fingerprint(model: ModelPatcher) -> dict[str, str]:
    """Identity of a model.

    architecture: hash of the network's configuration, latent format and prediction type. noise_levels: the lowest and
    the highest. An inversion cannot be used on a model where one of these differs. weights: dtype and first numbers of
    a parameter that no LoRA or quantization touches; where only this differs the checkpoint is another one of the same
    family, and the inversion is no longer exact.
    """
    sampling = model.get_model_object("model_sampling")
    latent_format = type(model.get_model_object("latent_format")).__name__
    config = model.model.model_config.unet_config
    parts = {
        "config": {key: str(config[key]) for key in sorted(config) if key not in ("dtype", "device", "image_size")},
        "latent_format": latent_format,
        "prediction": [base.__name__ for base in type(sampling).__mro__[1:-1]],
    }
    architecture = hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()[:16]
    return {
        "architecture": architecture,
        "noise_levels": f"{float(sampling.sigma_min):.4f} to {float(sampling.sigma_max):.3f}",
        "weights": _weights(model),
        "latent_format": latent_format,
    }


def _weights(model: ModelPatcher) -> str:
    network = network_of(model)
    name = identity_of(network)
    if name is None or name not in dict(network.named_parameters()):
        return "unknown"
    known = comfy.utils.get_attr(network, name)
    numbers = known.detach().float().cpu().flatten()[:MOST_NUMBERS].tolist()
    return " ".join([str(known.dtype).removeprefix("torch."), *(f"{number:.9g}" for number in numbers)])


def same_weights(found: str, needed: str) -> bool:
    """Whether two fingerprints of weights are of one checkpoint, each loaded in any precision.

    In one dtype the numbers have to be equal; in two dtypes, equal but for the rounding of the coarser one. In fp8 that
    is so coarse that a fine-tune may pass for its base.
    """
    if found == needed:
        return True
    one, other = _parsed(found), _parsed(needed)
    if one is None or other is None or one[0] == other[0] or len(one[1]) != len(other[1]):
        return False
    info = max((torch.finfo(dtype) for dtype, _ in (one, other)), key=lambda info: info.eps)
    within = info.eps * torch.maximum(one[1].abs(), other[1].abs()).clamp(min=info.smallest_normal)
    return bool(((one[1] - other[1]).abs() <= within).all())


def _parsed(weights: str) -> tuple[torch.dtype, torch.Tensor] | None:
    """(dtype, numbers) of a fingerprint of weights; None where it is none, as in a file from elsewhere."""
    name, *numbers = weights.split(" ")
    dtype = getattr(torch, name, None)
    if not (isinstance(dtype, torch.dtype) and dtype.is_floating_point):
        return None
    try:
        return dtype, torch.tensor([float(number) for number in numbers], dtype=torch.float64)
    except ValueError:
        return None


def check_model(found: dict[str, str], model: ModelPatcher) -> bool:
    """Check that an inversion fits a model; returns whether even the weights are the same.

    Raises ValueError where the architecture differs.
    """
    needed = fingerprint(model)
    if found.get("architecture") != needed["architecture"]:
        raise ValueError(
            f"This inversion was made with another kind of model (fingerprint {found.get('architecture')}, "
            f"the connected MODEL has {needed['architecture']}). Invert the image again with the MODEL that samples "
            "it."
        )
    if found.get("noise_levels", needed["noise_levels"]) != needed["noise_levels"]:
        raise ValueError(
            f"This inversion was made at other noise levels, {found['noise_levels']}; the connected MODEL has "
            f"{needed['noise_levels']}, as after a node such as ModelSamplingFlux. Invert the image again with the "
            "MODEL that samples it."
        )
    return same_weights(found.get("weights", ""), needed["weights"])


def latent_format_of(found: dict[str, str]) -> comfy.latent_formats.LatentFormat:
    """The latent format named in a fingerprint, to turn the inversion's latents into an ordinary LATENT."""
    name = found.get("latent_format", "")
    cls = getattr(comfy.latent_formats, name, None)
    if not (isinstance(cls, type) and issubclass(cls, comfy.latent_formats.LatentFormat)):
        raise ValueError(
            f"The inversion names the latent format {name!r}, which this ComfyUI does not have. Make it again."
        )
    return cls()
