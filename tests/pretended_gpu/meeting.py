"""Which tensors may meet in one operation, as CUDA has it.

Tensors of an operation are on one device, except that a CPU tensor without dimensions counts as a number in pointwise
operations, that copies are between any two devices, and that indices, and only they, may be on the CPU where the
indexed tensor is not (compare torch/_subclasses/fake_tensor.py, FakeTensor._find_common_device). A random generator
belongs to the device that it draws for.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

aten = torch.ops.aten

COPIES = {aten.copy_.default, aten._to_copy.default, aten.copy.default}
INDEXING = {  # operation -> where its indices stand among the arguments
    aten.index.Tensor: 1,
    aten.index_put.default: 1,
    aten.index_put_.default: 1,
    aten._unsafe_index.Tensor: 1,
    aten._unsafe_index_put.default: 1,
    aten._index_put_impl_.default: 1,
}
TAKES_A_CPU_NUMBER = {  # besides all that torch calls pointwise
    aten.index_put.default,
    aten.index_put_.default,
    aten._index_put_impl_.default,
    aten.masked_fill.Tensor,
    aten.masked_fill_.Tensor,
    aten.fill_.Tensor,
    aten.where.self,
}


def check_meeting(operation: Any, args: tuple, leaves: list[Any]) -> None:
    """Raise RuntimeError, as CUDA does, where tensors of both devices meet that must not."""
    generator = next((leaf for leaf in leaves if isinstance(leaf, torch.Generator)), None)
    if generator is not None and generator.device.type != "cuda":
        raise RuntimeError(f"Expected a 'cuda' device type for generator but found '{generator.device.type}'")
    tensors = [leaf for leaf in leaves if isinstance(leaf, Tensor)]
    if any(not tensor.is_cuda and tensor.is_meta for tensor in tensors):
        raise NotImplementedError(f"Something that {operation} gets was made by torch's own code, without data.")
    if operation in COPIES:
        return
    if operation in INDEXING:
        indices = [index for index in args[INDEXING[operation]] if index is not None]
        if not args[0].is_cuda and any(index.is_cuda for index in indices):
            raise RuntimeError("indices should be either on cpu or on the same device as the indexed tensor (cpu)")
        ids = set(map(id, indices))
        tensors = [tensor for tensor in tensors if id(tensor) not in ids]
    strangers = [tensor for tensor in tensors if not tensor.is_cuda]
    if not strangers or len(strangers) == len(tensors):
        return
    numbers = torch.Tag.pointwise in operation.tags or operation in TAKES_A_CPU_NUMBER
    if numbers and all(tensor.ndim == 0 for tensor in strangers) and not _writes_on(operation, args, strangers):
        return
    raise RuntimeError(
        "Expected all tensors to be on the same device, but found at least two devices, cuda:0 and cpu! "
        f"({operation}: {', '.join(f'{tuple(one.shape)} on {one.device}' for one in tensors)})"
    )


def _writes_on(operation: Any, args: tuple, tensors: list[Tensor]) -> bool:
    written = [
        argument
        for argument, about in zip(args, operation._schema.arguments, strict=False)
        if about.alias_info is not None and about.alias_info.is_write
    ]
    return any(argument is tensor for argument in written for tensor in tensors)
