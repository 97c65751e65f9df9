"""The pocket world's autoencoder: TAESD's architecture (Bohan, https://github.com/madebyollin/taesd), trained from
nothing.

Images become latents of an eighth of their size in 4 channels and of about unit variance; ComfyUI scales SD
latents by 0.18215 itself, so the exported `vae_scale` is 0.18215 and a latent of the network is a latent of the
host's model.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

CHANNELS = 4
_WIDTH = 64
_SD_SCALE = 0.18215
_COLOR_MEAN, _COLOR_GAIN = 0.65, 4.5


def _conv(inputs: int, outputs: int, stride: int = 1, bias: bool = True) -> nn.Conv2d:
    return nn.Conv2d(inputs, outputs, 3, stride=stride, padding=1, bias=bias)


class Clamp(nn.Module):
    """Soft clamp to -3..3, so that a stray latent cannot saturate the decoder."""

    def forward(self, x: Tensor) -> Tensor:
        return torch.tanh(x / 3) * 3


class Block(nn.Module):
    """Three convolutions around which the input passes unchanged. The last one starts at zero: a new chain of
    blocks passes images through from the first step, which saves most of a short training.
    """

    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Sequential(
            _conv(_WIDTH, _WIDTH), nn.ReLU(), _conv(_WIDTH, _WIDTH), nn.ReLU(), _conv(_WIDTH, _WIDTH)
        )
        for parameter in self.conv[-1].parameters():
            nn.init.zeros_(parameter)

    def forward(self, x: Tensor) -> Tensor:
        return F.relu(x + self.conv(x))


def _encoder() -> nn.Sequential:
    layers: list[nn.Module] = [_conv(3, _WIDTH), Block()]
    for _ in range(3):
        layers += [_conv(_WIDTH, _WIDTH, stride=2, bias=False), Block(), Block(), Block()]
    return nn.Sequential(*layers, _conv(_WIDTH, CHANNELS))


def _decoder() -> nn.Sequential:
    layers: list[nn.Module] = [Clamp(), _conv(CHANNELS, _WIDTH), nn.ReLU()]
    for _ in range(3):
        layers += [Block(), Block(), Block(), nn.Upsample(scale_factor=2), _conv(_WIDTH, _WIDTH, bias=False)]
    return nn.Sequential(*layers, Block(), _conv(_WIDTH, 3))


class Autoencoder(nn.Module):
    """Keys as in ComfyUI's `comfy.taesd.taesd.TAESD`: taesd_encoder.*, taesd_decoder.*."""

    def __init__(self) -> None:
        super().__init__()
        self.taesd_encoder = _encoder()
        self.taesd_decoder = _decoder()

    @torch.no_grad()
    def start_as_thumbnail(self) -> None:
        """Set the fresh weights so that three of the latent's channels hold the mean red, green and blue of their 8
        x 8 pixels and the decoder paints them back. Training then only has to add the detail; without this, hues
        stay wrong for a long time.
        """
        for layer in (*self.taesd_encoder, *self.taesd_decoder):
            if isinstance(layer, nn.Conv2d):
                layer.weight[:3] = 0.0
                spread = 1.0 / 9.0 if layer.stride == (2, 2) else 1.0
                taps = slice(0, 3) if layer.stride == (2, 2) else slice(1, 2)
                for channel in range(3):
                    layer.weight[channel, channel, taps, taps] = spread
                if layer.bias is not None:
                    layer.bias[:3] = 0.0
        to_latent, from_latent = self.taesd_encoder[-1], self.taesd_decoder[1]
        to_latent.weight[:3] *= _COLOR_GAIN
        to_latent.bias[:3] = -_COLOR_MEAN * _COLOR_GAIN
        from_latent.weight[:3] /= _COLOR_GAIN
        from_latent.bias[:3] = _COLOR_MEAN
        self.taesd_decoder[-1].weight[:, 3:] *= 0.1

    def encode(self, images: Tensor) -> Tensor:
        """images [B, 3, H, W] in 0..1 -> latents [B, 4, H/8, W/8] of about unit variance."""
        return self.taesd_encoder(images)

    def decode(self, latents: Tensor) -> Tensor:
        """latents [B, 4, h, w] -> images [B, 3, 8h, 8w], about 0..1 (not clamped)."""
        return self.taesd_decoder(latents)


def reconstruction_loss(output: Tensor, target: Tensor) -> Tensor:
    """Mean absolute error of the pixels, of three coarser scales, and of neighbor differences (edges)."""
    loss = F.l1_loss(output, target)
    for axis in (2, 3):
        loss = loss + 0.5 * F.l1_loss(output.diff(dim=axis), target.diff(dim=axis))
    for scale in (2, 4, 8):
        loss = loss + 0.5 * F.l1_loss(F.avg_pool2d(output, scale), F.avg_pool2d(target, scale))
    return loss


def latent_penalty(latents: Tensor) -> Tensor:
    """Pulls every channel to mean 0 and standard deviation 1 over the batch."""
    mean, deviation = latents.mean((0, 2, 3)), latents.std((0, 2, 3))
    return (mean**2 + (deviation - 1.0) ** 2).mean()


def host_tensors(weights: dict[str, Tensor]) -> dict[str, Tensor]:
    """The state of an `Autoencoder` as ComfyUI's loader of TAESD files expects it."""
    return {**weights, "vae_scale": torch.tensor(_SD_SCALE), "vae_shift": torch.tensor(0.0)}
