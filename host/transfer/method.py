"""What a transfer method is: what it captures of a reference, and what it makes of that in the output.

A method knows neither steps nor networks: the session says which references a layer reads and how much of each
position they paint, and the patch of a network says where a method acts.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Protocol

from torch import Tensor

from ...attention.shared_keys import OwnKeys
from ..models.attention_layer import AttentionLayer, Grid, Tokens
from .plan import TransferPlan
from .references import ModelCall, RecordedReference


@dataclass(frozen=True)
class LayerReference:
    """What one reference gives to a layer of the output at this step.

    grid, tensors: what was captured of its distinct images at this layer. images: which of them each output reads, [B].
    weight: [B, N] in 0..1, how much of each output position it paints.
    around: how many keys stand before and behind those of the image, which are the output's own: in a joint sequence,
        its text.
    """

    grid: Grid
    tensors: dict[Any, Tensor]
    images: list[int]
    weight: Tensor
    around: tuple[int, int] = (0, 0)


class TransferMethod(Protocol):
    """One method in one sampling run.

    name: of the node, as users know it. changes_output: of self-attention, or else its input; see the two kinds below.
    cfg: the text guidance with which a replayed reference is moved on.
    """

    name: ClassVar[str]
    changes_output: ClassVar[bool]
    cfg: float

    def __init__(self, plan: TransferPlan, cfg: float): ...

    def check(self, shape: Sequence[int]) -> None:
        """Raise ValueError, before the first step, where it cannot serve latents of this shape [B, C, h, w]."""

    def prompts(self, structural: bool) -> Sequence[int]:
        """Under which of its prompts a reference is run at a step that reads it."""

    def masks_at(self, masks: Sequence[Tensor | None], grid: Grid) -> Sequence[Tensor | None]:
        """The masks of the appearances as it uses them on a token grid."""

    def prepare(
        self,
        call: ModelCall,
        structure: RecordedReference | None,
        appearances: list[RecordedReference],
        structural: bool,
    ) -> None:
        """Do what has to be done before references are read, at each step that reads them.

        structural: the step reads the structure in place of the appearances.
        """

    def capture(self, layer: AttentionLayer, tokens: Tokens) -> dict[Any, Tensor]:
        """What a reference offers at a layer, by name; tokens: of the reference's own forward."""

    def kept_per_channel(self, joint: bool) -> int:
        """How many numbers of a reference `capture` keeps for each token and channel. joint: of a transformer."""


class OutputMethod(TransferMethod, Protocol):
    """A method that changes what a self-attention layer gives; it captures queries, keys and values."""

    def apply(
        self, layer: AttentionLayer, q: Tensor, own: Tensor | None, keys: OwnKeys, references: Sequence[LayerReference]
    ) -> Tensor:
        """[rows, N, heads*d] for the rows of the positive prompt.

        q: their queries. own: their plain attention; None where the references leave nothing of it. keys: their own
        keys and values, of the whole sequence.
        """


class InputMethod(TransferMethod, Protocol):
    """A method that changes what a self-attention layer is given; it captures what queries, keys and values are made
    of.
    """

    def apply(
        self, layer: AttentionLayer, tokens: Tokens, references: Sequence[LayerReference], structural: bool
    ) -> Tokens:
        """The tokens of all rows, changed in those that it edits. structural: the one reference is the structure."""
