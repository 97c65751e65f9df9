"""Whether tensors that came out of a file, or from anywhere, are the weights of a network."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor

from .tensor_table import FLOATS


def check_state_dict(what: str, noun: str, found: Mapping[str, Tensor], needed: Mapping[str, Tensor]) -> None:
    """Refuse other names, other shapes and numbers that we do not calculate with. Both may live on "meta".

    Raises ValueError: "The <what> are not those of a <noun>", with the first tensor that does not fit.
    """
    names = sorted(found.keys() ^ needed.keys())
    wrong = names or [
        name for name, tensor in found.items() if tensor.shape != needed[name].shape or tensor.dtype not in FLOATS
    ]
    if wrong:
        raise ValueError(f"The {what} are not those of a {noun} ({wrong[0]!r} does not fit); train it again.")


def are_finite(*groups: Mapping[str, Tensor]) -> bool:
    """False when any number of any tensor is NaN or infinite. On "meta" there are none yet."""
    return all(tensor.is_meta or bool(torch.isfinite(tensor).all()) for group in groups for tensor in group.values())


def strip_prefix(tensors: Mapping[str, Tensor], prefix: str) -> dict[str, Tensor]:
    """Those whose name begins with the prefix, without it."""
    return {name.removeprefix(prefix): tensor for name, tensor in tensors.items() if name.startswith(prefix)}
