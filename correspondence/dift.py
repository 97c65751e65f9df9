"""DIFT: what a diffusion model knows of every place of a picture (Tang et al., NeurIPS 2023, arXiv 2306.03881).

The picture is noised to one timestep, the network runs once, and what its decoder knows halfway is the feature. Noise
makes a single look unreliable, so the mean over an ensemble of looks is taken, over the raw features; whoever matches
them normalises (the paper's section 4.2 and released code).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

TIMESTEPS = 1000  # what SD1.x, SD2.x and SDXL are trained with

Look = Callable[[Tensor, Tensor], Tensor]
"""(clean [n, C, h, w], noise [n, C, h, w]) -> features [n, C', h', w'] of the noisy pictures."""


@dataclass(frozen=True)
class DiftSettings:
    """How to look.

    timestep: 0 (nearly clean) to 999 (pure noise). up_block: the decoder block whose output is taken, its upsampler
        included, 0 the coarsest. ensemble: looks per picture, each with noise of its own. seed: of that noise, which
        all pictures of a size share. batch: pictures per forward; changes memory and speed only.

    Raises ValueError for numbers out of range.
    """

    timestep: int = 261
    up_block: int = 1
    ensemble: int = 8
    seed: int = 42
    batch: int = 8

    def __post_init__(self) -> None:
        if not 0 <= self.timestep < TIMESTEPS:
            raise ValueError(
                f"The timestep is {self.timestep}, but the model knows 0 to {TIMESTEPS - 1}. "
                "Set timestep to 261 for parts of objects, or to 0 for the same object seen from elsewhere."
            )
        if self.up_block < 0:
            raise ValueError(f"The up block is {self.up_block}; set up_block to 0 (the coarsest) or more.")
        if self.ensemble < 1 or self.batch < 1:
            raise ValueError(f"The ensemble is {self.ensemble} and the batch {self.batch}; set both to 1 or more.")


SEMANTIC = DiftSettings(timestep=261, up_block=1)
GEOMETRIC = DiftSettings(timestep=0, up_block=2)


def shared_noise(shape: tuple[int, ...], ensemble: int, seed: int) -> Tensor:
    """The noise of every look, [ensemble, *shape], standard normal, fp32; the same for every picture of this shape.

    Drawn on the CPU, so that a seed means the same on every machine. The released code draws anew for every picture;
    sharing it takes the noise out of the comparison of two pictures.
    """
    return torch.randn(ensemble, *shape, generator=torch.Generator("cpu").manual_seed(seed))


def ensemble_mean(look: Look, clean: Tensor, noise: Tensor, batch: int) -> Tensor:
    """The mean of the raw features over the looks: [B, C', h', w'] in fp32.

    clean: [B, C, h, w], or [E, B, C, h, w] with a posterior sample for every look. noise: [E, C, h, w]. batch: rows
        that `look` gets at once; always all B pictures of at least one look, look by look.

    Raises ValueError where the posterior samples are not as many as the looks.
    """
    pictures = clean.shape[-4]
    if clean.ndim == 5 and len(clean) != len(noise):
        raise ValueError(
            f"There are {len(clean)} posterior samples of a picture and {len(noise)} looks at it: "
            "give as many as the ensemble has."
        )
    samples = clean.expand(len(noise), *clean.shape[-4:])
    noises = noise[:, None].expand_as(samples)
    total: Tensor | float = 0.0
    for looks in torch.arange(len(noise)).split(looks_at_once(pictures, batch)):
        rows = slice(int(looks[0]), int(looks[-1]) + 1)
        features = look(samples[rows].flatten(0, 1), noises[rows].flatten(0, 1))
        total = total + features.float().unflatten(0, (-1, pictures)).sum(0)
    return torch.as_tensor(total) / len(noise)


def looks_at_once(pictures: int, batch: int) -> int:
    """How many looks at all pictures share a forward of about `batch` rows; at least one."""
    return max(1, batch // pictures)
