"""Random weights of the networks that perceptual measures look through, under the names of `lpips` and torchvision."""

from pathlib import Path

import torch
from safetensors.torch import save_file
from torch import Tensor

RANDOM_LPIPS = "random.safetensors"
CONVOLUTIONS = {  # network -> number among torchvision's layers -> channels in, out, side
    "alexnet": {0: (3, 64, 11), 3: (64, 192, 5), 6: (192, 384, 3), 8: (384, 256, 3), 10: (256, 256, 3)},
    "vgg16": {
        0: (3, 64, 3), 2: (64, 64, 3), 5: (64, 128, 3), 7: (128, 128, 3), 10: (128, 256, 3), 12: (256, 256, 3),
        14: (256, 256, 3), 17: (256, 512, 3), 19: (512, 512, 3), 21: (512, 512, 3), 24: (512, 512, 3),
        26: (512, 512, 3), 28: (512, 512, 3),
    },
}  # fmt: skip
SLICES = {
    "alexnet": ((0,), (3,), (6,), (8,), (10,)),
    "vgg16": ((0, 2), (5, 7), (10, 12, 14), (17, 19, 21), (24, 26, 28)),
}


def random_weights(network: str, form: str = "lpips", seed: int = 0) -> dict[str, Tensor]:
    """The state of `lpips.LPIPS(net=...)`, or torchvision's network with the heads of LPIPS beside it."""
    random = torch.Generator().manual_seed(seed)
    state = {}
    for position, numbers in enumerate(SLICES[network], start=1):
        for number in numbers:
            in_channels, out_channels, side = CONVOLUTIONS[network][number]
            name = f"features.{number}" if form == "torchvision" else f"net.slice{position}.{number}"
            spread = (2 / (side**2 * in_channels)) ** 0.5
            state[f"{name}.weight"] = torch.randn(out_channels, in_channels, side, side, generator=random) * spread
            state[f"{name}.bias"] = 0.1 * torch.randn(out_channels, generator=random)
        state[f"lin{position - 1}.model.1.weight"] = torch.rand(1, out_channels, 1, 1, generator=random)
    return state


def keep_random_lpips(folder: Path) -> None:
    """AlexNet, the smallest, as the file RANDOM_LPIPS in a folder of ComfyUI's models."""
    folder.mkdir(parents=True)
    save_file(random_weights("alexnet"), folder / RANDOM_LPIPS)
