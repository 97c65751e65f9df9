"""Collect edit pairs from what a graph makes, a few per run, until there are enough to distil an editor from."""

import logging
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

import comfy.model_management
import comfy.utils
from torch import Tensor

from ...distillation.filters import Thresholds, overlaps
from ...distillation.pairs import PairFolder
from ...evaluation.masks import mask_per_image
from ..evaluation.clip_scores import ClipScorer
from ..runtime.files import pair_folder

KEPT, KNOWN = "kept", "known"

log = logging.getLogger("appearance_transfer")


def open_pairs(name: str) -> PairFolder:
    """The collection of this name; warns of a pair that a killed run has lost."""
    folder = PairFolder(pair_folder(name))
    if folder.torn:
        log.warning("The last line of the list of the edit pairs %r is cut off: its pair is lost.", folder.folder.name)
    return folder


@dataclass(frozen=True)
class Masks:
    """Where the object is, MASKs [B or 1, H, W]."""

    before: Tensor
    after: Tensor


def masks_of(before: Tensor | None, after: Tensor | None) -> Masks | None:
    """Both masks, or none. Raises ValueError where there is only one."""
    if before is None and after is None:
        return None
    if before is None or after is None:
        raise ValueError(
            f"Only {'after_mask' if before is None else 'before_mask'} is connected; to compare where the object is, "
            "connect both masks, or none."
        )
    return Masks(before, after)


@dataclass(frozen=True)
class CollectionResult:
    """fates: how many pairs of this run were kept, known already, or refused and by what. total: pairs there are."""

    folder: Path
    fates: Counter[str]
    total: int

    def __str__(self) -> str:
        refused = self.fates["overlap"] + self.fates["gain"]
        return (
            f"{self.fates[KEPT]} pairs kept, {self.fates[KNOWN]} known already, {refused} refused "
            f"({self.fates['overlap']} by overlap, {self.fates['gain']} by gain)\n"
            f"{self.total} pairs in {self.folder.name}"
        )


def collect_pairs(
    name: str,
    before: Tensor,
    after: Tensor,
    thresholds: Thresholds,
    masks: Masks | None = None,
    classifier: ClipScorer | None = None,
) -> CollectionResult:
    """Keep those pairs of IMAGEs [B, H, W, 3] that pass the filters and whose original is new, in output/edit_pairs.

    What has been kept stays, whatever happens to the rest. Raises ValueError, before anything is written, for images
    or masks that do not fit together.
    """
    before, after = before[..., :3], after[..., :3]
    if before.shape != after.shape:
        raise ValueError(
            f"There are {_described(before)} before the edit and {_described(after)} after it; connect as many "
            "of both, of one size."
        )
    found = _overlaps(masks, before) if masks else None
    folder = open_pairs(name)
    fates: Counter[str] = Counter()
    progress = comfy.utils.ProgressBar(len(before))
    for row in range(len(before)):
        comfy.model_management.throw_exception_if_processing_interrupted()
        overlap = found[row] if found else None
        fates[_fate(folder, before[row], after[row], thresholds, overlap, classifier)] += 1
        progress.update(1)
    return CollectionResult(folder.folder, fates, len(folder))


def _fate(
    folder: PairFolder,
    before: Tensor,
    after: Tensor,
    thresholds: Thresholds,
    overlap: float | None,
    classifier: ClipScorer | None,
) -> str:
    """What becomes of one pair; CLIP is asked only about those that nothing else refuses."""
    if folder.knows(before):
        return KNOWN
    if refusal := thresholds.refusal(overlap, None):
        return refusal
    gain = classifier.gains(before[None], after[None]).item() if classifier else None
    if refusal := thresholds.refusal(None, gain):
        return refusal
    return KEPT if folder.add(before, after, overlap, gain) else KNOWN


def _overlaps(masks: Masks, images: Tensor) -> list[float]:
    before, after = (mask_per_image(mask, len(images), images.shape[1:3]) for mask in (masks.before, masks.after))
    return overlaps(before, after).tolist()


def _described(images: Tensor) -> str:
    return f"{len(images)} images of {images.shape[2]} x {images.shape[1]} pixels"
