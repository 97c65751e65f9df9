"""Objects and matches of the appearances of a run: given by a user, and found where these are missing."""

import logging
from collections.abc import Sequence

from torch import Tensor

from ...correspondence.correspondence import Correspondence
from .found_guidance import Found, Matching, find_guidance
from .plan import Appearance
from .references import ModelCall, RecordedReference

log = logging.getLogger("appearance_transfer")


class GivenOrFound:
    """What is known of the appearances, by their number. What was given comes first."""

    def __init__(self, appearances: Sequence[Appearance], find: bool, matching: Matching):
        """find: what is missing. matching: how."""
        self.appearances = appearances
        self.matching = matching
        self._to_find = find and any(
            value is None
            for entry in appearances
            for value in (entry.mask, entry.appearance_mask, entry.correspondence)
        )
        self._found: list[Found] = []

    def check(self, batch: int) -> None:
        """Raise ValueError where matches are of another number of images than the `batch` to sample."""
        for entry in self.appearances:
            if entry.correspondence is not None and batch % entry.correspondence.images:
                raise ValueError(
                    f"The matches of an appearance are of {entry.correspondence.images} images and the batch to sample "
                    f"{batch}: match one image for all outputs, or as many as there are outputs."
                )

    def prepare(
        self, call: ModelCall, structure: RecordedReference | None, appearances: list[RecordedReference]
    ) -> bool:
        """Find what is missing, the first time it is called in a run. Whether it has just been found."""
        if not self._to_find:
            return False
        self._to_find = False
        if structure is None:
            log.info("No structure is connected, so no object and no matches were found.")
        else:
            self._found = find_guidance(call, structure, appearances, self.appearances, self.matching)
        return bool(self._found)

    def output_mask(self, number: int) -> Tensor | None:
        """What of the output an appearance paints; None for all of it."""
        mask = self.appearances[number].mask
        return self._found[number].structure_mask if mask is None and self._found else mask

    def appearance_mask(self, number: int) -> Tensor | None:
        """What of an appearance may be read; None for all of it."""
        mask = self.appearances[number].appearance_mask
        return self._found[number].appearance_mask if mask is None and self._found else mask

    def matches(self, number: int) -> Correspondence | None:
        """The matches of the structure with an appearance; None where there are none."""
        matches = self.appearances[number].correspondence
        return self._found[number].matches if matches is None and self._found else matches
