"""A pretended GPU: tensors that say they are on cuda:0, refuse to meet those of the CPU, and hold their numbers there.

Every operation on them is run by the CPU on what they hold, and the answer is on the pretended GPU again. So a program
gives the numbers that it gives on the CPU, in any dtype, if it is careful about where each tensor is; and where it is
not, it ends with the error that CUDA has for that.

What this proves: on which device and in which dtype each tensor is when it is used, who is asked to move it, and
what is left on the GPU afterwards. What it does not: CUDA's kernels and their rounding, which attention it would take,
streams and timing, memory, and speed.
"""

from __future__ import annotations

import gc
from collections.abc import Callable, Iterable
from functools import cache
from typing import Any, NamedTuple

import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode

from .meeting import check_meeting

GPU = torch.device("cuda", 0)
INSIDE = torch.device("meta", 7)  # what torch's own code takes it for: about cuda it would ask the driver
CPU = torch.device("cpu")
aten = torch.ops.aten
COMPOSITE = torch._C.DispatchKey.CompositeImplicitAutograd

WHOLE = {aten.scaled_dot_product_attention.default}  # run as one, so that the CPU takes the attention it always takes
MATH, FLASH = 0, 1  # of torch.nn.attention.SDPBackend


class PretendedTensor(Tensor):
    """A tensor on the pretended GPU. held: its numbers, on the CPU, in the same shape, strides and dtype."""

    held: Tensor

    @staticmethod
    def __new__(cls, held: Tensor) -> PretendedTensor:
        layout = {"strides": held.stride(), "storage_offset": held.storage_offset()}
        return torch.Tensor._make_wrapper_subclass(cls, held.size(), **layout, dtype=held.dtype, device=INSIDE)

    def __init__(self, held: Tensor) -> None:
        self.held = held

    __torch_function__ = torch._C._disabled_torch_function_impl
    device = property(lambda self: GPU)
    is_cuda = property(lambda self: True)
    is_meta = property(lambda self: False)

    @classmethod
    def __torch_dispatch__(cls, operation: Any, types: Any, args: tuple = (), kwargs: dict | None = None) -> Any:
        raise RuntimeError(f"{operation} met a tensor of the pretended GPU, which is not switched on in this thread.")

    def __tensor_flatten__(self) -> tuple[list[str], None]:
        return ["held"], None

    @staticmethod
    def __tensor_unflatten__(parts: dict[str, Tensor], about: None, size: Any, stride: Any) -> PretendedTensor:
        return PretendedTensor(parts["held"])

    def __repr__(self, **_: Any) -> str:
        return f"PretendedTensor({tuple(self.shape)}, {self.dtype}, {self.device})"

    def __deepcopy__(self, memo: dict) -> Tensor:
        copy = self.detach().clone().requires_grad_(self.requires_grad)
        if isinstance(self, torch.nn.Parameter):
            copy = torch.nn.Parameter(copy, self.requires_grad)
        memo[id(self)] = copy
        return copy

    def new_tensor(self, data: Any, *, dtype: torch.dtype | None = None, **options: Any) -> Tensor:
        return torch.tensor(data, dtype=dtype or self.dtype, **{"device": GPU, **options})

    def __getitem__(self, index: Any) -> Tensor:
        return super().__getitem__(_lists_as_tensors(index))

    def __setitem__(self, index: Any, value: Any) -> None:
        super().__setitem__(_lists_as_tensors(index), value)

    def tolist(self) -> Any:
        return self.detach().cpu().tolist()

    def numpy(self, *, force: bool = False) -> Any:
        if force:
            return self.detach().cpu().numpy()
        raise TypeError(
            "can't convert cuda:0 device type tensor to numpy. "
            "Use Tensor.cpu() to copy the tensor to host memory first."
        )

    def __array__(self, dtype: Any = None) -> Any:
        return self.numpy()

    def data_ptr(self) -> int:
        return self.held.data_ptr()


class PretendedGPU(TorchDispatchMode):
    """While it is on: tensors made for a cuda device are pretended ones, and operations on these work.

    draws: the numbers that the GPU draws, a row of its own as on a real one.
    """

    def __init__(self) -> None:
        super().__init__()
        self.draws = torch.Generator().manual_seed(0).get_state()

    def __torch_dispatch__(self, operation: Any, types: Any, args: tuple = (), kwargs: dict | None = None) -> Any:
        kwargs = kwargs or {}
        leaves = _leaves((*args, *kwargs.values()))
        pretended = [leaf for leaf in leaves if isinstance(leaf, PretendedTensor)]
        asked = next((leaf for leaf in leaves if isinstance(leaf, torch.device)), None)
        if not pretended and (asked is None or not _is_gpu(asked)):
            return operation(*args, **kwargs)
        if operation is aten._fused_sdp_choice.default:
            return MATH
        about = _about(operation)
        if about.composite:
            args, kwargs = _each(_as_torch_takes_it, args), _each(_as_torch_takes_it, kwargs)
            with self:  # not `decompose`, which for some operations has Python that is rounded otherwise
                return operation._op_dk(COMPOSITE, *args, **kwargs)
        check_meeting(operation, args, leaves)
        device = INSIDE if asked is None else asked
        known = {id(leaf.held): leaf for leaf in pretended}
        args, kwargs = _each(_on_cpu, args), _each(_on_cpu, kwargs)
        if kwargs.get("pin_memory"):
            kwargs["pin_memory"] = False
        if about.draws and _is_gpu(device):
            answer = self._draw(lambda: operation(*args, **kwargs))
        else:
            answer = operation(*args, **kwargs)
        for wrapper in pretended:
            if wrapper.shape != wrapper.held.shape:
                raise NotImplementedError(f"{operation} changed the shape of a tensor in place.")
        if about.view:  # of an inference tensor it is one, too, and of another it is none, wherever we are
            with torch.inference_mode(pretended[0].is_inference()):
                return _each(lambda one: _placed(one, known, device), answer)
        return _each(lambda one: _placed(one, known, device), answer)

    def _draw(self, make: Callable[[], Any]) -> Any:
        """What `make` draws, from the GPU's own row of random numbers."""
        cpu = torch.get_rng_state()
        torch.set_rng_state(self.draws)
        try:
            return make()
        finally:
            self.draws = torch.get_rng_state()
            torch.set_rng_state(cpu)


def to(tensor: Tensor, *args: Any, **kwargs: Any) -> Tensor:
    """`Tensor.to`, in whose own code a device without an index is a question to CUDA's driver."""
    args, kwargs = _each(_as_torch_takes_it, args), _each(_as_torch_takes_it, kwargs)
    return torch._C.TensorBase.to(tensor, *args, **kwargs)


def cuda(tensor: Tensor, *_: Any, **__: Any) -> Tensor:
    """`Tensor.cuda`."""
    return to(tensor, GPU)


def attention_of_the_cpu(usual: Callable[..., Tensor]) -> Callable[..., Tensor]:
    """`scaled_dot_product_attention` that takes, where it is not run as one, the kernel that the CPU takes.

    Else a gradient through it would be rounded otherwise, from which an optimizer makes other whole steps.
    """

    def attention(q: Tensor, k: Tensor, v: Tensor, **options: Any) -> Tensor:
        plain = options.get("attn_mask") is None and not torch.is_inference_mode_enabled()
        if plain and all(isinstance(x, PretendedTensor) for x in (q, k, v)):
            scale = options.get("scale")
            held = [x.detach().held.requires_grad_(x.requires_grad) for x in (q, k, v)]
            if torch._fused_sdp_choice(*held, scale=scale) == FLASH:
                return aten._scaled_dot_product_flash_attention_for_cpu(q, k, v, scale=scale)[0]
        return usual(q, k, v, **options)

    return attention


def on_gpu() -> list[PretendedTensor]:
    """All tensors that are on the pretended GPU now, one for each memory that they share."""
    gc.collect()
    found = [thing for thing in gc.get_objects() if type(thing) is PretendedTensor]
    return list({thing.held.untyped_storage().data_ptr(): thing for thing in found}.values())


def _leaves(arguments: Iterable[Any]) -> list[Any]:
    """The arguments of an operation, of which some may be lists."""
    leaves: list[Any] = []
    for argument in arguments:
        if isinstance(argument, (list, tuple)):
            leaves += argument
        else:
            leaves.append(argument)
    return leaves


def _each(change: Callable[[Any], Any], things: Any) -> Any:
    """The same change of everything in lists, tuples and dictionaries, as deep as operations have them."""
    if isinstance(things, (list, tuple)):
        return type(things)([_each(change, thing) for thing in things])
    if isinstance(things, dict):
        return {name: _each(change, thing) for name, thing in things.items()}
    return change(things)


class _About(NamedTuple):
    """What is asked about every operation.

    composite: whether torch makes it of other operations, which are then the ones to look at. draws: whether it draws
    random numbers. view: whether its answer shares the memory of its first argument.
    """

    composite: bool
    draws: bool
    view: bool


@cache
def _about(operation: Any) -> _About:
    composite = torch._C._dispatch_has_kernel_for_dispatch_key(operation.name(), COMPOSITE)
    draws = torch.Tag.nondeterministic_seeded in operation.tags
    return _About(composite and operation not in WHOLE, draws, operation.is_view)


def _is_gpu(device: torch.device) -> bool:
    return device.type == "cuda" or device == INSIDE


def _on_cpu(leaf: Any) -> Any:
    if isinstance(leaf, PretendedTensor):
        return leaf.held
    return CPU if isinstance(leaf, torch.device) and _is_gpu(leaf) else leaf


def _as_torch_takes_it(leaf: Any) -> Any:
    """A device of the outside as torch's own code has it, which compares it with where its tensors are."""
    if isinstance(leaf, str) and leaf.startswith("cuda"):
        return INSIDE
    return INSIDE if isinstance(leaf, torch.device) and leaf.type == "cuda" else leaf


def _lists_as_tensors(index: Any) -> Any:
    """An index whose lists are tensors: torch's own code would make these, where they have no data."""
    if isinstance(index, tuple):
        return tuple(map(_lists_as_tensors, index))
    return torch.tensor(index, device=GPU) if isinstance(index, list) else index


def _placed(answer: Any, known: dict[int, PretendedTensor], device: torch.device) -> Any:
    if not isinstance(answer, Tensor):
        return answer
    if id(answer) in known:
        return known[id(answer)]
    return PretendedTensor(answer) if _is_gpu(device) else answer
