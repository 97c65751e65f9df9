"""Model options for an extra forward pass inside a sampling run."""

from typing import Any


def without_patches(model_options: dict[str, Any]) -> dict[str, Any]:
    """New options without anybody's patches, and with nothing wrapped around the network.

    Wrappers that remember what they see, as those of EasyCache do, would take a reference for the output.
    """
    kept = {
        key: value
        for key, value in model_options.get("transformer_options", {}).items()
        if key not in ("patches", "patches_replace", "wrappers")
    }
    return {"transformer_options": kept}
