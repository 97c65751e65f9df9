"""Where the keys of a reference stand for the output of a transformer, and how much their places count."""

from collections.abc import Sequence

import torch
from torch import Tensor

from ...attention.rotation import moved_along_axis, with_mirrored_columns
from ...attention.untwisted import statistics, with_statistics
from ..models.attention_layer import Grid
from ..models.families.transformer import Transformer

MEAN, DEVIATION = "mean", "deviation"
Statistics = tuple[Tensor, Tensor]
"""Mean and deviation [rows, heads, 1, d]."""


class KeyPositions:
    """amount: 0 leaves keys as they were recorded, 1 damps the fast pairs as far as the family's source does. mirrored:
    an appearance's columns are counted from the other side.

    Raises ValueError where a transformer has no rotary positions.
    """

    def __init__(self, transformer: Transformer, amount: float, mirrored: bool = False):
        if amount and not transformer.axes:
            raise ValueError(
                f"position is {amount:g}, which damps rotary positions: in {transformer.family} positions are a part "
                "of the features. Set position to 0."
            )
        if mirrored and not transformer.axes:
            raise ValueError(
                f"mirror_columns is on, which turns rotary positions: in {transformer.family} positions are a part of "
                "the features. Switch it off, and mirror the appearance image by Mirror to Match."
            )
        self.transformer = transformer
        self.amount = amount
        self.mirrored = mirrored

    def captured(self, queries: Tensor, keys: Tensor) -> dict[str, Tensor]:
        """What is kept of a reference's queries and keys [images, heads, N, d] beside its features."""
        if not self.amount:
            return {}
        kept = {}
        for name, tokens in (("q", queries), ("k", keys)):
            mean, deviation = statistics(tokens)
            kept |= {f"{name} {MEAN}": mean, f"{name} {DEVIATION}": deviation}
        return kept

    def placed(self, keys: Tensor, grid: Grid, distance: int, progress: float, *, structural: bool) -> Tensor:
        """Recorded keys [images, heads, N, d] of a grid, at their mirror images' places where that is wanted and they
        are not of the structure, moved along the text's axis where the output's text is longer, and their fast pairs
        damped. progress: of the run, 0..1.
        """
        if self.mirrored and not structural:
            axes, columns = self.transformer.axes, self.transformer.column_axis
            keys = with_mirrored_columns(keys, grid, axes[columns], self.transformer.theta, first=sum(axes[:columns]))
        axis = self.transformer.text_axis
        if axis is not None and distance:
            keys = moved_along_axis(keys, distance, axis.channels, axis.theta)
        if not self.amount:
            return keys
        scales = self.transformer.untwisting.scales(self.transformer.axes, progress, self.amount)
        return keys * scales.to(keys)

    def matched(self, tokens: Tensor, references: Sequence[Statistics], weights: Sequence[Tensor]) -> Tensor:
        """The output's own queries or keys [rows, heads, N, d] with the statistics of what they are compared with.

        references, weights: of each reference, and its share at each token [rows, N].
        """
        each = torch.stack([weight.to(tokens.device, torch.float32) for weight in weights])[:, :, None, :, None]
        whole = each.sum(0)
        parts = each / whole.clamp(min=1e-6)
        mean = sum(part * entry[0].to(tokens.device) for part, entry in zip(parts, references, strict=True))
        deviation = sum(part * entry[1].to(tokens.device) for part, entry in zip(parts, references, strict=True))
        adain = self.amount * self.transformer.untwisting.adain
        return with_statistics(tokens, mean, deviation, adain * whole.clamp(max=1))
