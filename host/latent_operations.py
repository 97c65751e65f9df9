"""AdaIN as a LATENT_OPERATION: between our sampler's steps, or on a finished LATENT with Apply Latent Operation."""

from collections.abc import Callable

from torch import Tensor
from torch.nn.functional import interpolate

from ..attention.windows import Window
from ..guidance.adain import adain
from ..inversion.record import Inversion
from .fingerprint import latent_format_of


class AdaINOperation:
    """Gives the latent the channel statistics of the appearance at the same noise level (spec 1.7).

    Called by our sampler it gets `step`, `level` and `latent_of` and acts inside `window`; called with a latent alone
    (the host's LatentApplyOperation) it acts on the finished picture, in the VAE's scale.
    """

    def __init__(self, appearance: Inversion, content_mask: Tensor | None, style_mask: Tensor | None, window: Window):
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
            style = self.latent_format.process_out(self.appearance.x0)
        elif self.window.contains(step):
            style = latent_of(self.appearance)
        else:
            return latent
        style = style.to(latent).repeat(latent.shape[0] // style.shape[0], 1, 1, 1)
        warn = step is None or step == max(self.window.first, 0)  # once per run, not once per step
        return adain(latent, style, mask_at(self.content_mask, latent), mask_at(self.style_mask, style), warn=warn)


def mask_at(mask: Tensor | None, latent: Tensor) -> Tensor | None:
    """MASK [B, H, W] -> [B, h, w] on the latent's grid and device; None stays None."""
    if mask is None:
        return None
    resized = interpolate(mask[:, None].to(latent), size=latent.shape[-2:], mode="bilinear", align_corners=False)
    return resized[:, 0]
