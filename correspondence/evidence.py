"""What two images were matched by, as a file: so that a dragged point needs neither the images nor the network."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from torch import Tensor

from ..storage import fields, tensor_file
from ..storage.schema import TensorRule
from ..storage.tensor_file import FileFormat
from .correspondence import Correspondence
from .features import Features
from .match import FIELD, match
from .points import Point, force_pairs
from .regions import MOST_REGIONS

STRUCTURE, APPEARANCE = SIDES = ("structure", "appearance")
LARGEST_SIDE = 2**20
Size = tuple[int, int]
_size = fields.list_of(fields.whole(1, LARGEST_SIDE), 2)
KIND = FileFormat(
    "matched pair",
    "Match Features",
    "appearance_transfer.matched_pair",
    version=1,
    header={**dict.fromkeys(SIDES, _size), "floor": fields.number(-1, 1), "regions": fields.whole(0, MOST_REGIONS)},
    tensors={
        **dict.fromkeys(SIDES, TensorRule(rank=4, needed=True)),
        **{f"{side}_mask": TensorRule(rank=3) for side in SIDES},
        **{f"{side}_region.": TensorRule(rank=3) for side in SIDES},
    },
)


@dataclass(frozen=True, eq=False)
class FieldEvidence:
    """What `match` looks at by the method field, but for the points that a user gives; see there. Of one image.

    structure [1, C, h, w], appearance [1, C, h', w']: features. images: (H, W) of both in pixels.
    """

    structure: Tensor
    appearance: Tensor
    images: tuple[Size, Size]
    masks: tuple[Tensor | None, Tensor | None] = (None, None)
    regions: tuple[tuple[Tensor, Tensor], ...] = ()
    floor: float = -1.0

    @classmethod
    def of_first(
        cls,
        structure: Features,
        appearance: Features,
        masks: tuple[Tensor | None, Tensor | None] = (None, None),
        regions: Sequence[tuple[Tensor, Tensor]] = (),
        floor: float = -1.0,
    ) -> FieldEvidence:
        """That of the first image of a batch, on the CPU."""

        def first(values: Tensor) -> Tensor:
            return values[:1].cpu()

        ours, theirs = (first(one.values).float() for one in (structure, appearance))
        mask, appearance_mask = (None if one is None else first(one) for one in masks)
        pairs = tuple((first(one), first(other)) for one, other in regions)
        return cls(ours, theirs, (structure.image, appearance.image), (mask, appearance_mask), pairs, floor)

    def matches(
        self, structure_points: Sequence[Point], appearance_points: Sequence[Point], radius: float
    ) -> tuple[Correspondence, Correspondence]:
        """The field bent to points (x, y) in pixels, and the same with the points forced within a radius; see
        `force_pairs`. Raises ValueError for points that are no pairs, or outside of their images.
        """
        found = match(
            Features(self.structure, self.images[0]), Features(self.appearance, self.images[1]), method=FIELD,
            structure_mask=self.masks[0], appearance_mask=self.masks[1], regions=self.regions, floor=self.floor,
            forced=(structure_points, appearance_points),
        )  # fmt: skip
        return found, force_pairs(found, structure_points, appearance_points, radius)

    @property
    def size(self) -> int:
        """Bytes of its tensors."""
        return sum(tensor.numel() * tensor.element_size() for tensor in self.tensors().values())

    def tensors(self) -> dict[str, Tensor]:
        """All tensors by their names in the file."""
        masks = {f"{side}_mask": mask for side, mask in zip(SIDES, self.masks, strict=True) if mask is not None}
        regions = {
            f"{side}_region.{number:02}": mask
            for number, pair in enumerate(self.regions)
            for side, mask in zip(SIDES, pair, strict=True)
        }
        return {STRUCTURE: self.structure, APPEARANCE: self.appearance, **masks, **regions}


def encode(evidence: FieldEvidence) -> bytes:
    """The content of a file. Raises ValueError for numbers that are not finite."""
    sizes = dict(zip(SIDES, map(list, evidence.images), strict=True))
    header = {**sizes, "floor": evidence.floor, "regions": len(evidence.regions)}
    return tensor_file.encode(KIND, header, evidence.tensors())


def load(path: str | os.PathLike[str]) -> FieldEvidence:
    """Read a file, bit by bit what was written. Raises ValueError for a missing, damaged or foreign one."""
    return tensor_file.load(path, KIND, _assemble)


def _assemble(header: dict[str, Any], tensors: dict[str, Tensor]) -> FieldEvidence:
    if any(len(header[side]) != 2 or len(tensors[side]) != 1 for side in SIDES):
        raise ValueError("it is not of one structure and one appearance with height and width. Queue again.")
    names = [[f"{side}_region.{number:02}" for side in SIDES] for number in range(header["regions"])]
    if any(name not in tensors for pair in names for name in pair):
        raise ValueError("it lacks regions. Queue again.")
    images = (header[STRUCTURE][0], header[STRUCTURE][1]), (header[APPEARANCE][0], header[APPEARANCE][1])
    masks = (tensors.get(f"{STRUCTURE}_mask"), tensors.get(f"{APPEARANCE}_mask"))
    regions = tuple((tensors[ours], tensors[theirs]) for ours, theirs in names)
    return FieldEvidence(tensors[STRUCTURE], tensors[APPEARANCE], images, masks, regions, header["floor"])
