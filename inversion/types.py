"""What an inversion is: an image's path through noise, and what is needed to walk it again."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Literal

from torch import Tensor

from . import conditioning as prompts
from .conditioning import Entry
from .part_checks import Method, check_embeddings, check_numbers, check_path, check_prompts
from .schedule import Schedule


@dataclass(frozen=True, eq=False)
class Inversion:
    """The inversion of B images of one size by one model.

    trajectory: [S+1, B, C, h, w], x at sigmas[i] in ComfyUI's scaling, noisiest first, the image last.
    noise_maps: [S, B, C, h, w], what each step adds; an empty tensor [0] for DDIM and Uni-Inv, which add nothing, and
        for an image that was noised, whose steps are not known.
    method: "ddpm", "ddim" or "uni-inv", how it was inverted; or "noised": every level drawn as for "ddpm", but without
        asking the network, so that it can be read as a reference and not be replayed.
    schedule: the noise levels and the kind of model.
    eta: 1 for DDPM, else 0. guidance: the text guidance that it was made with. seed: of the drawn noise.
    fingerprint: the model's identity, keys "architecture" and "weights".
    conditioning: the texts that it was made under, every entry by its name and kind (conditioning.py).
    prompts: the words of the positive text, one for all images or one for each; empty where they are not known.
    thumbnail: [B, H, W, 3] in 0..1, the images themselves, made small, to find their objects by; None where only
        latents were given.
    null_text: [N, B or 1, T, C], the optimized unconditional embedding of every step, step 0 first (null_text.py); N is
        S, or less where the optimization was interrupted. Then `guidance` is what the embeddings were found for.
    null_text_losses: [N, B or 1, updates], the loss before every update; NaN after the early stop.

    Raises ValueError when the parts do not fit together.
    """

    trajectory: Tensor
    noise_maps: Tensor
    schedule: Schedule
    eta: float
    guidance: float
    seed: int
    method: Method
    fingerprint: dict[str, str] = field(default_factory=dict)
    conditioning: dict[str, Entry] = field(default_factory=dict)
    prompts: tuple[str, ...] = ()
    null_text: Tensor | None = None
    null_text_losses: Tensor | None = None
    thumbnail: Tensor | None = None

    def __post_init__(self) -> None:
        check_path(self.method, self.schedule.steps, self.trajectory, self.noise_maps)
        check_numbers(self.eta, self.guidance)
        check_prompts(self.prompts, self.images)
        for name, entry in self.conditioning.items():
            prompts.check_entry(name, entry, self.images)
        if self.null_text is not None or self.null_text_losses is not None:
            check_embeddings(self.method, self.steps, self.images, self.null_text, self.null_text_losses)

    @property
    def null_text_steps(self) -> int:
        """N, the number of steps with an optimized unconditional embedding; 0 for an inversion without any."""
        return 0 if self.null_text is None else len(self.null_text)

    @property
    def images(self) -> int:
        """B, the number of images."""
        return self.trajectory.shape[1]

    @property
    def steps(self) -> int:
        """S, the number of steps from the noisiest level to the image."""
        return self.schedule.steps

    @property
    def size(self) -> tuple[int, int]:
        """(h, w) of the latents."""
        return self.trajectory.shape[-2], self.trajectory.shape[-1]

    @property
    def extent(self) -> str:
        """Width and height of the latents as people write it, for messages: "64x48"."""
        return f"{self.size[1]}x{self.size[0]}"

    @property
    def x0(self) -> Tensor:
        """The image's latents [B, C, h, w]: the last level."""
        return self.trajectory[-1]

    @property
    def start(self) -> Tensor:
        """The noisiest level [B, C, h, w], at sigmas[0]: where replay starts."""
        return self.trajectory[0]

    def image(self, index: int) -> Inversion:
        """The inversion of one of the images, still with a batch dimension."""
        if not 0 <= index < self.images:
            raise ValueError(f"This inversion holds images 0..{self.images - 1}; there is no image {index}.")
        return self.select([index])

    def select(self, rows: Sequence[int]) -> Inversion:
        """The inversion of some of the images, in this order; one that is named again is there again."""
        picked = list(rows)
        noise_maps = self.noise_maps[:, picked] if self.method == "ddpm" else self.noise_maps
        conditioning = {name: prompts.select_images(entry, picked) for name, entry in self.conditioning.items()}
        null_text, losses = (
            t[:, picked] if t is not None and t.shape[1] > 1 else t for t in (self.null_text, self.null_text_losses)
        )
        return replace(
            self,
            trajectory=self.trajectory[:, picked],
            noise_maps=noise_maps,
            conditioning=conditioning,
            prompts=tuple(self.prompts[row] for row in picked) if len(self.prompts) > 1 else self.prompts,
            null_text=null_text,
            null_text_losses=losses,
            thumbnail=None if self.thumbnail is None else self.thumbnail[picked],
        )

    def check_replayable(self) -> None:
        """Raises ValueError for an image that was only noised, which has no steps to go along."""
        if self.method == "noised":
            raise ValueError(
                "This image was noised by Reference Image, not inverted, so there are no noise maps to sample along. "
                "Connect an inversion: make it with Invert Image from the same image."
            )

    @property
    def prompt(self) -> str:
        """The words of the positive text where they are known and the same for all images; else empty."""
        return self.prompts[0] if len(set(self.prompts)) == 1 else ""

    def is_finite(self) -> bool:
        """False when any number of it is NaN or infinite (the losses aside, where NaN means "not needed any more")."""
        tensors = [self.trajectory, self.noise_maps]
        if self.null_text is not None:
            tensors.append(self.null_text)
        return all(map(prompts.is_finite, [*tensors, *self.conditioning.values()]))

    def embedding(self, side: Literal["positive", "negative"]) -> Tensor:
        """The embedding of one of its texts, [B or 1, T, C]. Raises ValueError where it has none."""
        embedding = self.conditioning.get(side)
        if not isinstance(embedding, Tensor):
            raise ValueError(f"This inversion lacks the {side} text that it was made under; invert the image again.")
        return embedding

    def __repr__(self) -> str:
        height, width = self.size
        first, last = self.schedule.sigmas[0], self.schedule.sigmas[-1]
        null_text = f", null text for {self.null_text_steps} of its steps" if self.null_text_steps else ""
        return (
            f"Inversion({self.method}, {self.images} x {height}x{width} latent, {self.steps} steps, "
            f"sigma {first:.4g}..{last:.4g}, guidance {self.guidance:g}, eta {self.eta:g}, seed {self.seed}{null_text})"
        )
