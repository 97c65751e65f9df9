"""A MODEL without a transfer, where an image is to be seen as the network sees it."""

from comfy.model_patcher import ModelPatcher

KEY = "appearance_transfer"
"""Of the entry in transformer_options that lists the transfers of a MODEL."""


def check_plain(model: ModelPatcher) -> None:
    """Raises ValueError for a MODEL that carries a transfer."""
    if model.model_options.get("transformer_options", {}).get(KEY):
        raise ValueError(
            "This MODEL comes from Cross-Image Attention or Semantic Rearrangement, which would change the result "
            "here. Connect to model what goes into that node, such as the MODEL of the checkpoint loader."
        )
