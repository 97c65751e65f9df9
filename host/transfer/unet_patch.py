"""Transfers in a U-Net: patches and replacements of the self-attention on the decoder's two finest levels.

What changes the input of self-attention is an attn1 patch, what changes its output a replacement of attn1.
"""

from collections.abc import Callable
from typing import Any

import torch
from comfy.model_patcher import ModelPatcher
from torch import Tensor

from ...attention.recorded_bytes import RecordedLayer
from ...attention.shared_keys import OwnKeys
from ...attention.windows import AUTO
from ..models.attention_layer import POSITIVE, Grid, Tokens, split_heads
from ..models.unet import decoder_levels
from ..models.unet_attention import in_decoder, layer_at, plain_attention, replacement_keys
from ..runtime.quoting import quoted
from .feature_cache import CapturedReference
from .method import InputMethod, OutputMethod, TransferMethod
from .plan import TransferSettings
from .reference_session import ReferenceSession

CurrentSession = Callable[[], ReferenceSession | None]
Attention = Callable[[Tensor, Tensor, Tensor, dict[str, Any]], Tensor]


class UNetPatch:
    """See `NetworkPatch`. Raises ValueError for a network that is no U-Net with such levels."""

    def __init__(self, model: ModelPatcher, method: type[TransferMethod], settings: TransferSettings):
        if settings.blocks.strip().lower() != AUTO:
            raise ValueError(
                f"blocks is {quoted(settings.blocks)}, which is for transformers: this MODEL is a U-Net, whose two "
                "finest decoder levels are used. Set blocks to auto."
            )
        if settings.position:
            raise ValueError(
                f"position is {settings.position:g}, which damps rotary positions: this MODEL is a U-Net and has none. "
                "Set position to 0."
            )
        if settings.mirror_columns:
            raise ValueError(
                "mirror_columns is on, which turns rotary positions: this MODEL is a U-Net and has none. Switch it "
                "off, and mirror the appearance image by Mirror to Match."
            )
        self.levels = decoder_levels(model)
        self.changes_output = method.changes_output
        self._patches: list[Callable[..., Any]] = []

    def install(self, clone: ModelPatcher, current: CurrentSession) -> None:
        if not self.changes_output:
            self._patches = [_input_patch(current)]
            clone.set_model_attn1_patch(self._patches[0])
            return
        before = clone.model_options["transformer_options"].get("patches_replace", {}).get("attn1", {})
        for block in self.levels.both():
            for key in replacement_keys(clone, "attn1", "output", block):
                previous = before.get(key, before.get(key[:2]))
                self._patches.append(_replacement(current, previous))
                clone.set_model_attn1_replace(self._patches[-1], *key)

    def is_in_place(self, transformer_options: dict[str, Any]) -> bool:
        if self.changes_output:
            found = transformer_options.get("patches_replace", {}).get("attn1", {}).values()
        else:
            found = transformer_options.get("patches", {}).get("attn1_patch", ())
        return any(patch in self._patches for patch in found)

    def reading(self, model_options: dict[str, Any], current: CurrentSession) -> dict[str, Any]:
        return model_options  # `install` has set all of it

    def capturing(
        self, method: TransferMethod, captured: CapturedReference, model_options: dict[str, Any]
    ) -> dict[str, Any]:
        blocks = self.levels.both()

        def of_attention(q: Tensor, k: Tensor, v: Tensor, extra: dict[str, Any]) -> Tensor:
            layer = layer_at(extra, q)
            captured.write(layer, method.capture(layer, (q, k, v)))
            return plain_attention(q, k, v, extra)

        def of_input(n: Tensor, context: Tensor, value: Tensor, extra: dict[str, Any]) -> Tokens:
            layer = layer_at(extra, n)
            if in_decoder(extra) and extra["block"][1] in blocks:
                captured.write(layer, method.capture(layer, (n, context, value)))
            return n, context, value

        if self.changes_output:
            return {"patches_replace": {"attn1": {("output", block): of_attention for block in blocks}}}
        return {"patches": {"attn1_patch": [of_input]}}

    def layer_names(self) -> str:
        return f"levels /{self.levels.fine}, /{self.levels.coarse}"

    def recorded_layers(self, method: TransferMethod, size: Grid) -> list[RecordedLayer]:
        kept, (height, width) = method.kept_per_channel(joint=False), size
        return [
            RecordedLayer(-(-height // level) * -(-width // level), kept * self.levels.channels[block])
            for level in (self.levels.fine, self.levels.coarse)
            for block in self.levels.blocks_at(level)
        ]


def _input_patch(current: CurrentSession) -> Callable[..., Tokens]:
    def edit(n: Tensor, context: Tensor, value: Tensor, extra: dict[str, Any]) -> Tokens:
        session = current()
        if session is None or not in_decoder(extra):
            return n, context, value
        layer = layer_at(extra, n)
        if not session.reads(layer):
            return n, context, value
        method: InputMethod = session.method
        return method.apply(layer, (n, context, value), session.references_at(layer), session.reads_structure)

    return edit


def _replacement(current: CurrentSession, previous: Attention | None) -> Attention:
    """The attention of a block, after which the rows of the positive prompt are the method's; previous: another node's
    replacement, which goes on computing what the network itself would.
    """
    plain = plain_attention if previous is None else previous

    def attend(q: Tensor, k: Tensor, v: Tensor, extra: dict[str, Any]) -> Tensor:
        session = current()
        layer = layer_at(extra, q)
        if session is None or not session.reads(layer):
            return plain(q, k, v, extra)
        edited = layer.rows_of(POSITIVE)
        others = [row for row in range(layer.rows) if row not in edited]
        if not edited:
            return plain(q, k, v, extra)
        if previous is not None or "optimized_attention_override" in extra or session.keeps_some(layer):
            out = plain(q, k, v, extra).clone()
            own = out[edited]
        else:  # no position keeps its own attention, so it need not be computed
            out = torch.empty_like(q)
            own = None
            if others:
                out[others] = plain(q[others], k[others], v[others], extra)
        method: OutputMethod = session.method
        keys = OwnKeys(split_heads(k[edited], layer.heads), split_heads(v[edited], layer.heads))
        out[edited] = method.apply(layer, q[edited], own, keys, session.references_at(layer))
        return out

    return attend
