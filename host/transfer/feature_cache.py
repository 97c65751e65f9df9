"""What the references of one step offer to the output, layer by layer."""

from collections.abc import Hashable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor

from ..models.attention_layer import AttentionLayer, Grid


@dataclass(frozen=True)
class LayerFeatures:
    """What a reference offers at one layer, by name, [images, ..., N, channels] for the N = h*w tokens of its grid.

    used_on: by name, the device on which the layer computes, wherever the tensor is kept.
    """

    grid: Grid
    tensors: dict[Any, Tensor] = field(default_factory=dict)
    used_on: dict[Any, torch.device] = field(default_factory=dict)

    def brought_back(self) -> "LayerFeatures":
        """The same on the device on which the layer computes."""
        there = {name: tensor.to(self.used_on[name]) for name, tensor in self.tensors.items()}
        return LayerFeatures(self.grid, there, self.used_on)


@dataclass(frozen=True)
class CapturedReference:
    """What one reference offers at one step: the features of its distinct images, and which of these images each
    output reads, [B].

    kept_on: where they wait until they are read; None is where they were computed.
    """

    images: list[int]
    kept_on: torch.device | None = None
    layers: dict[Hashable, LayerFeatures] = field(default_factory=dict)

    def write(self, layer: AttentionLayer, tensors: dict[Any, Tensor]) -> None:
        """Keep what was captured at a layer; further tensors of the same layer come beside the first."""
        kept = tensors
        if self.kept_on is not None:
            kept = {name: tensor.to(self.kept_on) for name, tensor in tensors.items()}
        features = self.layers.setdefault(layer.key, LayerFeatures(layer.grid))
        features.tensors.update(kept)
        features.used_on.update({name: tensor.device for name, tensor in tensors.items()})

    def split(self, levels: int) -> list["CapturedReference"]:
        """What it offers at each of the noise levels that one forward held, one after the other."""
        if levels == 1:
            return [self]
        parts = [CapturedReference(self.images, self.kept_on) for _ in range(levels)]
        for key, features in self.layers.items():
            for name, tensor in features.tensors.items():
                for part, of_level in zip(parts, tensor.chunk(levels), strict=True):
                    into = part.layers.setdefault(key, LayerFeatures(features.grid, used_on=features.used_on))
                    into.tensors[name] = of_level
        return parts


class FeatureCache:
    """What all references of the current step offer. It is filled before the step and emptied after it."""

    def __init__(self) -> None:
        self._references: list[CapturedReference] = []
        self._asked: set[Hashable] = set()

    def fill(self, references: list[CapturedReference]) -> None:
        self._references = references
        self._asked.clear()

    def clear(self) -> None:
        self.fill([])

    @contextmanager
    def hidden(self) -> Iterator[None]:
        """Within it, it offers nothing: for an unpatched pass beside the transferred one."""
        references, self._references = self._references, []
        try:
            yield
        finally:
            self._references = references

    def has_features_for(self, key: Hashable) -> bool:
        """Whether there is something for this layer, which has then asked."""
        if key not in self.layers:
            return False
        self._asked.add(key)
        return True

    @property
    def layers(self) -> set[Hashable]:
        """For which layers there is something."""
        return set(self._references[0].layers) if self._references else set()

    @property
    def not_asked(self) -> set[Hashable]:
        """The layers for which there is something and which have not asked for it."""
        return self.layers - self._asked

    def at(self, key: Hashable) -> list[tuple[LayerFeatures, list[int]]]:
        """Of each reference: its features at this layer, where it computes, and which of its images each output
        reads.
        """
        return [(reference.layers[key].brought_back(), reference.images) for reference in self._references]

    def grid_at(self, key: Hashable) -> Grid:
        """The grid of the first reference at this layer."""
        return self._references[0].layers[key].grid
