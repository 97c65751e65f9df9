"""What a measure found: a number per image, and how it was measured."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from torch import Tensor


@dataclass(frozen=True)
class MetricResult:
    """values: one per image. how: what the numbers hang on, a line. remarks: what is special about an image."""

    values: Sequence[float]
    how: str
    remarks: Sequence[str] = ()

    @property
    def mean(self) -> float:
        return sum(self.values) / len(self.values)

    def __str__(self) -> str:
        """A line on how it was measured, then one per image."""
        remarks = self.remarks or [""] * len(self.values)
        rows = enumerate(zip(self.values, remarks, strict=True))
        lines = [f"image {i}: {value:.4f}{remark and f' ({remark})'}" for i, (value, remark) in rows]
        return "\n".join([self.how, *lines])


def check_count(outputs: Tensor, others: Tensor, name: str) -> None:
    """Raises ValueError unless there are as many of both, or one other. name: what the others are, for the message."""
    if len(others) not in (1, len(outputs)):
        raise ValueError(
            f"There are {len(outputs)} outputs and {len(others)} {name}s; compare as many with as many, or all with "
            "one."
        )


def check_size(outputs: Tensor, others: Tensor, name: str) -> None:
    """Raises ValueError unless both, [..., H, W], are of one size. name: what one of the others is, for the message."""
    (h, w), (height, width) = outputs.shape[-2:], others.shape[-2:]
    if (h, w) != (height, width):
        raise ValueError(
            f"The output has {w} x {h} pixels and the {name} {width} x {height}: no pixel of one is a pixel of the "
            "other. Resize or crop one to the other."
        )
