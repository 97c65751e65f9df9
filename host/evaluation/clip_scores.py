"""How well images agree with a text or with other images, to ComfyUI's CLIP and CLIP_VISION: cosines of their
shared space.
"""

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import torch
import torch.nn.functional as F  # noqa: N812
from torch import Tensor

from ...evaluation.masked_crop import masked_crop
from ...evaluation.masks import mask_per_image
from ...evaluation.metric_result import MetricResult, check_count
from ...storage.regular_file import open_regular
from ...storage.safetensors_table import read_table
from ..runtime.files import SUFFIX
from ..runtime.images import one_by_one
from ..runtime.quoting import quoted

PROJECTIONS = "text_projection", "text_projection.weight"
"""Ends of the names under which files of CLIP keep it: as the authors write it, and as Hugging Face does."""


@dataclass(frozen=True)
class ClipScorer:
    """A text and who judges whether images show it.

    vision: CLIP_VISION. clip: CLIP with the text encoder of the same CLIP, projection included.
    """

    vision: Any
    clip: Any
    text: str

    def gains(self, before: Tensor, after: Tensor) -> Tensor:
        """How much more the edits agree with the text than their originals, IMAGEs [B, H, W, 3] -> [B].

        Raises ValueError where the two CLIPs do not share a space.
        """
        old, new = agreement(image_embedding(self.vision, torch.cat([before, after])), self.meaning).chunk(2)
        return new - old

    @cached_property
    def meaning(self) -> Tensor:
        """The text in the shared space, [1, C]."""
        return text_embedding(self.clip, self.text)


def clip_scorer(vision: Any, clip: Any, text: str) -> ClipScorer | None:
    """A judge, where one is wanted. Raises ValueError where a half of it, or the text, is missing."""
    if vision is None and clip is None:
        return None
    if vision is None or clip is None:
        raise ValueError(
            f"Only {'clip' if vision is None else 'clip_vision'} is connected; to judge edits, connect clip_vision and "
            "clip, the two halves of the same CLIP, or neither."
        )
    if not text.strip():
        raise ValueError("A CLIP is connected, but there is no text to judge the edits by; say what they should show.")
    return ClipScorer(vision, clip, text)


def agreement_with_text(
    vision: Any, clip: Any, text: str, output: Tensor, output_mask: Tensor | None = None
) -> MetricResult:
    """Cosines of IMAGEs, or of what a MASK shows of them, with a text."""
    seen = _meaning_of_objects(vision, output, output_mask)
    return MetricResult(
        agreement(seen, _meaning_of(clip, text)).tolist(), f"cosine to CLIP of images and {quoted(text.strip())}"
    )


def agreement_with_images(
    vision: Any,
    output: Tensor,
    appearance: Tensor,
    output_mask: Tensor | None = None,
    appearance_mask: Tensor | None = None,
) -> MetricResult:
    """Cosines of IMAGEs, or of what MASKs show of them."""
    check_count(output, appearance, "appearance image")
    pairs = ((output, output_mask), (appearance, appearance_mask))
    mine, expected = (_meaning_of_objects(vision, image, mask) for image, mask in pairs)
    return MetricResult(agreement(mine, expected).tolist(), "cosine to CLIP of images")


def clip_accuracy(vision: Any, clip: Any, output: Tensor, source_text: str, target_text: str) -> MetricResult:
    """1 for each image of an IMAGE that agrees more with the target's text than with the source's, else 0.

    The mean is CLIP-Acc (pix2pix-zero, section 4.1).
    """
    source, target = _meaning_of(clip, source_text), _meaning_of(clip, target_text)
    seen = torch.cat([image_embedding(vision, image) for image in one_by_one(output)])
    to_source, to_target = agreement(seen, source), agreement(seen, target)
    cosines = zip(to_target.tolist(), to_source.tolist(), strict=True)
    remarks = [f"target {b:.4f}, source {a:.4f}" for b, a in cosines]
    how = f"nearer to {quoted(target_text.strip())} than to {quoted(source_text.strip())}, to CLIP"
    return MetricResult((to_target > to_source).float().tolist(), how, remarks)


def agreement(seen: Tensor, meaning: Tensor) -> Tensor:
    """Cosines [B] of images [B, C] and what they are compared with [B or 1, C].

    Raises ValueError where the two do not share a space.
    """
    if seen.shape[1] != meaning.shape[1]:
        raise ValueError(
            f"The CLIP_VISION gives {seen.shape[1]} numbers per image and the CLIP {meaning.shape[1]} per "
            "text, so that they cannot be compared. Load both halves of the same CLIP, such as ViT-L/14."
        )
    return F.cosine_similarity(seen, meaning)


def image_embedding(vision: Any, image: Tensor) -> Tensor:
    """IMAGE in the shared space, [B, C]."""
    return vision.encode_image(image[..., :3]).image_embeds.float().cpu()


def text_embedding(clip: Any, text: str) -> Tensor:
    """A text in the shared space, [1, C]. Raises ValueError where the CLIP does not bring it there.

    It is projected here: of a CLIP-L alone ComfyUI hands out the embedding from before, which is in no shared space.
    """
    _, pooled = clip.encode_from_tokens(clip.tokenize(text), return_pooled="unprojected")
    projection = None if pooled is None else _projection(clip, pooled.shape[1])
    if projection is None:
        raise ValueError(
            "This CLIP does not bring texts into the space of images: its file has no text projection, as those of "
            "SD1.5 checkpoints and clip_l.safetensors. Load model.safetensors of openai/clip-vit-large-patch14, which "
            "holds both halves, with Load CLIP and Load CLIP Vision."
        )
    return pooled.float().cpu() @ projection.mT


def _meaning_of(clip: Any, text: str) -> Tensor:
    if not text.strip():
        raise ValueError("There is no text to compare images with; say what they should show.")
    return text_embedding(clip, text.strip())


def _meaning_of_objects(vision: Any, images: Tensor, mask: Tensor | None) -> Tensor:
    """[B, C]; of each image, only what its mask shows."""
    if mask is None:
        return torch.cat([image_embedding(vision, image) for image in one_by_one(images)])
    masks = mask_per_image(mask, len(images), images.shape[1:3])
    crops = [masked_crop(image[0, ..., :3], one) for image, one in zip(one_by_one(images), masks, strict=True)]
    return torch.cat([image_embedding(vision, crop[None]) for crop in crops])


def _projection(clip: Any, width: int) -> Tensor | None:
    """The matrix [width, width] that brings pooled embeddings into the shared space, in fp32, or None without one.

    Where a file has none ComfyUI makes one all the same: zeros, or whatever the memory held.
    """
    if _file_lacks_projection(clip):
        return None
    for name, weight in clip.cond_stage_model.state_dict().items():
        if name.endswith("text_projection.weight") and weight.shape == (width, width):
            matrix = weight.float().cpu()
            means_something = torch.isfinite(matrix).all() and matrix.any(1).all()
            return matrix if means_something and not torch.equal(matrix, torch.eye(width)) else None
    return None


def _file_lacks_projection(clip: Any) -> bool:
    """Whether this CLIP is known to be from .safetensors files, by a loader of ComfyUI, none of which has it."""
    loaded = getattr(getattr(clip, "patcher", None), "cached_patcher_init", None)  # (loader, arguments), files first
    if loaded is None:
        return False
    paths = [loaded[1][0]] if isinstance(loaded[1][0], str) else loaded[1][0]
    if not all(str(path).endswith(SUFFIX) for path in paths):
        return False
    try:
        return not any(name.endswith(PROJECTIONS) for path in paths for name in _names_in(path))
    except (ValueError, FileNotFoundError):
        return False  # replaced by something else since it was loaded: nobody knows


def _names_in(path: str) -> list[str]:
    with open_regular(path) as file:
        return list(read_table(file).tensors)
