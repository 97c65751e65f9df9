"""What tensors a kind of file may hold, judged by their names, types and shapes before their numbers are read."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import torch
from torch import Tensor

from .tensor_table import FLOATS

ANY_NUMBERS = (*FLOATS, torch.int64, torch.int32, torch.bool)
"""Those of embeddings, token ids and masks."""


@dataclass(frozen=True)
class TensorRule:
    """One tensor of a file, or all whose names begin alike.

    rank: how many dimensions it has; None leaves it to the record. dtypes: the types of numbers that it may have.
    needed: a file without it is refused. gaps: NaN may stand in it for what was not measured.
    """

    rank: int | None = None
    dtypes: tuple[torch.dtype, ...] = FLOATS
    needed: bool = False
    gaps: bool = False


Rules = Mapping[str, TensorRule]
"""By name; a name that ends with "." stands for all that begin with it."""


def check_tensors(rules: Rules, noun: str, tensors: Mapping[str, Tensor]) -> None:
    """Refuse tensors that no rule knows, or of another type or number of dimensions, and files without those needed.

    tensors: may live on "meta". noun: what the file is of. Raises ValueError: a sentence without its end.
    """
    for name, rule in rules.items():
        if rule.needed and name not in tensors:
            raise ValueError(f"lacks the {name} of {_article(noun)} {noun}")
    for name, tensor in tensors.items():
        found = rule_for(rules, name)
        if found is None:
            raise ValueError(f"also holds {name[:80]!r}, which is nothing of {_article(noun)} {noun}")
        if tensor.dtype not in found.dtypes:
            raise ValueError(
                f"holds a {name[:80]!r} that does not fit: {_kind(tensor.dtype)} numbers ({_word(tensor.dtype)}), "
                f"where {', '.join(map(_word, found.dtypes))} are read"
            )
        if found.rank is not None and tensor.ndim != found.rank:
            raise ValueError(
                f"holds a {name[:80]!r} that does not fit: its shape is {list(tensor.shape)}, where {found.rank} "
                "dimensions are needed"
            )


def check_finite(rules: Rules, tensors: Mapping[str, Tensor]) -> None:
    """Refuse NaN and infinite numbers. Raises ValueError: a sentence without its end."""
    for name, tensor in tensors.items():
        rule = rule_for(rules, name)
        bad = torch.isinf(tensor).any() if rule and rule.gaps else not torch.isfinite(tensor).all()
        if bad:
            raise ValueError(f"holds NaN or infinite numbers ({name[:80]})")


def rule_for(rules: Rules, name: str) -> TensorRule | None:
    """The rule that a tensor of this name falls under, if any."""
    if name in rules:
        return rules[name]
    return next((rule for prefix, rule in rules.items() if prefix.endswith(".") and name.startswith(prefix)), None)


def _article(noun: str) -> str:
    return "an" if noun[0] in "aeiou" else "a"


def _kind(dtype: torch.dtype) -> str:
    if dtype.is_complex:
        return "complex"
    return "8-bit" if dtype.is_floating_point else "whole"


def _word(dtype: torch.dtype) -> str:
    return str(dtype).removeprefix("torch.")
