"""Edit directions of pix2pix-zero (Parmar et al., arXiv 2302.03027, section 3.2): from one word to another.

A direction is the mean embedding of many sentences with the target word minus that of many with the source word,
position by position over all tokens (those of padding, too). It is added to the embedding of any prompt.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import NamedTuple

import torch
from torch import Tensor

from ..storage.state_dict import are_finite


class Encoding(NamedTuple):
    """What text encoders make of n sentences, as a CONDITIONING has it.

    tokens: [n, T, C], the last hidden states; with several text encoders (SDXL), side by side in C.
    pooled: [n, P], or None where the encoder has none.
    """

    tokens: Tensor
    pooled: Tensor | None = None


@dataclass(frozen=True, eq=False)
class EditDirection:
    """Where the embedding of a prompt moves when its source becomes its target.

    tokens: [1, T, C] and pooled: [1, P] or None, differences of means, float32.
    source, target: what the banks were about, for people.
    encoder: identity of the text encoder, keys "architecture" and "weights".

    Raises ValueError when the parts are no direction.
    """

    tokens: Tensor
    pooled: Tensor | None = None
    source: str = ""
    target: str = ""
    encoder: dict[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        shapes = {"tokens": (self.tokens, 3), "pooled embedding": (self.pooled, 2)}
        for name, (tensor, dimensions) in shapes.items():
            if tensor is None:
                continue
            if tensor.ndim != dimensions or tensor.shape[0] != 1 or 0 in tensor.shape:
                raise ValueError(
                    f"The {name} of an edit direction should have {dimensions} dimensions and one row, but the shape "
                    f"is {list(tensor.shape)}; make the direction again."
                )
            if not tensor.is_floating_point() or not are_finite({name: tensor}):
                raise ValueError(
                    f"The {name} of this edit direction holds NaN, infinite or whole numbers; make the direction again "
                    "(with the text encoder in fp32 if it happens again)."
                )

    def __repr__(self) -> str:
        length, width = self.tokens.shape[1:]
        words = f"{self.source!r} -> {self.target!r}"
        return f"EditDirection({words}, {length} tokens x {width}, norm {float(self.tokens.norm()):.4g})"


def mean_encoding(batches: Iterable[Encoding]) -> Encoding:
    """The mean over all sentences of all batches, [1, T, C] and [1, P], float32. Summed in float64, batch by batch.

    Raises ValueError where there is no sentence.
    """
    count, tokens, pooled = 0, torch.zeros(()), torch.zeros(())
    for batch in batches:
        count += len(batch.tokens)
        tokens = tokens + batch.tokens.double().sum(0, keepdim=True).cpu()
        if batch.pooled is not None:
            pooled = pooled + batch.pooled.double().sum(0, keepdim=True).cpu()
    if count == 0:
        raise ValueError("There is no sentence to take the mean of; fill the bank.")
    return Encoding((tokens / count).float(), (pooled / count).float() if pooled.ndim else None)


def direction_between(
    source: Encoding, target: Encoding, *, words: tuple[str, str] = ("", ""), encoder: dict[str, str] | None = None
) -> EditDirection:
    """The direction from one mean to another, of the same text encoder. words: what (source, target) are about."""
    pooled = None if source.pooled is None or target.pooled is None else target.pooled - source.pooled
    return EditDirection(target.tokens - source.tokens, pooled, *words, dict(encoder or {}))


def moved_tokens(tokens: Tensor, direction: EditDirection, strength: float) -> Tensor:
    """A prompt's embeddings [B, n*T, C] moved along the direction; a long prompt of n chunks is moved in each chunk.

    Raises ValueError where the prompt was encoded by another kind of text encoder.
    """
    length, width = direction.tokens.shape[1:]
    if tokens.ndim != 3 or tokens.shape[2] != width or tokens.shape[1] % length:
        raise ValueError(
            f"The edit direction is of {length} tokens x {width}, but the conditioning has the shape "
            f"{list(tokens.shape)}: they come from different text encoders. Make the direction with the CLIP that "
            "encodes the prompt."
        )
    return tokens + strength * direction.tokens.to(tokens).repeat(1, tokens.shape[1] // length, 1)


def moved_pooled(pooled: Tensor, direction: EditDirection, strength: float) -> Tensor:
    """A prompt's pooled embedding [B, P] moved along the direction; as it is where the direction has none.

    Raises ValueError where it is of another size.
    """
    if direction.pooled is None:
        return pooled
    if pooled.shape[-1] != direction.pooled.shape[-1]:
        raise ValueError(
            f"The edit direction has {direction.pooled.shape[-1]} pooled numbers, but the conditioning "
            f"{pooled.shape[-1]}: they come from different text encoders. Make the direction with the CLIP that "
            "encodes the prompt."
        )
    return pooled + strength * direction.pooled.to(pooled)
