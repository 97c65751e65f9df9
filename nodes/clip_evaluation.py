"""Nodes that ask CLIP how well images agree with a text, or with other images."""

from comfy_api.latest import io

from .evaluation import FAMILY, appearance_input, mask_input, output_input, report_output, text_output


class CLIPImageSimilarity(io.ComfyNode):
    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="AppearanceTransfer_CLIPImageSimilarity",
            display_name="CLIP Image Similarity",
            category=FAMILY,
            description="Measures how similar images are to the appearance image for CLIP.",
            search_aliases=["metric", "clip-i", "clip similarity", "image similarity", "appearance similarity"],
            is_output_node=True,
            inputs=[
                io.ClipVision.Input("clip_vision", tooltip="Any CLIP, from Load CLIP Vision."),
                output_input(),
                appearance_input(),
                mask_input("output"),
                mask_input("appearance"),
            ],
            outputs=[_similarity_output(), report_output()],
        )

    @classmethod
    def execute(cls, clip_vision, output, appearance, output_mask=None, appearance_mask=None) -> io.NodeOutput:
        from ..host.evaluation.clip_scores import agreement_with_images

        return text_output(agreement_with_images(clip_vision, output, appearance, output_mask, appearance_mask))


class CLIPTextSimilarity(io.ComfyNode):
    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="AppearanceTransfer_CLIPTextSimilarity",
            display_name="CLIP Text Similarity",
            category=FAMILY,
            description="Measures how well images match a text for CLIP.",
            search_aliases=["metric", "clip score", "clipscore", "clip-t", "clip similarity", "prompt similarity"],
            is_output_node=True,
            inputs=[
                _vision_input(),
                _text_encoder_input(),
                output_input(),
                io.String.Input("text", default="", multiline=True, tooltip="What the images should show."),
                mask_input("output"),
            ],
            outputs=[_similarity_output(), report_output()],
        )

    @classmethod
    def execute(cls, clip_vision, clip, output, text, output_mask=None) -> io.NodeOutput:
        from ..host.evaluation.clip_scores import agreement_with_text

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
                _text_encoder_input(),
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


def _text_encoder_input() -> io.Input:
    return io.Clip.Input("clip", tooltip="The text half of the same CLIP, with its text projection.")


def _similarity_output() -> io.Output:
    return io.Float.Output("similarity", tooltip="The mean over the images, a cosine; 1 is the same for CLIP.")


NODES = [CLIPImageSimilarity, CLIPTextSimilarity, CLIPAcc]
