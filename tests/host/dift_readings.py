"""DIFT of the small U-Net, as its tests read it."""

import torch
from appearance_transfer.correspondence.dift import DiftSettings
from appearance_transfer.tests.host.small_world import (
    CONFIG,
    latents,
    prompt,
)
from appearance_transfer.tests.host.test_families import SD15, SDXL

SETTINGS = DiftSettings(timestep=261, up_block=1, ensemble=3, batch=8)
UP_BLOCKS = [  # of the network's input: channels and how much smaller the grid is
    ("SD1.5", SD15, [(1280, 4), (1280, 2), (640, 1), (320, 1)]),
    ("SD2.1", SD15 | {"num_heads": -1, "num_head_channels": 64, "context_dim": 1024}, None),
    ("SDXL", SDXL, [(1280, 2), (640, 1), (320, 1)]),
    ("small", CONFIG, [(64, 2), (64, 1), (32, 1)]),
]


def features(model, latent, settings=SETTINGS, positive=None):
    from appearance_transfer.host.matching.dift_features import dift_features

    with torch.inference_mode():
        return dift_features(model, latent, positive or prompt(1), settings)


def forward(model) -> torch.Tensor:
    """One plain forward of the network, bit for bit what any other node would get."""
    network = model.get_model_object("diffusion_model")
    with torch.inference_mode():
        return network(latents(9), torch.tensor([500.0]), context=prompt(1)[0][0], transformer_options={})


def hooks(model) -> int:
    network = model.get_model_object("diffusion_model")
    return sum(len(module._forward_hooks) + len(module._forward_pre_hooks) for module in network.modules())
