"""Which columns of a cross-attention map belong to a word of the prompt."""

from typing import Any

from ..inversion.record import Inversion
from .quoting import quoted


def token_columns(clip: Any, prompt: str, word: str) -> list[int]:
    """Columns of `word` in the encoded `prompt`, all its sub-tokens and all places it stands at.

    clip: the host's CLIP. The word is found by its own token ids, so a word that splits into several tokens and
    punctuation before it do no harm. Raises ValueError where the prompt does not hold the word.
    """
    word_ids = _content(clip, word)
    columns = []
    if word_ids:
        offset = 0
        for chunk in _chunks(clip, prompt):
            for start in range(len(chunk) - len(word_ids) + 1):
                if chunk[start : start + len(word_ids)] == word_ids:
                    columns += range(offset + start, offset + start + len(word_ids))
            offset += len(chunk)
    if not columns:
        raise ValueError(
            f"The noun {quoted(word)} is not in the prompt {quoted(prompt)}. "
            "Type a word that stands in the prompt the picture was inverted with."
        )
    return columns


def columns_in(inversion: Inversion, clip: Any, prompt: str, word: str) -> list[int]:
    """`token_columns` of the positive text an inversion was made under, which `prompt` should be.

    Raises ValueError also where the prompt has more tokens than that text.
    """
    columns = token_columns(clip, prompt, word)
    tokens = inversion.embedding("positive").shape[1]
    if max(columns) >= tokens:
        raise ValueError(
            f"The prompt {quoted(prompt)} is longer than the text the picture was inverted with ({tokens} tokens). "
            "Type the positive text of the inversion."
        )
    return columns


def _chunks(clip: Any, text: str) -> list[list[int]]:
    """Token ids of the first text encoder, a list per chunk of 77."""
    tokens = clip.tokenize(text)
    return [[token[0] for token in chunk] for chunk in next(iter(tokens.values()))]


def _content(clip: Any, word: str) -> list[int]:
    """The ids of a word alone, without the begin, end and padding tokens, which are those of the empty text."""
    empty = set(_chunks(clip, "")[0])
    return [token for token in _chunks(clip, word.strip())[0] if token not in empty]
