"""How much of every output position each reference paints, at every layer of a run."""

from collections.abc import Callable, Sequence

from torch import Tensor

from ...attention.cross_image import union, weight_maps
from ..models.attention_layer import Grid
from .plan import TransferPlan

MasksAt = Callable[[Sequence[Tensor | None], Grid], Sequence[Tensor | None]]


class WeightMaps:
    """The weight maps of one run, computed once for every token grid."""

    def __init__(self, plan: TransferPlan, batch: int, masks_at: MasksAt):
        """batch: outputs. masks_at: the masks of the appearances as the method takes them on a token grid."""
        self.settings = plan.settings
        self.weights = [appearance.weight for appearance in plan.appearances]
        self.masks = [appearance.mask for appearance in plan.appearances]
        self.batch = batch
        self.masks_at = masks_at
        self._known: dict[tuple[Grid, bool], Tensor] = {}

    def at(self, grid: Grid, structural: bool) -> Tensor:
        """[references, B, N] in 0..1: of the appearances, or of the structure alone where it stands for them all."""
        if (grid, structural) not in self._known:
            weights, masks = self.weights, self.masks_at(self.masks, grid)
            if structural and self.settings.structure_everywhere:
                weights, masks = [1.0], [None]
            maps = (union if structural else weight_maps)(weights, masks, grid, self.batch)
            self._known[grid, structural] = maps * self.settings.strength
        return self._known[grid, structural]
