"""Find Object with a MODEL: one evaluation of each image, or features that are there already."""

import logging
from collections.abc import Sequence
from typing import Any

import torch
from comfy.model_patcher import ModelPatcher
from torch import Tensor
from torch.nn.functional import interpolate

from ...correspondence.features import Features
from ...correspondence.points import Point
from ...objects.evidence import ObjectEvidence
from ...objects.find import Clicks, FoundObject, find_object
from .recipes import feature_maps, recipe_of

log = logging.getLogger("appearance_transfer")


def object_maps(model: ModelPatcher, latent: Tensor, positive: list, seed: int) -> list[Tensor]:
    """The features [B, C, h, w] of the blocks that tell the object of images, coarse to fine on a U-Net; by one
    evaluation of each image, or a few on a transformer.

    latent: [B, C, h, w] or [B, C, 1, h, w] in the VAE's scale. Raises ValueError for an unsupported architecture, for
    latents of another kind, and for a model that carries a transfer.
    """
    recipe = recipe_of(model).of_objects
    log.info("%d evaluations of the model, %d of every image.", len(latent) * recipe.draws, recipe.draws)
    maps = feature_maps(model, latent, positive, recipe, seed)
    return [maps[block] for block in recipe.object_blocks]


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
