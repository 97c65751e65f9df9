"""What every kind of network does for a transfer. Everything else of a transfer knows no network."""

from collections.abc import Callable
from typing import Any, Protocol

from comfy.model_patcher import ModelPatcher

from ...attention.recorded_bytes import RecordedLayer
from ..models.attention_layer import Grid
from .feature_cache import CapturedReference
from .method import TransferMethod


class NetworkPatch(Protocol):
    """How a method is hung into one kind of network."""

    def install(self, clone: ModelPatcher, current: Callable[[], Any]) -> None:
        """Let the layers of `clone` that carry appearance read the session, wherever there is one.

        current: gives the `ReferenceSession` of the run that is going on, or None.
        """

    def is_in_place(self, transformer_options: dict[str, Any]) -> bool:
        """Whether what `install` has set is still there, in the options that a step runs with."""

    def reading(self, model_options: dict[str, Any], current: Callable[[], Any]) -> dict[str, Any]:
        """The options in which a step runs: as they are, or a copy in which its layers read the session."""

    def capturing(
        self, method: TransferMethod, captured: CapturedReference, model_options: dict[str, Any]
    ) -> dict[str, Any]:
        """Entries of transformer_options for the forward of a reference, which write what it offers.

        model_options: of the step that it is run beside.
        """

    def layer_names(self) -> str:
        """Which layers it changes, for a message."""

    def recorded_layers(self, method: TransferMethod, size: Grid) -> list[RecordedLayer]:
        """What a method records of an image whose latent has this size, in each layer that reads references."""
