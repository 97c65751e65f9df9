"""Cross-image attention: references offer their projected keys and values, and the queries of the positive rows read
them.
"""

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from comfy.model_patcher import ModelPatcher
from torch import Tensor

from ...attention.contrast import CONTRAST
from ...attention.cross_image import Reference, cross_image_attention
from ...attention.match_prior import MATCH_WIDTH
from ...attention.shared_keys import BALANCED, REPLACE, OwnKeys, shared_keys_attention
from ...inversion.types import Inversion
from ..models.attention_layer import POSITIVE, AttentionLayer, Grid, Tokens, join_heads, split_heads
from .match_guidance import MatchGuidance
from .method import LayerReference
from .model_patch import ModelPatch
from .plan import Appearance, TransferPlan, TransferSettings
from .references import ModelCall, RecordedReference

log = logging.getLogger("appearance_transfer")


@dataclass(frozen=True)
class CrossImageSettings(TransferSettings):
    """The parameters of Cross-Image Attention (Alaluf et al., arXiv 2311.03335).

    contrast: of the attention map, 1 changes nothing. clip: clip the sharpened map to 0..1, as the reference code does
        and the paper does not.
    match_width: the prior around a match, a Gaussian's deviation as a share of the appearance's longer side; 0 is none.
        fade: with the confidence of the match. find: object and matches, where no mask or matches are given.
    sharing: references are read in the place of the output's own image (REPLACE), or both in one softmax, with the
        strength as a prior (BALANCED).
    """

    contrast: float = CONTRAST
    clip: bool = True
    match_width: float = MATCH_WIDTH
    fade: bool = True
    find: bool = False
    sharing: str = REPLACE

    @classmethod
    def reference_code(cls, **settings: Any) -> "CrossImageSettings":
        plain = {"clip": True, "match_width": 0.0, "find": False}
        return cls(replayed=True, structure_everywhere=True, **(settings | plain))


def transfer_appearance(
    model: ModelPatcher, appearances: Sequence[Appearance], structure: Inversion | None, settings: CrossImageSettings
) -> ModelPatcher:
    """A clone of `model` whose decoder looks at the appearances; strength 0 returns a plain clone.

    Raises ValueError for an unsupported architecture, no appearance, or inversions of another model or other sizes.
    """
    plan = TransferPlan(tuple(appearances), structure, settings)
    return ModelPatch(model, plan, CrossImageAttention).applied_to(model)


class CrossImageAttention:
    """See `TransferMethod`. What it captures are keys "k" and values "v" [images, heads, N, d]."""

    name = "Cross-Image Attention"
    changes_output = True

    def __init__(self, plan: TransferPlan, cfg: float):
        self.settings: CrossImageSettings = plan.settings
        self.cfg = 1.0  # whatever the run's is: a replayed reference is moved on under its positive text
        self.guidance = MatchGuidance(plan, self.settings)

    def check(self, shape: Sequence[int]) -> None:
        self.guidance.check(shape)

    def prompts(self, structural: bool) -> Sequence[int]:
        return (POSITIVE,)

    def masks_at(self, masks: Sequence[Tensor | None], grid: Grid) -> Sequence[Tensor | None]:
        """As they are: attention is soft, and so may a mask be. Those that are missing may have been found."""
        return self.guidance.output_masks(masks)

    def prepare(
        self,
        call: ModelCall,
        structure: RecordedReference | None,
        appearances: list[RecordedReference],
        structural: bool,
    ) -> None:
        self.guidance.prepare(call, structure, appearances, structural)

    def capture(self, layer: AttentionLayer, tokens: Tokens) -> dict[str, Tensor]:
        _, k, v = tokens
        return {"k": split_heads(k, layer.heads), "v": split_heads(v, layer.heads)}

    def kept_per_channel(self, joint: bool) -> int:
        return 2

    def apply(
        self, layer: AttentionLayer, q: Tensor, own: Tensor | None, keys: OwnKeys, references: Sequence[LayerReference]
    ) -> Tensor:
        queries = split_heads(q.float() if layer.fp32 else q, layer.heads)
        plain = None if own is None else split_heads(own, layer.heads).to(queries.dtype)
        projected = [self._projected(number, entry, queries, layer) for number, entry in enumerate(references)]
        how = {"contrast": self.settings.contrast, "clip": self.settings.clip}
        if self.settings.sharing == REPLACE:
            out = cross_image_attention(queries, plain, projected, **how)
        else:
            own_keys = OwnKeys(keys.k.to(queries.dtype), keys.v.to(queries.dtype), keys.around)
            images = [_image_alone(reference) for reference in projected]
            balanced = self.settings.sharing == BALANCED
            out = shared_keys_attention(queries, plain, own_keys, images, balanced=balanced, **how)
        return join_heads(out).to(q.dtype)

    def _projected(self, number: int, reference: LayerReference, queries: Tensor, layer: AttentionLayer) -> Reference:
        rows = queries.shape[0]
        k, v = (_per_output(reference.tensors[name].to(queries), reference.images, rows) for name in ("k", "v"))
        weight = reference.weight.to(queries.device).repeat(rows // len(reference.images), 1)
        bias = self.guidance.bias(number, layer, reference.grid, rows, len(reference.images), queries.device)
        return Reference(k, v, weight, bias, reference.around)


def _image_alone(reference: Reference) -> Reference:
    """Without the text that stands around its keys."""
    before, behind = reference.around
    image = slice(before, reference.k.shape[2] - behind)
    return reference._replace(k=reference.k[:, :, image], v=reference.v[:, :, image], around=(0, 0))


def _per_output(tensors: Tensor, images: list[int], rows: int) -> Tensor:
    """What each row reads of a reference; one image alone serves the whole batch without being copied."""
    if tensors.shape[0] == 1:
        return tensors.expand(rows, *tensors.shape[1:])
    return tensors[images * (rows // len(images))]
