"""AdaIN as a LATENT_OPERATION: between our sampler's steps, or on a finished LATENT with Apply Latent Operation."""

import logging
from collections.abc import Callable, Sequence

import torch
from torch import Tensor
from torch.nn.functional import interpolate

from ...attention.windows import Window
from ...guidance.adain import adain
from ...inversion.types import Inversion
from ..models.fingerprint import latent_format_of
from ..runtime.input_fits import check_output_mask

log = logging.getLogger("appearance_transfer")


class AdaINOperation:
    """Gives the latent the channel statistics of the appearance at the same noise level (spec 1.7).

    Called by our sampler it gets `step`, `level` and `latent_of` and acts inside `window`; called with a latent alone
    (ComfyUI's LatentApplyOperation) it acts on the finished image, in the VAE's scale.
    """

    def __init__(self, appearance: Inversion, content_mask: Tensor | None, style_mask: Tensor | None, window: Window):
        """content_mask: [b, H, W] in 0..1 of the output, style_mask: [b, H, W] of the appearance; one for all, or one
        for each. Raises ValueError for another number of style masks.
        """
        if style_mask is not None and len(style_mask) not in (1, appearance.images):
            raise ValueError(
                f"The style_mask holds {len(style_mask)} masks and the appearance {appearance.images} image(s). "
                "Connect one mask for all, or one for each."
            )
        self.appearance = appearance
        self.content_mask = content_mask
        self.style_mask = style_mask
        self.window = window
        self.latent_format = latent_format_of(appearance.fingerprint)

    def __call__(
        self,
        latent: Tensor,
        step: int | None = None,
        latent_of: Callable[[Inversion], Tensor] | None = None,
        **about_the_step: object,
    ) -> Tensor:
        if step is None or latent_of is None:
            self._check_numbers(len(latent))
            style = self.latent_format.process_out(self.appearance.x0)
        elif self.window.contains(step):
            style = latent_of(self.appearance)
        else:
            return latent
        style = style.to(latent)
        parts = style, mask_at(self.content_mask, latent), mask_at(self.style_mask, style)
        warn = step is None or step == max(self.window.first, 0)  # once per run, not once per step
        return adain(latent, *(per_output(part, latent) for part in parts), warn=warn)

    def check_fits(self, shape: Sequence[int]) -> None:
        """Raises ValueError, before the first step, where it cannot act between the steps of a run.

        shape: of the latents to sample, [B, C, h, w].
        """
        self._check_numbers(shape[0])
        check_output_mask(self.content_mask, shape, "content_mask of AdaIN")

    def warn_if_never(self, steps: int) -> None:
        """Warn where a run of so many steps has none in the window."""
        if not self.window.steps_in(steps):
            log.warning(
                "AdaIN has no effect: its window is executed steps %d to %d, and this run has %d steps. Lower "
                "first_step, or run more steps.",
                self.window.first, self.window.last, steps,
            )  # fmt: skip

    def _check_numbers(self, outputs: int) -> None:
        masks = 1 if self.content_mask is None else len(self.content_mask)
        for name, count in (("appearance", self.appearance.images), ("content_mask", masks)):
            if outputs % count:
                raise ValueError(
                    f"AdaIN's {name} holds {count} images and the batch {outputs}. Connect one for all, or as many "
                    "as there are outputs."
                )


def mask_at(mask: Tensor | None, latent: Tensor) -> Tensor | None:
    """MASK [B, H, W] -> [B, h, w] on the latent's grid and device; None stays None."""
    if mask is None:
        return None
    resized = interpolate(mask[:, None].to(latent), size=latent.shape[-2:], mode="bilinear", align_corners=False)
    return resized[:, 0]


def per_output(images: Tensor | None, latent: Tensor) -> Tensor | None:
    """[b, ...] -> one for each output of the batch, [B, ...]; one for all stays one, and None stays None."""
    if images is None or len(images) == 1:
        return images
    return images[torch.arange(len(latent)) % len(images)]
