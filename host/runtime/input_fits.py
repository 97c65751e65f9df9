"""Inputs of a node that must fit one another: a mask its image, a latent and a text their MODEL."""

from collections.abc import Mapping, Sequence
from typing import Any

import comfy.model_base
from torch import Tensor

MASKED = {"mask": ("output", "structure")}
"""What a mask is of, by the input's name; any other `x_mask` is of `x`, see `_owners`."""

SLACK = 0.05
"""How far the aspect ratios of a mask and its image may differ: encoders crop to a multiple of their stride."""

Arrived = Mapping[str, tuple[Sequence[str], Any]]
"""The types of socket and the value of every input, by its name."""


def check_together(arrived: Arrived) -> None:
    """Raise ValueError, naming the input, where values that are each sound do not fit together."""
    model = next((value for kinds, value in arrived.values() if list(kinds) == ["MODEL"]), None)
    for name, (kinds, value) in arrived.items():
        if list(kinds) == ["MASK"]:
            for owner in _owners(name):
                if owner in arrived and (extent := _extent(arrived[owner][1])):
                    check_mask(value, *extent, name=name, of=owner)
                    break
        elif model is not None and list(kinds) == ["LATENT"]:
            _check_latent(name, value["samples"], model)
        elif model is not None and list(kinds) == ["CONDITIONING"]:
            _check_text(name, value, model)


def check_mask(mask: Tensor, count: int | None, size: tuple[int, int], *, name: str, of: str) -> None:
    """Raise ValueError unless a MASK, [B, H, W] or [H, W] at any resolution, is of these images.

    count: how many images there are, for one mask or one for each; None does not look at the number. size: (H, W) of
    the images, or of their latents; only the aspect ratio counts. name, of: the inputs, for the message.
    """
    masks = len(mask) if mask.ndim == 3 else 1
    if count is not None and masks not in (1, count):
        raise ValueError(f"{name} holds {masks} masks and {of} {count} image(s). Connect one for all, or one for each.")
    (height, width), (high, wide) = mask.shape[-2:], size
    # apart, in pixels of the coarser of the two; a stride that does not divide the image costs up to one
    apart = min(abs(height - high * width / wide), abs(high - height * wide / width))
    if apart > 1 and abs(height * wide / (width * high) - 1) > SLACK:
        raise ValueError(
            f"{name} is {width}x{height}, which is another shape than {of} ({wide}x{high}). Connect a mask of the same "
            "aspect ratio, made from that image."
        )


def check_output_mask(mask: Tensor | None, shape: Sequence[int], name: str) -> None:
    """Raise ValueError unless a MASK is of the outputs to sample, latents of this shape [B, C, h, w].

    Fewer masks than outputs are repeated, as ComfyUI does, where the numbers divide.
    """
    if mask is None:
        return
    masks = len(mask) if mask.ndim == 3 else 1
    outputs = shape[0]
    size = (shape[-2], shape[-1])
    check_mask(mask, None if outputs % masks == 0 else outputs, size, name=f"The {name}", of="the latent to sample")


def _owners(name: str) -> Sequence[str]:
    """The inputs that a mask may be of, the likeliest first."""
    if "." in name:  # a region of Match Features: structure_regions.region0
        return (name.partition("_")[0],)
    stem = name.removesuffix("_mask")
    return MASKED.get(name, (stem, "inversion", "reference", "matches"))


def _extent(value: Any) -> tuple[int | None, tuple[int, int]] | None:
    """How many images a value is of, and their height and width; None where it has none."""
    if isinstance(value, Tensor) and value.ndim == 4:
        return len(value), (value.shape[1], value.shape[2])
    if hasattr(value, "trajectory"):
        return value.images, value.size
    if hasattr(value, "appearance_grid"):
        return value.images, value.appearance_image
    if hasattr(value, "grid"):
        return value.images, value.image
    return None


def _check_latent(name: str, samples: Tensor, model: Any) -> None:
    channels = model.get_model_object("latent_format").latent_channels
    if samples.shape[1] != channels:
        raise ValueError(
            f"{name} has {samples.shape[1]} channels and the MODEL works on {channels}. Encode the image with the VAE "
            "of that checkpoint."
        )


def _check_text(name: str, conditioning: Sequence[Any], model: Any) -> None:
    width = model.model.model_config.unet_config.get("context_dim")
    for text, options in conditioning:
        if width is not None and text.shape[-1] != width:
            raise ValueError(
                f"{name} has {text.shape[-1]} channels per token and the MODEL reads {width}. Encode the text with the "
                "CLIP of that checkpoint."
            )
        needs_pooled = isinstance(model.model, (comfy.model_base.SDXL, comfy.model_base.SDXLRefiner))
        if needs_pooled and options.get("pooled_output") is None:
            raise ValueError(
                f"{name} has no pooled output, which SDXL needs. Encode the text with the CLIP of that checkpoint."
            )
