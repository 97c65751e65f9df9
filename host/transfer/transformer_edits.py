"""What a method changes in one attention of a transformer: the positive rows' image tokens, read beside their own text.

Text queries, other rows and all that follows the image are as they were.
"""

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from ...attention.rotation import moved_along_axis
from ..models.attention_layer import POSITIVE, join_heads, split_heads
from ..models.families.transformer import TextAxis
from ..models.joint_attention import JointLayer, visible_keys
from .method import InputMethod, LayerReference, OutputMethod
from .reference_session import ReferenceSession

START = "start"
"""Beside what a method captures: where the image of the reference begins in its sequence."""

Tokens = tuple[Tensor, Tensor, Tensor]


def edited_output(
    session: ReferenceSession,
    joint: JointLayer,
    tokens: Tokens,
    out: Tensor,
    mask: Tensor | None,
    text_axis: TextAxis | None,
) -> Tensor:
    """The result of an attention with the image of the positive rows as the session's method makes it.

    tokens: queries, keys and values [rows, heads, N, d] of the whole sequence. out: what the plain attention gives,
        [rows, N, heads*d]. mask: of that attention.
    """
    rows = joint.layer.rows_of(POSITIVE)
    if not rows:
        return out
    method: OutputMethod = session.method
    queries = join_heads(tokens[0][rows][:, :, joint.image])
    own = out[rows][:, joint.image]
    seen = visible_keys(mask, rows, joint.image)
    references = [
        _joined(reference, tokens, joint, rows, seen, text_axis) for reference in session.references_at(joint.layer)
    ]
    edited = method.apply(joint.layer, queries, own, references)
    out = out.clone()
    out[rows, joint.image] = edited.to(out.dtype)
    return out


def edited_input(session: ReferenceSession, joint: JointLayer, tokens: Tokens) -> dict[str, Tensor]:
    """The queries "q", keys "k" and values "v" that the session's method changes, [rows, heads, N, d]."""
    method: InputMethod = session.method
    own = tuple(join_heads(whole[:, :, joint.image]) for whole in tokens)
    changed = method.apply(joint.layer, own, session.references_at(joint.layer), session.reads_structure)
    edited = {}
    for name, whole, before, after in zip("qkv", tokens, own, changed, strict=True):
        if after is not before:
            edited[name] = whole.clone()
            edited[name][:, :, joint.image] = split_heads(after, whole.shape[1])
    return edited


def _joined(
    reference: LayerReference,
    tokens: Tokens,
    joint: JointLayer,
    rows: list[int],
    seen: Tensor | None,
    text_axis: TextAxis | None,
) -> LayerReference:
    """A reference as the edited rows read it: its image in the place of their own, one image per row.

    seen: of the keys of the whole sequence [N] bool, those that are not masked out.
    """
    repeats = len(rows) // len(reference.images)
    images = reference.images * repeats
    image = joint.image
    every = torch.arange(tokens[1].shape[2], device=tokens[1].device)
    before, after = (part if seen is None else part[seen[part]] for part in (every[: image.start], every[image.stop :]))
    joined = {}
    for name, whole in zip("kv", tokens[1:], strict=True):
        features = reference.tensors[name][images].to(whole)
        distance = image.start - int(reference.tensors[START][0])
        if name == "k" and text_axis is not None and distance:
            features = moved_along_axis(features, distance, text_axis.channels, text_axis.theta)
        joined[name] = torch.cat([whole[rows][:, :, before], features, whole[rows][:, :, after]], 2)
    weight = reference.weight.repeat(repeats, 1)
    return LayerReference(reference.grid, joined, list(range(len(rows))), weight, (len(before), len(after)))


def mask_of(args: Sequence[Any], about: dict[str, Any]) -> Tensor | None:
    """The mask of a call of ComfyUI's attention, which hands it over by position or by name."""
    return args[0] if args else about.get("mask")
