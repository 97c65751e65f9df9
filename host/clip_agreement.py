"""How well pictures agree with a text, to the host's CLIP and CLIP_VISION: cosines of their shared space."""

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import torch
import torch.nn.functional as F  # noqa: N812
from torch import Tensor


@dataclass(frozen=True)
class TextJudge:
    """A text and who judges whether pictures show it.

    vision: CLIP_VISION. clip: CLIP with the text encoder of the same CLIP, projection included.
    """

    vision: Any
    clip: Any
    text: str

    def gains(self, before: Tensor, after: Tensor) -> Tensor:
        """How much more the edits agree with the text than their originals, IMAGEs [B, H, W, 3] -> [B].

        Raises ValueError where the two CLIPs do not share a space.
        """
        seen = self.vision.encode_image(torch.cat([before, after])).image_embeds.float().cpu()
        if seen.shape[1] != self.meaning.shape[1]:
            raise ValueError(
                f"The CLIP_VISION gives {seen.shape[1]} numbers per picture and the CLIP {self.meaning.shape[1]} per "
                "text, so that they cannot be compared. Load both halves of the same CLIP, such as ViT-L/14."
            )
        old, new = F.cosine_similarity(seen, self.meaning).chunk(2)
        return new - old

    @cached_property
    def meaning(self) -> Tensor:
        """The text in the shared space, [1, C]."""
        _, pooled = self.clip.encode_from_tokens(self.clip.tokenize(self.text), return_pooled=True)
        if pooled is None or not self._projects(pooled.shape[1]):
            raise ValueError(
                "This CLIP does not bring texts into the space of pictures: its file has no text projection, as those "
                "of SD1.5 checkpoints. Load clip_l.safetensors of the original CLIP ViT-L/14 with Load CLIP."
            )
        return pooled.float().cpu()

    def _projects(self, width: int) -> bool:
        """Whether there is a projection to `width` numbers; the host puts the identity where a file has none."""
        weights = [
            weight
            for name, weight in self.clip.cond_stage_model.state_dict().items()
            if name.endswith("text_projection.weight") and weight.shape == (width, width)
        ]
        return any(not torch.equal(weight.float().cpu(), torch.eye(width)) for weight in weights)


def text_judge(vision: Any, clip: Any, text: str) -> TextJudge | None:
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
    return TextJudge(vision, clip, text)
