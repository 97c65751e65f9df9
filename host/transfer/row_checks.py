"""Whether a layer that asks for references holds the run's outputs: all their positions, all their rows."""

from collections.abc import Callable
from typing import Any

from ..models.attention_layer import POSITIVE, AttentionLayer, Grid


class RowChecks:
    """What a forward holds, compared with the run; warns once where a layer cannot read the references.

    batch, size: of the outputs, (h, w) of the latent. warn: with a sentence.
    """

    def __init__(self, batch: int, size: Grid, warn: Callable[[str], None]):
        self.batch = batch
        self.size = size
        self.warn = warn
        self._positive: set[Any] = set()
        self._step = -1
        self._met_at: int | None = None  # the last step at which the positive prompt was the first

    def begin_step(self, step: int, conds: dict[str, Any]) -> None:
        """conds: of the guider that samples."""
        self._step = step
        self._positive = {cond["uuid"] for cond in conds.get("positive", ())}

    def fit(self, layer: AttentionLayer, structure_grid: Grid | None) -> bool:
        """Whether this layer's tokens and rows are the outputs'. structure_grid: of the structure at this layer, on
        steps that read it position by position.
        """
        return self._are_whole(layer, structure_grid) and self._are_all(layer)

    def _are_whole(self, layer: AttentionLayer, structure_grid: Grid | None) -> bool:
        height, width = layer.grid
        whole = layer.latent_size == self.size and layer.tokens == height * width
        if whole and structure_grid in (None, layer.grid):
            return True
        self.warn(
            "A conditioning for an area, or another node, changes the number of tokens of the decoder's "
            "self-attention; there the transfer is off."
        )
        return False

    def _are_all(self, layer: AttentionLayer) -> bool:
        """Whether the rows are the whole batch for each prompt, and the first prompt is the positive."""
        if layer.rows != self.batch * len(layer.prompts):
            self.warn("The model is asked about a part of the batch; there the transfer is off.")
            return False
        named = zip(layer.uuids, layer.prompts, strict=False)  # who asks the network by himself names none
        first = {uuid for uuid, prompt in named if prompt == POSITIVE}
        if first and self._positive and not first & self._positive:
            if self._met_at != self._step:  # else another node looks at a text of its own (Self-Attention Guidance)
                self.warn(
                    "This guider does not count the positive prompt as its first, so the transfer is off: it would "
                    "land in another one. Use CFG Guider, Basic Guider or Appearance Guider."
                )
            return False
        if first:
            self._met_at = self._step
        return True
