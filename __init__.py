"""Appearance transfer for ComfyUI: the front door. It registers the nodes and does nothing else.

Imports happen inside functions, so that importing the pure folders (attention, inversion, ...) needs no host
and starting ComfyUI costs next to nothing.
"""

WEB_DIRECTORY = "./web"
__all__ = ["WEB_DIRECTORY", "comfy_entrypoint"]


async def comfy_entrypoint():
    """Called once by ComfyUI (ComfyUI >= 0.30, V3 nodes); returns the extension that lists our nodes."""
    from .nodes import AppearanceTransfer

    return AppearanceTransfer()
