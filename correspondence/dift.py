"""DIFT: what a diffusion model knows of every position of an image (Tang et al., NeurIPS 2023, arXiv 2306.03881).

The image is noised to one timestep, the network runs once, and what its decoder knows halfway is the feature. Noise
makes a single draw unreliable, so the mean over an ensemble of draws is taken, over the raw features; whoever matches
them normalizes (the paper's section 4.2 and reference code).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

TIMESTEPS = 1000  # what SD1.x, SD2.x and SDXL are trained with

ForwardPass = Callable[[Tensor, Tensor], Tensor]
"""(clean [n, C, h, w], noise [n, C, h, w]) -> features [n, C', h', w'] of the noisy images."""
ForwardPasses = Callable[[Tensor, Tensor], Sequence[Tensor]]
"""The same with several features of each image."""


SAMPLE, MEAN = POSTERIORS = ("sample", "mean")
"""What is noised of an image that a VAE encodes: a sample for every look, as in the paper, or the mean."""


TOKENS, QUERIES, KEYS = FACETS = ("tokens", "queries", "keys")
"""What of a transformer's block is taken: its input as it is normalized and modulated, or what becomes of it in the
self-attention, before positions enter.
"""


@dataclass(frozen=True)
class BlockReading:
    """Where a transformer is read. block: 0 is the first to run. facet: of `FACETS`.

    Raises ValueError for a block below 0 and for an unknown facet.
    """

    block: int = 28
    facet: str = TOKENS

    def __post_init__(self) -> None:
        if self.block < 0:
            raise ValueError(f"The block is {self.block}; set block to 0 (the first) or more.")
        if self.facet not in FACETS:
            raise ValueError(f"There is no facet {self.facet!r}; choose one of {', '.join(FACETS)}.")


@dataclass(frozen=True)
class DiftSettings:
    """How to look.

    timestep: 0 (nearly clean) to 999 (pure noise); of a flow model, the noise level in thousandths. up_block: of a
        U-Net, the decoder block whose output is taken, its upsampler included, 0 the coarsest; None reads no U-Net.
        block: where a transformer is read; None reads no transformer. ensemble: draws per image, each with noise of its
        own. seed: of that noise, which all images of a size share. batch: images per forward; changes memory and speed
        only.

    Raises ValueError for numbers out of range.
    """

    timestep: int = 261
    up_block: int | None = 1
    block: BlockReading | None = None
    ensemble: int = 8
    seed: int = 42
    batch: int = 8

    def __post_init__(self) -> None:
        if not 0 <= self.timestep < TIMESTEPS:
            raise ValueError(
                f"The timestep is {self.timestep}, but the model knows 0 to {TIMESTEPS - 1}. "
                "Set timestep to 261 for parts of objects, or to 0 for the same object seen from elsewhere."
            )
        if self.up_block is not None and self.up_block < 0:
            raise ValueError(f"The up block is {self.up_block}; set up_block to 0 (the coarsest) or more.")
        if self.ensemble < 1 or self.batch < 1:
            raise ValueError(f"The ensemble is {self.ensemble} and the batch {self.batch}; set both to 1 or more.")


PRESETS = {
    "semantic": {"timestep": 261, "up_block": 1},
    "geometric": {"timestep": 0, "up_block": 2},
    "pocket": {"timestep": 621, "up_block": 1},
}
"""Where to look, by what the features are for: the paper's two for SD2.1, and what benchmarks/matching.py found best
for the pocket checkpoint, on pairs apart from those it reports (--first-seed 800000 --pairs 40).
"""

BLOCK_PRESETS: dict[str, dict[str, Any]] = {
    "Flux.1": {"timestep": 260, "up_block": None, "block": BlockReading(28, TOKENS)},
    "pocket transformer": {"timestep": 800, "up_block": None, "block": BlockReading(5, QUERIES)},
}
"""The same for transformers: for Flux.1 what DiTF found, single block 9 behind 19 double ones; for the pocket
transformer chosen by hand on 24 pairs apart from those that are reported, among several of nearly equal PCK.
"""


def shared_noise(shape: tuple[int, ...], ensemble: int, seed: int) -> Tensor:
    """The noise of every draw, [ensemble, *shape], standard normal, fp32; the same for every image of this shape.

    Drawn on the CPU, so that a seed means the same on every machine. The reference code draws anew for every image;
    sharing it takes the noise out of the comparison of two images.
    """
    return torch.randn(ensemble, *shape, generator=torch.Generator("cpu").manual_seed(seed))


def ensemble_mean(forward: ForwardPass, clean: Tensor, noise: Tensor, batch: int) -> Tensor:
    """The mean of the raw features over the draws: [B, C', h', w'] in fp32; see `ensemble_means`."""
    return ensemble_means(lambda images, added: [forward(images, added)], clean, noise, batch)[0]


def ensemble_means(forward: ForwardPasses, clean: Tensor, noise: Tensor, batch: int) -> list[Tensor]:
    """The means over the draws of several features that one forward gives: [B, C', h', w'] in fp32 each.

    clean: [B, C, h, w], or [E, B, C, h, w] with a posterior sample for every draw. noise: [E, C, h, w]. batch: rows
        that `forward` gets at once; always all B images of at least one draw, draw by draw.

    Raises ValueError where the posterior samples are not as many as the draws.
    """
    samples = sample_per_draw(clean, len(noise))
    noises = noise[:, None].expand_as(samples)
    images = samples.shape[1]
    at_once = draws_per_batch(images, batch)
    sums = [
        [found.float().unflatten(0, (-1, images)).sum(0) for found in forward(some.flatten(0, 1), added.flatten(0, 1))]
        for some, added in zip(samples.split(at_once), noises.split(at_once), strict=True)
    ]
    return [torch.stack(parts).sum(0) / len(noise) for parts in zip(*sums, strict=True)]


def sample_per_draw(clean: Tensor, ensemble: int) -> Tensor:
    """[E, B, C, h, w] from one latent per image [B, C, h, w], or from that many posterior samples, as they are."""
    if clean.ndim == 5 and len(clean) != ensemble:
        raise ValueError(
            f"There are {len(clean)} posterior samples of every image and {ensemble} draws of noise: "
            "draw as many as the ensemble has."
        )
    return clean.expand(ensemble, *clean.shape[-4:])


def draws_per_batch(images: int, batch: int) -> int:
    """How many draws of all images share a forward of about `batch` rows; at least one."""
    return max(1, batch // images)
