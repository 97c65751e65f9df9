"""AdaIN as a LATENT_OPERATION: between our sampler's steps, or on a finished LATENT with Apply Latent Operation."""

import logging
from collections.abc import Callable, Sequence

import torch
from torch import Tensor
from torch.nn.functional import interpolate

from ...attention.windows import PercentToSigma, Window
from ...guidance.adain import adain, mask_findings
from ...inversion.types import Inversion
from ..models.fingerprint import latent_format_of
from ..runtime.input_fits import check_output_mask
from ..runtime.latents import in_vae_scale, without_frame

log = logging.getLogger("appearance_transfer")


class AdaINOperation:
    """Gives the latent the channel statistics of the appearance at the same noise level.

    Called by our sampler it gets `sigma`, `percent_to_sigma` and `latent_of` and acts inside `window`; called with a
    latent alone (ComfyUI's LatentApplyOperation) it acts on the finished image, in the VAE's scale.
    """

    def __init__(self, appearance: Inversion, mask: Tensor | None, appearance_mask: Tensor | None, window: Window):
        """mask: [b, H, W] in 0..1 of the output, appearance_mask: [b, H, W] of the appearance; one for all, or one
        for each. Raises ValueError for another number of style masks.
        """
        if appearance_mask is not None and len(appearance_mask) not in (1, appearance.images):
            raise ValueError(
                f"The appearance_mask holds {len(appearance_mask)} masks and the appearance {appearance.images} "
                "image(s). Connect one mask for all, or one for each."
            )
        self.appearance = appearance
        self.mask = mask
        self.appearance_mask = appearance_mask
        self.window = window
        self.latent_format = latent_format_of(appearance.fingerprint)

    def __call__(
        self,
        latent: Tensor,
        sigma: float | None = None,
        percent_to_sigma: PercentToSigma | None = None,
        latent_of: Callable[[Inversion], Tensor] | None = None,
        **about_the_step: object,
    ) -> Tensor:
        if sigma is None or percent_to_sigma is None or latent_of is None:
            self.check_numbers(len(latent))
            style = without_frame(in_vae_scale(self.appearance.x0, self.latent_format))
        elif self.window.contains(sigma, percent_to_sigma):
            style = latent_of(self.appearance)
        else:
            return latent
        x = without_frame(latent)
        style = style.to(x)
        parts = style, mask_at(self.mask, x), mask_at(self.appearance_mask, style)
        if sigma is None:  # a run is told of its masks before its first step
            _say(mask_findings(*parts[1:]))
        return adain(x, *(per_output(part, x) for part in parts)).view(latent.shape)

    def check_fits(self, shape: Sequence[int]) -> None:
        """Raises ValueError, before the first step, where it cannot act between the steps of a run.

        shape: of the latents to sample, [B, C, h, w].
        """
        self.check_numbers(shape[0])
        check_output_mask(self.mask, shape, "mask of AdaIN")
        _say(mask_findings(mask_at(self.mask, torch.empty(shape)), mask_at(self.appearance_mask, self.appearance.x0)))

    def warn_if_never(self, sigmas: Sequence[float], percent_to_sigma: PercentToSigma) -> None:
        """Warn where a run along these noise levels has no step in the window."""
        if not self.window.steps(sigmas, percent_to_sigma):
            log.warning(
                "AdaIN has no effect: its window is %s, and none of the %d steps of this run lies inside. Lower "
                "start_percent, raise end_percent, or run more steps.",
                self.window, len(sigmas) - 1,
            )  # fmt: skip

    def check_numbers(self, outputs: int) -> None:
        """Raises ValueError, before the first step, where its images cannot be paired with so many outputs."""
        masks = 1 if self.mask is None else len(self.mask)
        for name, count in (("appearance", self.appearance.images), ("mask", masks)):
            if outputs % count:
                raise ValueError(
                    f"AdaIN's {name} holds {count} images and the batch {outputs}. Connect one for all, or as many "
                    "as there are outputs."
                )


def _say(findings: Sequence[str]) -> None:
    for finding in findings:
        log.warning(finding)


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
