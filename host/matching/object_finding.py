"""Find Object with a MODEL: one evaluation of each image, or features that are there already."""

import logging
from collections.abc import Sequence
from typing import Any

import torch
from comfy.model_patcher import ModelPatcher
from torch import Tensor
from torch.nn.functional import interpolate

from ...correspondence.dift import DiftSettings
from ...correspondence.features import Features
from ...correspondence.points import Point
from ...objects.evidence import ObjectEvidence
from ...objects.find import Clicks, FoundObject, find_object
from ..models.architecture import network_of
from ..models.conditioning import first_text, processed_prompt
from ..models.plain_model import check_plain
from ..models.unet import up_block_ends
from ..runtime.model_runner import Denoise, run_with_model
from .dift_features import up_blocks_of_x0
from .recipes import recipe_of

log = logging.getLogger("appearance_transfer")


def object_maps(model: ModelPatcher, latent: Tensor, positive: list, seed: int) -> list[Tensor]:
    """The features [B, C, h, w] of several up blocks that tell the object of images, by one evaluation of each.

    latent: [B, C, h, w] in the VAE's scale. Raises ValueError for an unsupported architecture and for a model that
    carries a transfer.
    """
    check_plain(model)
    up_block_ends(network_of(model))
    recipe = recipe_of(model)
    settings = DiftSettings(timestep=recipe.timestep, ensemble=1, seed=seed, batch=1)
    text = first_text(positive)
    clean = model.get_model_object("latent_format").process_in(latent)
    sigma = model.get_model_object("model_sampling").sigmas[settings.timestep]
    log.info("%d evaluations of the model, one of every image.", len(latent))

    def body(denoise: Denoise, x: Tensor) -> list[Tensor]:
        prompt = processed_prompt(model.model, text, x, seed)
        return up_blocks_of_x0(model.model, clean.to(x), prompt, settings, recipe.object_blocks, model.model_options)

    sigmas = torch.stack([sigma, torch.zeros_like(sigma)])
    return run_with_model(model, latent, body, positive=text, negative=text, guidance=1.0, sigmas=sigmas, seed=seed)


def find_objects(
    images: Tensor,
    maps: Sequence[Tensor],
    clicks: Clicks | None = None,
    hint: Tensor | None = None,
) -> Tensor:
    """MASK [B, H, W] with soft edges at the size of images [B, H, W, 3 or 4]; says how sure it is.

    maps: [B, C, h, w] each. hint: MASK [B or 1, h, w]. Raises ValueError for maps of another number of images.
    """
    if any(len(one) != len(images) for one in maps):
        raise ValueError(
            f"There are {len(images)} images and features of {len(maps[0])}. Connect the features of these images."
        )
    found: list[FoundObject] = []
    for i, image in enumerate(images):
        own_hint = None if hint is None else hint[i % len(hint)]
        found.append(find_object([one[i].cpu() for one in maps], image[..., :3].cpu(), clicks=clicks, hint=own_hint))
    masks = torch.stack([one.mask for one in found])
    masks = interpolate(masks[:, None], size=images.shape[1:3], mode="bilinear", align_corners=False)[:, 0]
    for i, one in enumerate(found):
        log.info(
            "Image %d: the object covers %.0f%% of it, %.0f%% sure%s.", i, 100 * masks[i].mean(), 100 * one.certainty,
            "; the hint exchanged it with its background" if one.complement else "",
        )  # fmt: skip
        if not bool(masks[i].any()):
            log.warning("No object was found in image %d: its mask is empty. Click on the object.", i)
    return masks


def first_evidence(images: Tensor, maps: Sequence[Tensor], hint: Tensor | None = None) -> ObjectEvidence:
    """What the object of the first image is found by; as `find_objects` takes them."""
    return ObjectEvidence.of(
        [one[0].cpu() for one in maps], images[0, ..., :3].cpu(), None if hint is None else hint[0].cpu()
    )


def maps_of(
    images: Tensor, features: Features | None, model: ModelPatcher | None, vae: Any, positive: list | None, seed: int
) -> list[Tensor]:
    """Features [B, C, h, w] of images [B, H, W, 3 or 4]: those that are connected, or the model's.

    Raises ValueError where neither or both are there.
    """
    parts = {"model": model, "vae": vae, "positive": positive}
    missing = [name for name, part in parts.items() if part is None]
    if (features is None) == (len(missing) == len(parts)):
        found = "Nothing to find the object by is connected" if features is None else "Both are connected"
        raise ValueError(f"{found}. Connect either model, vae and positive, or features.")
    if features is not None:
        return [features.values]
    if missing:
        raise ValueError(
            f"Find Object lacks {' and '.join(missing)}. Connect model, vae and positive together, or features alone."
        )
    return object_maps(model, vae.encode(images[..., :3]), positive, seed)


def as_clicks(objects: Sequence[Point], background: Sequence[Point], image: tuple[int, int]) -> Clicks:
    """Points (x, y) in pixels of an image (H, W) as clicks. Raises ValueError for points outside."""
    height, width = image
    for name, points in (("object_points", objects), ("background_points", background)):
        for x, y in points:
            if not (0 <= x < width and 0 <= y < height):
                raise ValueError(
                    f"{name}: the point ({x:g}, {y:g}) lies outside of the image, which is {width} pixels wide and "
                    f"{height} high."
                )
    relative_points = (tuple((y / height, x / width) for x, y in points) for points in (objects, background))
    return Clicks(*relative_points)
