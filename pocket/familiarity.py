"""Is an image of the pocket world? The pocket denoiser tells: in any other image it takes the detail for noise.

Calibrated on 128 held-out scenes and on 20 photographs, both at 128 px; what the autoencoder alone loses of an image
separates the two less well (scenes up to 0.028, photographs from 0.032 on, a plain color 0.006).
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from .autoencoder import Autoencoder
from .diffusion import add_noise
from .text import TextEncoder, tokenize

SIZE = 128  # pixels; what the checkpoint was trained on
TIMESTEP = 101
FAR = 0.32
"""Above it an image is far from the pocket world."""

Networks = tuple[nn.Module, TextEncoder, Autoencoder]
"""As `PocketCheckpoint.models` gives them, of a U-Net."""


@torch.no_grad()
def strangeness(networks: Networks, images: Tensor) -> Tensor:
    """How far images are from the pocket world: the mean squared error of the noise that is found in them.

    images: [B, H, W, 3] in 0..1, seen as their middle square at 128 px. Returns [B], each above 0, compared with `FAR`.
    """
    unet, text_encoder, autoencoder = networks
    nothing = text_encoder(tokenize([""]))
    found = []
    for image in images.float().cpu():
        latent = autoencoder.encode(_square(image))
        noise = torch.randn(latent.shape, generator=torch.Generator().manual_seed(0))
        timestep = torch.tensor([TIMESTEP])
        found.append((unet(add_noise(latent, noise, timestep), timestep, nothing) - noise).square().mean())
    return torch.stack(found)


@torch.no_grad()
def strangeness_of_latents(networks: Networks, latents: Tensor) -> Tensor:
    """The same of the images that latents [B, 4, h, w] of the pocket autoencoder, of about unit variance, stand for."""
    decoded = [networks[2].decode(latent[None])[0] for latent in latents.float().cpu()]
    return strangeness(networks, torch.stack(decoded).clamp(0.0, 1.0).permute(0, 2, 3, 1))


def _square(image: Tensor) -> Tensor:
    """The middle of [H, W, 3] as [1, 3, 128, 128]."""
    height, width, _ = image.shape
    side = min(height, width)
    top, left = (height - side) // 2, (width - side) // 2
    middle = image[top : top + side, left : left + side].permute(2, 0, 1)[None]
    return F.interpolate(middle, (SIZE, SIZE), mode="bicubic", antialias=True).clamp(0.0, 1.0)
