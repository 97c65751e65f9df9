"""What people see: one file per family of nodes, and the extension that lists them for ComfyUI."""

import logging

from comfy_api.latest import ComfyExtension, io

from . import (
    attention,
    clip_evaluation,
    comparison,
    distillation,
    edit_pairs,
    editing,
    evaluation,
    features,
    flow_edit,
    grid,
    inversion,
    kept_inversions,
    maps,
    matches,
    matching,
    null_text,
    objects,
    perceptual,
    pocket,
    sampling,
    splice,
    splice_training,
)
from .guard import guarded


class AppearanceTransfer(ComfyExtension):
    """All nodes of the pack."""

    async def on_load(self) -> None:
        from ..host.matching.page_routes import add_routes
        from ..host.runtime.progress_text import attach_node_text

        attach_node_text(logging.getLogger("appearance_transfer"))
        add_routes()

    async def get_node_list(self) -> list[type[io.ComfyNode]]:
        families = (
            pocket,
            inversion,
            kept_inversions,
            null_text,
            grid,
            attention,
            maps,
            features,
            objects,
            matching,
            matches,
            editing,
            sampling,
            flow_edit,
            splice,
            splice_training,
            edit_pairs,
            distillation,
            evaluation,
            perceptual,
            clip_evaluation,
            comparison,
        )
        return [guarded(node) for family in families for node in family.NODES]
