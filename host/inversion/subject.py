"""What is to be inverted: an image with its text, as a user has them, or a LATENT with CONDITIONINGs."""

from dataclasses import dataclass
from typing import Any

from torch import Tensor
from torch.nn.functional import interpolate

from ..runtime.encoding import image_or_latent

THUMBNAIL = 128
"""Pixels of the longer side: what finding an object needs."""


@dataclass(frozen=True)
class Subject:
    """latent: [B, C, h, w] in the VAE's scale. prompts: the words of the positive text; none where it came encoded.
    thumbnail: [B, H, W, 3], the images made small; None where only a latent was given.
    """

    latent: Tensor
    positive: list
    negative: list
    prompts: tuple[str, ...]
    thumbnail: Tensor | None = None


def subject_of(
    *,
    image: Tensor | None,
    vae: Any,
    latent: dict[str, Any] | None,
    clip: Any,
    text: str,
    positive: list | None,
    negative: list | None,
) -> Subject:
    """The subject, encoded where it is not yet. image: [B, H, W, 3 or 4] in 0..1.

    Without `negative` the empty text is used. With `positive`, `text` is only kept as its wording. Raises ValueError
    where something is missing or given twice.
    """
    if clip is None and (positive is None or negative is None):
        side, text_of = ("positive", "the text") if positive is None else ("negative", "an empty negative text")
        raise ValueError(f"There is no clip to encode {text_of}. Connect clip, or {side} from CLIP Text Encode.")
    samples, _ = image_or_latent(image, vae, latent, samples=0, seed=0)
    return Subject(
        samples,
        _encoded(clip, text) if positive is None else positive,
        _encoded(clip, "") if negative is None else negative,
        (text.strip(),) if positive is None or text.strip() else (),
        None if image is None else thumbnail_of(image),
    )


def thumbnail_of(images: Tensor) -> Tensor:
    """[B, H', W', 3] of images [B, H, W, 3 or 4] in 0..1, the longer side at most `THUMBNAIL` pixels."""
    shrink = min(1.0, THUMBNAIL / max(images.shape[1:3]))
    size = [max(1, round(side * shrink)) for side in images.shape[1:3]]
    return interpolate(images[..., :3].movedim(-1, 1).float().cpu(), size=size, mode="area").movedim(1, -1).contiguous()


def _encoded(clip: Any, text: str) -> list:
    """A CONDITIONING, as CLIP Text Encode makes it."""
    return clip.encode_from_tokens_scheduled(clip.tokenize(text.strip()))
