"""What an object was found by, as a file: so that another click needs neither the image nor the network."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from torch import Tensor

from ..storage import fields, tensor_file
from ..storage.schema import TensorRule
from ..storage.tensor_file import FileFormat
from .find import Clicks, FoundObject, find_object, hint_on
from .random_walker import walked_pixels
from .ranking import resampled_maps

MAPS = "maps."
LARGEST_SIDE = 2**20
KIND = FileFormat(
    "found object",
    "Find Object",
    "appearance_transfer.found_object",
    version=1,
    header={"image": fields.list_of(fields.whole(1, LARGEST_SIDE), 2)},
    tensors={MAPS: TensorRule(rank=3), "pixels": TensorRule(rank=3, needed=True), "hint": TensorRule(rank=2)},
)


@dataclass(frozen=True, eq=False)
class ObjectEvidence:
    """What `find_object` looks at in one image, as small as it goes without another result.

    maps: features [C, h, w] each. pixels: [H', W', 3], the image as the random walker takes it. image: (H, W) of the
    image itself. hint: [h, w], or None.
    """

    maps: tuple[Tensor, ...]
    pixels: Tensor
    image: tuple[int, int]
    hint: Tensor | None = None

    @classmethod
    def of(cls, maps: Sequence[Tensor], image: Tensor, hint: Tensor | None = None) -> ObjectEvidence:
        """maps: [C, h, w] of one or several layers. image: [H, W, 3] in 0..1."""
        pixels = walked_pixels(image).movedim(0, -1)
        small = tuple(resampled_maps(list(maps)))
        grid = small[0].shape[-2], small[0].shape[-1]
        hint = None if hint is None else hint_on(hint, grid)
        return cls(small, pixels, (image.shape[0], image.shape[1]), hint)

    def find(self, clicks: Clicks) -> FoundObject:
        """The object as `find_object` finds it in the whole image. Raises ValueError as this does."""
        return find_object(self.maps, self.pixels, clicks=clicks, hint=self.hint)


def encode(evidence: ObjectEvidence) -> bytes:
    """The content of a file. Raises ValueError for numbers that are not finite."""
    tensors = {f"{MAPS}{number:03}": one for number, one in enumerate(evidence.maps)} | {"pixels": evidence.pixels}
    if evidence.hint is not None:
        tensors["hint"] = evidence.hint
    return tensor_file.encode(KIND, {"image": list(evidence.image)}, tensors)


def load(path: str | os.PathLike[str]) -> ObjectEvidence:
    """Read a file, bit by bit what was written. Raises ValueError for a missing, damaged or foreign one."""
    return tensor_file.load(path, KIND, _assemble)


def _assemble(header: dict[str, Any], tensors: dict[str, Tensor]) -> ObjectEvidence:
    maps = tuple(tensors[name] for name in sorted(tensors) if name.startswith(MAPS))
    if not maps or len(header["image"]) != 2 or tensors["pixels"].shape[-1] != 3:
        raise ValueError("it lacks maps, or its image has no height, width and three colors. Queue again.")
    height, width = header["image"]
    return ObjectEvidence(maps, tensors["pixels"], (height, width), tensors.get("hint"))
