"""The table of contents that `torch.save` writes of a state dict, read without unpickling: nothing is ever called.

A pickle is a program for a stack machine. Of its instructions only those are followed here that make plain values and
the few objects that a state dict consists of; every other one ends the reading.
"""

from __future__ import annotations

import pickletools
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import torch

LARGEST = 4 * 2**20
"""Bytes. A thousand tensors need about 100 KiB."""
MOST_INSTRUCTIONS = 200_000
_STORAGES = {
    "torch FloatStorage": torch.float32, "torch HalfStorage": torch.float16, "torch BFloat16Storage": torch.bfloat16,
    "torch DoubleStorage": torch.float64, "torch LongStorage": torch.int64, "torch IntStorage": torch.int32,
    "torch ShortStorage": torch.int16, "torch CharStorage": torch.int8, "torch ByteStorage": torch.uint8,
    "torch BoolStorage": torch.bool,
}  # fmt: skip
_DICT = "collections OrderedDict"
_TENSOR, _PARAMETER = "torch._utils _rebuild_tensor_v2", "torch._utils _rebuild_parameter"
_PUSHED = {"EMPTY_TUPLE": (), "NONE": None, "NEWTRUE": True, "NEWFALSE": False}
_CONSTANTS = {"BININT", "BININT1", "BININT2", "LONG1", "BINUNICODE", "SHORT_BINUNICODE", "BINFLOAT"}
_NOTHING = {"PROTO", "FRAME"}


@dataclass(frozen=True)
class Global:
    """A name of Python's that the pickle mentions: "module name". It is compared, never looked up."""

    name: str


@dataclass(frozen=True)
class StorageOf:
    """One block of numbers. key: its name in the archive. count: how many there are."""

    key: str
    dtype: torch.dtype
    count: int


@dataclass(frozen=True)
class TensorOf:
    """A view of a block: where it begins, in numbers, its shape, and how far its neighbors are apart."""

    storage: StorageOf
    offset: int
    shape: tuple[int, ...]
    stride: tuple[int, ...]


class _Mark:
    """Where a group of values on the stack begins."""


def read_contents(data: bytes) -> dict[str, TensorOf]:
    """The tensors of a pickled state dict, by name. Raises ValueError for everything else."""
    machine = _Machine()
    for name, argument in _instructions(data):
        if name == "STOP":
            return _state_dict(machine.result())
        machine.follow(name, argument)
    raise ValueError("its table of contents has no end")


def _instructions(data: bytes) -> Iterator[tuple[str, Any]]:
    try:
        for number, (opcode, argument, _) in enumerate(pickletools.genops(data)):
            if number > MOST_INSTRUCTIONS:
                raise ValueError("its table of contents is far longer than that of weights")
            yield opcode.name, argument
    except (ValueError, IndexError, OverflowError, UnicodeDecodeError) as error:
        raise ValueError(f"its table of contents is damaged ({error})") from error


class _Machine:
    """The stack and the memory of a pickle."""

    def __init__(self) -> None:
        self.stack: list[Any] = []
        self.memory: dict[int, Any] = {}

    def result(self) -> Any:
        if len(self.stack) != 1:
            raise ValueError("its table of contents is damaged")
        return self.stack[0]

    def follow(self, name: str, argument: Any) -> None:
        """Carry out one instruction. Raises ValueError for one that weights do not need."""
        if name in _NOTHING:
            return
        if name in _PUSHED:
            self.stack.append(_PUSHED[name])
        elif name in _CONSTANTS:
            self.stack.append(argument)
        elif (carry_out := _INSTRUCTIONS.get(name)) is not None:
            carry_out(self, argument)
        else:
            raise ValueError(f"it holds more than weights (instruction {name})")

    def pop(self) -> Any:
        if not self.stack:
            raise ValueError("its table of contents is damaged")
        return self.stack.pop()

    def pop_group(self) -> list[Any]:
        """What has been pushed since the last mark."""
        group: list[Any] = []
        while not isinstance(value := self.pop(), _Mark):
            group.append(value)
        return group[::-1]

    def remember(self, position: int | None) -> None:
        value = self.pop()
        self.stack.append(value)
        self.memory[len(self.memory) if position is None else position] = value

    def recall(self, position: int) -> None:
        if position not in self.memory:
            raise ValueError("its table of contents is damaged")
        self.stack.append(self.memory[position])

    def name_global(self, name: str) -> None:
        if name not in {*_STORAGES, _DICT, _TENSOR, _PARAMETER}:
            raise ValueError(f"it holds more than weights ({name[:60]})")
        self.stack.append(Global(name))

    def name_from_stack(self) -> None:
        name, module = self.pop(), self.pop()
        self.name_global(f"{module} {name}")

    def call(self) -> None:
        arguments, function = self.pop(), self.pop()
        if not isinstance(function, Global) or not isinstance(arguments, tuple):
            raise ValueError("its table of contents is damaged")
        self.stack.append(_constructed(function.name, arguments))

    def load_storage(self) -> None:
        self.stack.append(_storage(self.pop()))

    def set_items(self, items: list[Any]) -> None:
        found = self.stack[-1] if self.stack else None
        if not isinstance(found, dict) or len(items) % 2:
            raise ValueError("its table of contents is damaged")
        for key, value in zip(items[::2], items[1::2], strict=True):
            if not isinstance(key, str):
                raise ValueError("it holds more than the weights of one network")
            found[key] = value

    def drop_state(self) -> None:
        """What torch keeps of versions beside an OrderedDict says nothing of the weights."""
        self.pop()
        if not self.stack or not isinstance(self.stack[-1], dict):
            raise ValueError("its table of contents is damaged")


_INSTRUCTIONS: dict[str, Any] = {
    "MARK": lambda machine, _: machine.stack.append(_Mark()),
    "EMPTY_DICT": lambda machine, _: machine.stack.append({}),
    "TUPLE": lambda machine, _: machine.stack.append(tuple(machine.pop_group())),
    "TUPLE1": lambda machine, _: machine.stack.append((machine.pop(),)),
    "TUPLE2": lambda machine, _: machine.stack.append((machine.pop(), machine.pop())[::-1]),
    "TUPLE3": lambda machine, _: machine.stack.append((machine.pop(), machine.pop(), machine.pop())[::-1]),
    "BINPUT": lambda machine, position: machine.remember(position),
    "LONG_BINPUT": lambda machine, position: machine.remember(position),
    "MEMOIZE": lambda machine, _: machine.remember(None),
    "BINGET": lambda machine, position: machine.recall(position),
    "LONG_BINGET": lambda machine, position: machine.recall(position),
    "GLOBAL": lambda machine, name: machine.name_global(name),
    "STACK_GLOBAL": lambda machine, _: machine.name_from_stack(),
    "BINPERSID": lambda machine, _: machine.load_storage(),
    "REDUCE": lambda machine, _: machine.call(),
    "SETITEM": lambda machine, _: machine.set_items([machine.pop(), machine.pop()][::-1]),
    "SETITEMS": lambda machine, _: machine.set_items(machine.pop_group()),
    "BUILD": lambda machine, _: machine.drop_state(),
}


def _storage(about: Any) -> StorageOf:
    """("storage", its class, its key, its device, how many numbers)."""
    if not isinstance(about, tuple) or len(about) != 5 or about[0] != "storage" or not isinstance(about[1], Global):
        raise ValueError("its table of contents is damaged")
    _, kind, key, _, count = about
    if kind.name not in _STORAGES or not isinstance(key, str) or not _is_count(count):
        raise ValueError("its table of contents is damaged")
    return StorageOf(key, _STORAGES[kind.name], count)


def _constructed(name: str, arguments: tuple[Any, ...]) -> Any:
    """What would come out of a call to the few things that a state dict calls."""
    if name == _DICT and not arguments:
        return {}
    if name == _PARAMETER and arguments and isinstance(arguments[0], TensorOf):
        return arguments[0]
    if name == _TENSOR and len(arguments) >= 4:
        storage, offset, shape, stride = arguments[:4]
        sizes = isinstance(shape, tuple) and isinstance(stride, tuple) and len(shape) == len(stride)
        if isinstance(storage, StorageOf) and sizes and all(map(_is_count, (offset, *shape, *stride))):
            return TensorOf(storage, offset, shape, stride)
    raise ValueError("its table of contents is damaged")


def _is_count(value: Any) -> bool:
    return type(value) is int and 0 <= value < 2**48


def _state_dict(found: Any) -> dict[str, TensorOf]:
    if not isinstance(found, dict) or not all(isinstance(value, TensorOf) for value in found.values()):
        raise ValueError("it holds more than the weights of one network")
    return found
