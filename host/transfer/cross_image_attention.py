"""Cross-image attention as an ordinary patch of a MODEL clone.

The references show their projected keys and values; a replacement of the decoder's self-attention lets the positive
rows look at them.
"""

import logging
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from comfy.model_patcher import ModelPatcher
from torch import Tensor

from ...attention.cross_image import NEGLIGIBLE, cross_image_attention
from ...attention.windows import PercentToSigma
from ...inversion.types import Inversion
from ..models.unet_attention import (
    grid_of,
    join_heads,
    layer_of,
    plain_attention,
    replacement_keys,
    split_heads,
    split_rows,
)
from .model_patch import ModelPatch
from .reference_session import Appearance, ReferenceSession, TransferSettings
from .references import FeatureCache, LayerFeatures

log = logging.getLogger("appearance_transfer")


@dataclass(frozen=True)
class CrossImageSettings(TransferSettings):
    """The parameters of Cross-Image Attention (Alaluf et al., arXiv 2311.03335).

    contrast: of the attention map, 1 changes nothing. clip: clip the sharpened map to 0..1, as the reference code does
        and the paper does not.
    """

    contrast: float = 1.67
    clip: bool = True

    @classmethod
    def reference_code(cls, **settings: Any) -> "CrossImageSettings":
        """As the authors' code: references are replayed, and structure steps edit every position."""
        return cls(replayed=True, structure_everywhere=True, **settings)


def transfer_appearance(
    model: ModelPatcher, appearances: Sequence[Appearance], structure: Inversion | None, settings: CrossImageSettings
) -> ModelPatcher:
    """A clone of `model` whose decoder looks at the appearances; strength 0 returns a plain clone.

    Raises ValueError for an unsupported architecture, no appearance, or inversions of another model or other sizes.
    """
    if any(entry.appearance_mask is not None or entry.correspondence is not None for entry in appearances):
        log.warning(
            "Cross-Image Attention matches softly, by attention: it does not use the appearance_mask and the matches "
            "of Appearance Options. Semantic Rearrangement does."
        )
    return CrossImagePatch(model, appearances, structure, settings).applied_to(model)


class CrossImagePatch(ModelPatch):
    """What one Cross-Image Attention node adds to a model."""

    def __init__(
        self,
        model: ModelPatcher,
        appearances: Sequence[Appearance],
        structure: Inversion | None,
        settings: CrossImageSettings,
    ):
        super().__init__(model, appearances, structure, settings)
        self._replacements: list[Callable[..., Tensor]] = []

    def begin(
        self, guider: Any, sigmas: list[float], percent_to_sigma: PercentToSigma, shape: Sequence[int]
    ) -> "CrossImageSession":
        return CrossImageSession(self.plan, sigmas, percent_to_sigma, shape)

    def is_in_place(self, transformer_options: dict[str, Any]) -> bool:
        found = transformer_options.get("patches_replace", {}).get("attn1", {}).values()
        return any(replacement in self._replacements for replacement in found)

    def patch(self, clone: ModelPatcher) -> None:
        before = clone.model_options["transformer_options"].get("patches_replace", {}).get("attn1", {})
        levels = self.plan.levels
        for block in levels.both():
            for key in replacement_keys(clone, "attn1", "output", block):
                previous = before.get(key, before.get(key[:2]))
                self._replacements.append(self._replacement(previous))
                clone.set_model_attn1_replace(self._replacements[-1], *key)

    def _replacement(self, previous: Callable[..., Tensor] | None) -> Callable[..., Tensor]:
        def plain(q: Tensor, k: Tensor, v: Tensor, extra: dict[str, Any]) -> Tensor:
            if previous is not None:
                return previous(q, k, v, extra)
            return plain_attention(q, k, v, extra)

        def attend(q: Tensor, k: Tensor, v: Tensor, extra: dict[str, Any]) -> Tensor:
            run = self.run
            if run is None or not run.reads(extra, q):
                return plain(q, k, v, extra)
            edited, others = split_rows(extra["cond_or_uncond"], q.shape[0])
            if not edited:
                return plain(q, k, v, extra)
            if previous is not None or "optimized_attention_override" in extra or not run.paints_everything(extra):
                out = plain(q, k, v, extra).clone()
                own = out[edited]
            else:  # no position keeps its own attention, so it need not be computed
                out = torch.empty_like(q)
                own = None
                if others:
                    out[others] = plain(q[others], k[others], v[others], extra)
            out[edited] = run.attend(q[edited], own, extra)
            return out

        return attend


class CrossImageSession(ReferenceSession):
    """One sampling run with cross-image attention: its feature banks hold keys and values [images, heads, N, d]."""

    method = "Cross-Image Attention"
    settings: CrossImageSettings

    def listening(self, cache: FeatureCache, blocks: Collection[int]) -> dict[str, Any]:
        def record(q: Tensor, k: Tensor, v: Tensor, extra: dict[str, Any]) -> Tensor:
            heads = extra["n_heads"]
            shown = {"k": split_heads(k, heads), "v": split_heads(v, heads)}
            cache[layer_of(extra)] = LayerFeatures(grid_of(extra), shown)
            return plain_attention(q, k, v, extra)

        return {"patches_replace": {"attn1": {("output", block): record for block in blocks}}}

    def paints_everything(self, extra: dict[str, Any]) -> bool:
        """Whether the references of this step share out every position, leaving nothing to the output's own
        attention.
        """
        return bool((self._weight_maps_in(extra).sum(0) > 1 - NEGLIGIBLE).all())

    def attend(self, q: Tensor, own: Tensor | None, extra: dict[str, Any]) -> Tensor:
        """Attention of the positive rows. q: [B, N, heads*d]; own: their plain attention, where some of it is kept."""
        heads = extra["n_heads"]
        queries = split_heads(q.float() if extra.get("attn_precision") == torch.float32 else q, heads)
        references = []
        for shown, weight in zip(self.caches, self._weight_maps_in(extra), strict=True):
            offered = shown.cache[layer_of(extra)].tensors
            k, v = (_per_output(offered[name].to(queries), shown.beside, q.shape[0]) for name in ("k", "v"))
            references.append((k, v, weight.to(q.device).repeat(q.shape[0] // self.batch, 1)))
        out = cross_image_attention(
            queries,
            None if own is None else split_heads(own, heads).to(queries.dtype),
            references,
            contrast=self.settings.contrast,
            clip=self.settings.clip,
        )
        return join_heads(out).to(q.dtype)

    def _weight_maps_in(self, extra: dict[str, Any]) -> Tensor:
        return self.weight_maps_at(grid_of(extra))


def _per_output(images: Tensor, beside: list[int], rows: int) -> Tensor:
    """What each row looks at. images: of a reference; one alone serves the whole batch without being copied."""
    if images.shape[0] == 1:
        return images.expand(rows, *images.shape[1:])
    return images[beside * (rows // len(beside))]
