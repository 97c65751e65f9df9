"""Nodes that ask CLIP how well images agree with a text, or with other images."""

from comfy_api.latest import io

from .evaluation import FAMILY, appearance_input, mask_input, output_input, report_output, text_output


class CLIPSimilarity(io.ComfyNode):
    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="AppearanceTransfer_CLIPSimilarity",
            display_name="CLIP Similarity",
            category=FAMILY,
            description="Measures how well images agree with the appearance image, or else with a text, to CLIP.",
            search_aliases=["metric", "clip score", "clipscore", "clip-i", "clip-t", "image similarity"],
            is_output_node=True,
            inputs=[
                _vision_input(),
                output_input(),
                appearance_input(optional=True),
                io.Clip.Input(
                    "clip", optional=True,
                    tooltip="The text half of the same CLIP, to compare with the text instead.",
                ),
                io.String.Input(
                    "text", default="", multiline=True,
                    tooltip="What the images should show, where clip is connected; else leave it empty.",
                ),
                mask_input("output"),
                mask_input("appearance"),
            ],
            outputs=[
                io.Float.Output("similarity", tooltip="The mean over the images, a cosine; 1 is the same to CLIP."),
                report_output(),
            ],
        )  # fmt: skip

    @classmethod
    def execute(
        cls, clip_vision, output, text, appearance=None, clip=None, output_mask=None, appearance_mask=None
    ) -> io.NodeOutput:
        from ..host.evaluation.clip_scores import agreement_with_images, agreement_with_text

        if (appearance is None) == (clip is None):
            found = "Nothing to compare with" if clip is None else "Both an appearance and a clip"
            raise ValueError(f"{found} is connected. Connect either appearance, or clip with a text.")
        if clip is None:
            return text_output(agreement_with_images(clip_vision, output, appearance, output_mask, appearance_mask))
        return text_output(agreement_with_text(clip_vision, clip, text, output, output_mask))


class CLIPAcc(io.ComfyNode):
    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="AppearanceTransfer_CLIPAcc",
            display_name="CLIP-Acc",
            category=FAMILY,
            description="Measures the share of edits that agree more with the new text than with the old, to CLIP.",
            search_aliases=["metric", "clip accuracy", "edit success", "pix2pix-zero"],
            is_output_node=True,
            inputs=[
                _vision_input(),
                io.Clip.Input("clip", tooltip="The text half of the same CLIP, with its text projection."),
                io.Image.Input("output", tooltip="The edits to judge, as many as there are."),
                io.String.Input("source_text", default="a photo of a cat", tooltip="What the images showed before."),
                io.String.Input("target_text", default="a photo of a dog", tooltip="What they should show now."),
            ],
            outputs=[
                io.Float.Output("accuracy", tooltip="The share of the images that are nearer to the target, 0 to 1."),
                report_output(),
            ],
        )  # fmt: skip

    @classmethod
    def execute(cls, clip_vision, clip, output, source_text, target_text) -> io.NodeOutput:
        from ..host.evaluation.clip_scores import clip_accuracy

        return text_output(clip_accuracy(clip_vision, clip, output, source_text, target_text))


def _vision_input() -> io.Input:
    return io.ClipVision.Input("clip_vision", tooltip="The image half of a CLIP, from Load CLIP Vision.")


NODES = [CLIPSimilarity, CLIPAcc]
