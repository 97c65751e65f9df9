"""The size of a CoModGAN: how large its images are, and how wide its layers.

At width 1 generator and discriminator have 72.4 and 26.5 million weights at 64 px, 79.8 and 29.0 million at 512.
"""

from __future__ import annotations

from dataclasses import dataclass

SIZES = (64, 128, 256, 512)
MOST, FINEST = 512, 16384
"""Channels of the reference: at most 512, and 16384 / 2^k at stage k."""


@dataclass(frozen=True)
class EditorConfig:
    """The shape of generator and discriminator.

    size: side of the square images, in pixels, one of SIZES.
    width: share of the reference's channels, 0 < width <= 1, in every layer. (To lower the reference's 16384 alone
        would leave the layers from 4 x 4 on, which hold most of the weights, as wide as they are.)

    Raises ValueError for other values.
    """

    size: int = 256
    width: float = 1.0

    def __post_init__(self) -> None:
        if self.size not in SIZES:
            raise ValueError(f"A distilled editor has images of {', '.join(map(str, SIZES))} px, not {self.size}.")
        if not 0 < self.width <= 1:
            raise ValueError(f"The width of a distilled editor lies above 0 and up to 1, but is {self.width}.")

    @property
    def levels(self) -> int:
        """R, for images of 2^R pixels."""
        return self.size.bit_length() - 1

    def channels(self, stage: int) -> int:
        """nf(stage) of the reference: nf(R - 1) stands at full size, nf(1) at 4 x 4."""
        return self._scaled(min(MOST, FINEST >> stage))

    @property
    def style(self) -> int:
        """Length of z and of w."""
        return self._scaled(512)

    @property
    def code(self) -> int:
        """Length of the global code of an image."""
        return 2 * self.channels(1)

    def _scaled(self, count: int) -> int:
        return max(1, round(self.width * count))
