"""What a method changes in one attention of a transformer: the positive rows' image tokens, read beside their own text.

Text queries, other rows and all that follows the image are as they were.
"""

from collections.abc import Sequence

import torch
from torch import Tensor

from ...attention.shared_keys import OwnKeys
from ..models.attention_layer import POSITIVE, join_heads, split_heads
from ..models.joint_attention import JointLayer, visible_keys
from .key_positions import DEVIATION, MEAN, KeyPositions
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
    positions: KeyPositions,
) -> Tensor:
    """The result of an attention with the image of the positive rows as the session's method makes it.

    tokens: queries, keys and values [rows, heads, N, d] of the whole sequence. out: what the plain attention gives,
        [rows, N, heads*d]. mask: of that attention.
    """
    rows = joint.layer.rows_of(POSITIVE)
    if not rows:
        return out
    method: OutputMethod = session.method
    own = out[rows][:, joint.image]
    q, k, v = (whole[rows] for whole in tokens)
    found = session.references_at(joint.layer)
    if positions.amount:
        q, k = _matched(q, "q", joint, found, positions), _matched(k, "k", joint, found, positions)
    before, behind = _text_around(mask, rows, joint, k)
    around = len(before), len(behind)
    joined = []
    for reference in found:
        images = reference.images * (len(rows) // len(reference.images))
        distance = joint.image.start - int(reference.tensors[START][0])
        theirs = {
            "k": positions.placed(
                reference.tensors["k"], reference.grid, distance, session.progress, structural=session.reads_structure
            ),
            "v": reference.tensors["v"],
        }
        both = {
            name: torch.cat([whole[:, :, before], theirs[name][images].to(whole), whole[:, :, behind]], 2)
            for name, whole in (("k", k), ("v", v))
        }
        weight = reference.weight.repeat(len(rows) // len(reference.images), 1)
        joined.append(LayerReference(reference.grid, both, list(range(len(rows))), weight, around))
    own_keys = OwnKeys(*(_with_image(whole, before, behind, joint.image) for whole in (k, v)), around)
    edited = method.apply(joint.layer, join_heads(q[:, :, joint.image]), own, own_keys, joined)
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


def _text_around(mask: Tensor | None, rows: list[int], joint: JointLayer, k: Tensor) -> tuple[Tensor, Tensor]:
    """The keys of k [rows, heads, N, d] that stand before the image and behind it, as far as the mask shows them."""
    seen = visible_keys(mask, rows, joint.image)
    every = torch.arange(k.shape[2], device=k.device)
    parts = every[: joint.image.start], every[joint.image.stop :]
    before, behind = (part if seen is None else part[seen[part]] for part in parts)
    return before, behind


def _with_image(whole: Tensor, before: Tensor, behind: Tensor, image: slice) -> Tensor:
    if len(before) + len(behind) + image.stop - image.start == whole.shape[2]:
        return whole
    return torch.cat([whole[:, :, before], whole[:, :, image], whole[:, :, behind]], 2)


def _matched(
    tokens: Tensor, name: str, joint: JointLayer, references: Sequence[LayerReference], positions: KeyPositions
) -> Tensor:
    """Queries "q" or keys "k" [rows, heads, N, d] whose image has the statistics of the references'."""
    repeats = [len(tokens) // len(reference.images) for reference in references]
    statistics = [
        (reference.tensors[f"{name} {MEAN}"][images], reference.tensors[f"{name} {DEVIATION}"][images])
        for reference, times in zip(references, repeats, strict=True)
        for images in [reference.images * times]
    ]
    weights = [reference.weight.repeat(times, 1) for reference, times in zip(references, repeats, strict=True)]
    tokens = tokens.clone()
    tokens[:, :, joint.image] = positions.matched(tokens[:, :, joint.image], statistics, weights)
    return tokens
