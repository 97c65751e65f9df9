"""Images that are no pocket scene, made from nothing."""

import torch
from torch import Tensor


def waves(size: int = 128) -> Tensor:
    """[4, size, size, 3] in 0..1: colored waves of four lengths, with detail everywhere as photographs have it."""
    across, down = torch.meshgrid(torch.linspace(0, 1, size), torch.linspace(0, 1, size), indexing="xy")
    turns = [2 * torch.pi * length for length in (2, 3, 5, 8)]
    channels = [((turn * across).sin(), (turn * down).cos(), (turn * (across + down) / 2).sin()) for turn in turns]
    return torch.stack([torch.stack(three, dim=-1) for three in channels]) / 2 + 0.5
