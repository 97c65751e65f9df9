"""Which patch hangs a transfer into a MODEL: one per kind of network."""

from comfy.model_patcher import ModelPatcher

from .method import TransferMethod
from .network import NetworkPatch
from .unet_patch import UNetPatch


def network_patch(model: ModelPatcher, method: type[TransferMethod]) -> NetworkPatch:
    """The patch for the kind of network that a MODEL is. Raises ValueError for a kind that is not supported."""
    return UNetPatch(model, method)
