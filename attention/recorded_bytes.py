"""How much memory references take: what is recorded of them in each layer, until the output has read it."""

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class RecordedLayer:
    """What one layer records of one image: its tokens, and how many numbers it keeps of each (2 * width for a key and a
    value).
    """

    tokens: int
    channels: int


@dataclass(frozen=True)
class RecordedBytes:
    """Bytes of what is recorded.

    largest: of one image in the layer that keeps most. images, layers: how many. whole: of all images, in all layers,
        at all steps that are held at once.
    """

    largest: int
    images: int
    layers: int
    whole: int


def recorded_bytes(images: Sequence[Sequence[RecordedLayer]], value: int, steps: int = 1) -> RecordedBytes:
    """images: the layers of each image that a step reads, once for each prompt under which it is run. value: bytes of a
    number. steps: how many steps are held at once.
    """
    sizes = [[value * layer.tokens * layer.channels for layer in layers] for layers in images]
    largest = max((size for layers in sizes for size in layers), default=0)
    return RecordedBytes(largest, len(images), max(map(len, sizes), default=0), steps * sum(map(sum, sizes)))
