"""Which patch hangs a transfer into a MODEL: one per kind of network."""

from comfy.model_patcher import ModelPatcher

from ..models.architecture import is_unet, network_of
from .method import TransferMethod
from .network import NetworkPatch
from .plan import TransferSettings
from .transformer_patch import TransformerPatch
from .unet_patch import UNetPatch


def network_patch(model: ModelPatcher, method: type[TransferMethod], settings: TransferSettings) -> NetworkPatch:
    """The patch for the kind of network that a MODEL is.

    Raises ValueError for a kind that is not supported, and for blocks that it does not have.
    """
    kind = UNetPatch if is_unet(network_of(model)) else TransformerPatch
    return kind(model, method, settings)
