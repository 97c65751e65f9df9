"""Transfers in a transformer: set at run time in a copy of a step's options, so that nothing of it stays anywhere.

What changes the output of self-attention is an override of the attention: the image's queries of the positive rows read
[own text | reference's image | what follows the image], everything else is as it was (Alaluf et al., arXiv 2311.03335,
carried over to joint sequences). What changes its input is an "attn1_patch", where ComfyUI hands out queries, keys and
values before positions enter: a feature that is moved then stands at its new position.
"""

from collections.abc import Callable
from typing import Any

import comfy.model_patcher
import torch
from comfy.model_patcher import ModelPatcher
from torch import Tensor

from ...attention.recorded_bytes import RecordedLayer
from ..models.architecture import known_transformer, network_of
from ..models.attention_layer import Grid, join_heads
from ..models.joint_attention import (
    AttentionOverride,
    Forward,
    JointLayer,
    foreign_override,
    heads_first,
    joint_layer,
    mask_of,
    watched,
)
from .block_window import blocks_in
from .feature_cache import CapturedReference
from .key_positions import KeyPositions
from .method import TransferMethod
from .plan import TransferSettings
from .reference_session import ReferenceSession
from .transformer_edits import START, Tokens, edited_input, edited_output

CurrentSession = Callable[[], ReferenceSession | None]


class TransformerPatch:
    """See `NetworkPatch`. Raises ValueError for a network that is no transformer we know, and for blocks it lacks."""

    def __init__(self, model: ModelPatcher, method: type[TransferMethod], settings: TransferSettings):
        self.transformer = known_transformer(network_of(model))
        self.changes_output = method.changes_output
        if not self.changes_output and not self.transformer.unrotated:
            raise ValueError(
                f"{method.name} moves features before positions enter, and ComfyUI does not hand them out in "
                f"{self.transformer.family}. Use Cross-Image Attention with this MODEL, or a Flux, Chroma, "
                "HunyuanImage, Qwen-Image or Krea 2 checkpoint."
            )
        self.positions = KeyPositions(self.transformer, settings.position, settings.mirror_columns)
        first_fraction = self.transformer.first_fraction if self.changes_output else 0.0
        self.blocks = blocks_in(settings.blocks, self.transformer, first_fraction)

    def install(self, clone: ModelPatcher, current: CurrentSession) -> None:
        """Nothing is set before a step runs."""

    def is_in_place(self, transformer_options: dict[str, Any]) -> bool:
        """It is set by the step itself, around whatever other nodes have set."""
        return True

    def reading(self, model_options: dict[str, Any], current: CurrentSession) -> dict[str, Any]:
        options = comfy.model_patcher.create_model_options_clone(model_options)
        to = options["transformer_options"]
        forward = watched(self.transformer, to)

        def in_attention(attend: Callable[..., Tensor], q: Tensor, k: Tensor, v: Tensor, heads: int, *args, **about):
            out = attend(q, k, v, heads, *args, **about)
            session, (joint, tokens) = current(), self._seen(forward, q, k, v, heads, about)
            if session is None or joint is None or not session.reads(joint.layer):
                return out
            are_first = about.get("skip_output_reshape", False)
            flat = join_heads(out) if are_first else out
            edited = edited_output(session, joint, tokens, flat, mask_of(args, about), self.positions)
            return heads_first(edited, heads, False) if are_first else edited

        def before_positions(q: Tensor, k: Tensor, v: Tensor, extra_options: dict[str, Any], **others: Any):
            session, joint = current(), self._at(forward, q, k, q.shape[1], extra_options)
            if session is None or joint is None or not session.reads(joint.layer):
                return {}
            return edited_input(session, joint, (q, k, v))

        if self.changes_output:
            found = to.get("optimized_attention_override")
            to["optimized_attention_override"] = AttentionOverride(in_attention, found)
        else:
            to.setdefault("patches", {}).setdefault("attn1_patch", []).append(before_positions)
        return options

    def capturing(
        self, method: TransferMethod, captured: CapturedReference, model_options: dict[str, Any]
    ) -> dict[str, Any]:
        to: dict[str, Any] = {}
        forward = watched(self.transformer, to)

        def in_attention(attend: Callable[..., Tensor], q: Tensor, k: Tensor, v: Tensor, heads: int, *args, **about):
            joint, tokens = self._seen(forward, q, k, v, heads, about)
            if joint is not None:
                image = [whole[:, :, joint.image] for whole in tokens]
                captured.write(joint.layer, _captured_features(method, joint, tokens))
                captured.write(joint.layer, self.positions.captured(image[0], image[1]))
            return attend(q, k, v, heads, *args, **about)

        def before_positions(q: Tensor, k: Tensor, v: Tensor, extra_options: dict[str, Any], **others: Any):
            joint = self._at(forward, q, k, q.shape[1], extra_options)
            if joint is not None:
                captured.write(joint.layer, _captured_features(method, joint, (q, k, v)))
            return {}

        if self.changes_output:
            foreign = foreign_override(model_options["transformer_options"])
            to["optimized_attention_override"] = AttentionOverride(in_attention, foreign)
        else:
            to["patches"] = {"attn1_patch": [before_positions]}
        return to

    def layer_names(self) -> str:
        first, last = (self.transformer.blocks.index(block) for block in (self.blocks[0], self.blocks[-1]))
        return f"blocks {first} to {last} of 0 to {len(self.transformer.blocks) - 1} ({self.transformer.family})"

    def recorded_layers(self, method: TransferMethod, size: Grid) -> list[RecordedLayer]:
        height, width = self.transformer.grid_of(size)
        layer = RecordedLayer(height * width, method.kept_per_channel(joint=True) * self.transformer.width)
        return [layer] * (len(self.blocks) + len(self.transformer.attending_twice.intersection(self.blocks)))

    def _at(self, forward: Forward, q: Tensor, k: Tensor, heads: int, options: dict[str, Any]) -> JointLayer | None:
        """The layer that is being computed, if it is of one of our blocks."""
        joint = joint_layer(self.transformer, forward.size, q, k, heads, options)
        return joint if joint is not None and joint.layer.key[:2] in self.blocks else None

    def _seen(
        self, forward: Forward, q: Tensor, k: Tensor, v: Tensor, heads: int, about: dict[str, Any]
    ) -> tuple[JointLayer | None, Tokens]:
        """The same in an override, with queries, keys and values [rows, heads, N, d]."""
        are_first = about.get("skip_reshape", False)
        tokens = heads_first(q, heads, are_first), heads_first(k, heads, are_first), heads_first(v, heads, are_first)
        return self._at(forward, tokens[0], tokens[1], heads, about["transformer_options"]), tokens


def _captured_features(method: TransferMethod, joint: JointLayer, tokens: Tokens) -> dict[Any, Tensor]:
    """What a method captures of the image's tokens; copies, or else the whole sequence would stay in memory."""
    image = tuple(join_heads(whole[:, :, joint.image]) for whole in tokens)
    features = {name: tensor.clone() for name, tensor in method.capture(joint.layer, image).items()}
    return features | {START: torch.full((joint.layer.rows,), joint.image.start)}
