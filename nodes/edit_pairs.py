"""The node that collects pairs of images and their edits, to distil a fast editor from."""

from comfy_api.latest import io, ui

from .sockets import CATEGORY

FAMILY = f"{CATEGORY}/editing"


class EditPairCollector(io.ComfyNode):
    @classmethod
    def define_schema(cls) -> io.Schema:
        from ..distillation.filters import Thresholds
        from ..distillation.pairs import COLLECTION

        return io.Schema(
            node_id="AppearanceTransfer_EditPairCollector",
            display_name="Edit-Pair Collector",
            category=FAMILY,
            description="Keeps good edits with their originals in output/edit_pairs, more at every queue.",
            search_aliases=["pix2pix-zero", "dataset", "distillation", "training pairs", "paired data"],
            is_output_node=True,
            inputs=[
                io.Image.Input("before", tooltip="The images before the edit."),
                io.Image.Input("after", tooltip="Their edits: as many, in the same order, of the same size."),
                io.String.Input(
                    "name", default=COLLECTION,
                    tooltip="Name of the collection; pairs are added to what is there.",
                ),
                io.Mask.Input(
                    "before_mask", optional=True,
                    tooltip="Where the object is before the edit; leave both masks open to keep any overlap.",
                ),
                io.Mask.Input("after_mask", optional=True, tooltip="Where the object is after the edit."),
                io.ClipVision.Input(
                    "clip_vision", optional=True,
                    tooltip="The image half of a CLIP that judges the edit; leave it open to keep any edit.",
                ),
                io.Clip.Input(
                    "clip", optional=True,
                    tooltip="The text half of the same CLIP, with its text projection.",
                ),
                io.String.Input(
                    "text", default="",
                    tooltip="What the edits should show, for CLIP; without a CLIP it is not read.",
                ),
                io.Float.Input(
                    "overlap", default=Thresholds.overlap, min=0.0, max=1.0, step=0.01, advanced=True,
                    tooltip="Least IoU of the two masks; 0 keeps all.",
                ),
                io.Float.Input(
                    "gain", default=Thresholds.gain, min=-2.0, max=2.0, step=0.01, advanced=True,
                    tooltip="How much nearer to the text the edit must be, as a difference of cosines; -2 keeps all.",
                ),
            ],
            outputs=[
                io.String.Output("name", tooltip="The name of the collection, for Train Distilled Editor."),
                io.Int.Output("total", tooltip="How many pairs the collection has by now."),
                io.String.Output("report", tooltip="How many were kept, known already and refused."),
            ],
        )  # fmt: skip

    @classmethod
    def execute(
        cls, before, after, name, text, overlap, gain, before_mask=None, after_mask=None, clip_vision=None, clip=None
    ) -> io.NodeOutput:
        from ..distillation.filters import Thresholds
        from ..host.editing.pair_collecting import collect_pairs, masks_of
        from ..host.evaluation.clip_scores import clip_scorer

        collected = collect_pairs(
            name,
            before,
            after,
            Thresholds(overlap, gain),
            masks_of(before_mask, after_mask),
            clip_scorer(clip_vision, clip, text),
        )
        return io.NodeOutput(name, collected.total, str(collected), ui=ui.PreviewText(str(collected)))


NODES = [EditPairCollector]
