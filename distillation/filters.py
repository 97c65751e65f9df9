"""Which edits are good enough to learn from (pix2pix-zero, appendix A)."""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor

from ..evaluation.overlap import intersection_over_union


@dataclass(frozen=True)
class Thresholds:
    """What a pair must reach where it is measured; the defaults are the paper's for cat -> dog."""

    overlap: float = 0.70
    """IoU of the object's masks, before and after."""
    gain: float = 0.10
    """How much more the edit agrees with its text than the original did, as cosines of CLIP."""

    def refusal(self, overlap: float | None, gain: float | None) -> str:
        """Why a pair is not kept: "overlap", "gain", or nothing. None: not measured."""
        if overlap is not None and overlap < self.overlap:
            return "overlap"
        if gain is not None and gain < self.gain:
            return "gain"
        return ""


def overlaps(before: Tensor, after: Tensor) -> Tensor:
    """IoU [B] of the object's masks [B, H, W] in 0..1, cut at one half; 0 where there is no object before the edit."""
    found, true = after > 0.5, before > 0.5
    return intersection_over_union(found, true) * true.any(-1).any(-1)
