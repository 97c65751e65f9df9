"""Which columns of a cross-attention map belong to a word of the prompt."""

from collections.abc import Hashable
from typing import Any

from torch import Tensor

from ...inversion.types import Inversion
from ..runtime.quoting import quoted

SAME_TOKEN = 0.1
"""Relative distance of two embeddings that are of one token: encoders in half precision stay below, other words do
not."""


def token_columns(clip: Any, prompt: str, word: str) -> list[int]:
    """Columns of `word` in the encoded `prompt`, all its sub-tokens and all positions it stands at.

    clip: ComfyUI's CLIP. The word is found by its own tokens, so a word that splits into several tokens and
    punctuation before it do no harm; it may also be a textual-inversion embedding. Raises ValueError where the prompt
    does not hold the word.
    """
    expected = _content(clip, word)
    columns = []
    if expected:
        offset = 0
        for chunk in _chunks(clip, prompt):
            for start in range(len(chunk) - len(expected) + 1):
                if chunk[start : start + len(expected)] == expected:
                    columns += range(offset + start, offset + start + len(expected))
            offset += len(chunk)
    if not columns:
        raise ValueError(
            f"The noun {quoted(word)} is not in the prompt {quoted(prompt)}. "
            "Type a word that stands in the prompt the image was inverted with."
        )
    return columns


def columns_in(inversion: Inversion, clip: Any, prompt: str, word: str) -> list[int]:
    """`token_columns` of the positive text an inversion was made under, which `prompt` has to be.

    Raises ValueError also where the prompt is another text, of any image of the inversion.
    """
    columns = token_columns(clip, prompt, word)
    recorded = inversion.embedding("positive")
    encoded = clip.encode_from_tokens(clip.tokenize(prompt))
    if not _same_tokens(encoded, recorded):
        raise ValueError(
            f"The prompt {quoted(prompt)} is not the text that the image was inverted with ({recorded.shape[1]} "
            "tokens), so the word stands elsewhere in it. Type the positive text of the inversion, and connect the "
            "CLIP that encoded it."
        )
    return columns


def _same_tokens(encoded: Tensor, recorded: Tensor) -> bool:
    """Whether every token of an embedding [1, T, C] is that of each of the recorded ones [b, T, C]."""
    if encoded.shape[1:] != recorded.shape[1:]:
        return False
    a, b = encoded.to(recorded.device).double(), recorded.double()
    return bool(((a - b).norm(dim=-1) <= SAME_TOKEN * b.norm(dim=-1)).all())


def _chunks(clip: Any, text: str) -> list[list[Hashable]]:
    """Tokens of the first text encoder, a list per chunk of 77."""
    tokens = clip.tokenize(text)
    return [[_identity(token[0]) for token in chunk] for chunk in next(iter(tokens.values()))]


def _identity(token: Any) -> Hashable:
    """What tells one token from another: an id, or the numbers of a textual-inversion embedding in its place."""
    return token.detach().float().cpu().numpy().tobytes() if isinstance(token, Tensor) else token


def _content(clip: Any, word: str) -> list[Hashable]:
    """The tokens of a word alone, without the begin, end and padding tokens, which are those of the empty text."""
    empty = set(_chunks(clip, "")[0])
    return [token for token in _chunks(clip, word.strip())[0] if token not in empty]


def prompt_of(inversion: Inversion, typed: str = "") -> str:
    """The words of the positive text: as typed, or else those that the inversion keeps.

    Raises ValueError where neither says any.
    """
    prompt = typed.strip() or inversion.prompt
    if not prompt:
        raise ValueError(
            "The inversion does not know the words of its text: it was made from a CONDITIONING, from an empty text, "
            "or its images have different ones. Type the text into prompt, or write it into Invert Image."
        )
    return prompt
