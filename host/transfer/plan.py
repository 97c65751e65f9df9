"""What a node asks of a transfer: images, their weights and masks, and the parameters that all methods have."""

from dataclasses import dataclass

from torch import Tensor

from ...attention.windows import ATTENTION, AUTO, STRUCTURE_END, STRUCTURE_SHARE, Window
from ...correspondence.correspondence import Correspondence
from ...inversion.types import Inversion


@dataclass(frozen=True)
class Appearance:
    """One image whose look is used.

    weight: its share against others, 0 or more. mask: MASK [B, H, W] of what it paints in the output.
    appearance_mask: MASK [B, H, W] of itself, what may be read. correspondence: its matches, found beforehand.
    """

    inversion: Inversion
    weight: float = 1.0
    mask: Tensor | None = None
    appearance_mask: Tensor | None = None
    correspondence: Correspondence | None = None


@dataclass(frozen=True)
class TransferSettings:
    """The parameters that all transfers have.

    window: of the noise schedule, in which the attention reads references. structure_share, structure_end_percent:
        which part of its steps reads the structure instead, and until where.
    structure_everywhere: structure steps edit every position, also where no appearance paints, as the reference
        implementations do. Otherwise they edit where the appearances paint.
    blocks: of a transformer, those that read references: "auto", "all", or numbers such as "4-7, 12".
    position: how far the rotary positions of what is read are damped, for Cross-Image Attention in a transformer; 0 is
        as recorded.
    mirror_columns: columns of the appearances are counted from the other side, in the same places as `position`: they
        are read as if their images were mirrored.
    replayed: references are moved on by their own predictions, as the reference implementations do, and not read at
        their own latents.
    """

    strength: float = 1.0
    window: Window = ATTENTION
    structure_share: float = STRUCTURE_SHARE
    structure_end_percent: float = STRUCTURE_END
    structure_everywhere: bool = False
    blocks: str = AUTO
    position: float = 0.0
    mirror_columns: bool = False
    replayed: bool = False


@dataclass(frozen=True)
class TransferPlan:
    """What a node was asked to do with its model."""

    appearances: tuple[Appearance, ...]
    structure: Inversion | None
    settings: TransferSettings

    @property
    def inversions(self) -> list[Inversion]:
        """Of the appearances, and then of the structure, if there is one."""
        inversions = [entry.inversion for entry in self.appearances]
        return inversions if self.structure is None else [*inversions, self.structure]
