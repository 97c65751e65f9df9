"""Nodes that read the model's own attention: where it sees an object or a word, and what it takes for the same."""

from comfy_api.latest import io, ui

from ..attention import windows
from .sockets import CATEGORY, readable

FAMILY = f"{CATEGORY}/attention"
AUTO = "auto"


def _read_at(default: float, what: str) -> io.Input:
    return io.Float.Input(
        "at_percent", default=default, min=0.0, max=1.0, step=0.01, advanced=True,
        tooltip=f"Where in the noise schedule (0 is the noisiest level) {what}.",
    )  # fmt: skip


class SelfSegmentation(io.ComfyNode):
    @classmethod
    def define_schema(cls) -> io.Schema:
        from ..attention.segmentation import SegmentationSettings as Settings

        return io.Schema(
            node_id="AppearanceTransfer_SelfSegmentation",
            display_name="Self-Segmentation",
            category=FAMILY,
            description="Finds an object in an inverted image by the model's own attention, without other networks.",
            search_aliases=["mask from prompt", "segment", "object mask", "attention mask"],
            inputs=[
                io.Model.Input("model", tooltip="The model the inversion was made with."),
                readable("inversion", tooltip="The inverted or noised image to segment."),
                io.Clip.Input("clip", tooltip="The text encoder of the prompt the image was inverted with."),
                io.String.Input(
                    "noun", default="", tooltip="The word of the text that names the object; empty takes its last word."
                ),
                io.String.Input(
                    "prompt", default="", advanced=True,
                    tooltip="The positive text of the inversion, only where it was made from a CONDITIONING.",
                ),
                io.String.Input(
                    "other_nouns", default="", advanced=True,
                    tooltip="Words of the prompt that name other things, with commas between; empty for none.",
                ),
                _read_at(Settings.at_percent, "the attention is read"),
                io.Int.Input(
                    "clusters", default=Settings.clusters, min=2, max=20, advanced=True,
                    tooltip="Segments the image is cut into before they are named.",
                ),
                io.Float.Input(
                    "factor", default=Settings.factor, min=0.0, max=10.0, step=0.05, advanced=True,
                    tooltip="How far above the other segments an object must score; lower takes more of the image.",
                ),
                io.Image.Input(
                    "image", optional=True,
                    tooltip="The image itself, to move the mask's edges to those of its colors; left out, it stays.",
                ),
            ],
            outputs=[
                io.Mask.Output(
                    tooltip="1 on the object, at latent size or that of image; any other mask can take its place.",
                ),
            ],
        )  # fmt: skip

    @classmethod
    def execute(
        cls, model, inversion, clip, noun, prompt, other_nouns, at_percent, clusters, factor, image=None
    ) -> io.NodeOutput:
        from ..host.matching.segmentation import fitted, segment
        from ..host.runtime.previews import enlarged

        mask = segment(
            model, inversion, clip, prompt, noun, other_nouns,
            at_percent=at_percent, clusters=clusters, factor=factor,
        )  # fmt: skip
        mask = fitted(mask, image)
        return io.NodeOutput(mask, ui=ui.PreviewMask(enlarged(mask), cls=cls))


class WordAttentionMap(io.ComfyNode):
    @classmethod
    def define_schema(cls) -> io.Schema:
        from ..attention.word_map import DOWNSCALES
        from ..attention.word_map import WordMapSettings as Settings

        return io.Schema(
            node_id="AppearanceTransfer_WordAttentionMap",
            display_name="Word Attention Map",
            category=FAMILY,
            description="Shows where the model sees a word of the prompt in an inverted image, as a mask.",
            search_aliases=["cross attention map", "mask from word", "local blend", "token heatmap", "daam"],
            inputs=[
                io.Model.Input("model", tooltip="The model the inversion was made with."),
                readable("inversion", tooltip="The inverted or noised image to read."),
                io.Clip.Input("clip", tooltip="The text encoder of the prompt the image was inverted with."),
                io.String.Input(
                    "word", default="",
                    tooltip="A word of the text, or a few words in a row; empty takes its last word.",
                ),
                io.Float.Input(
                    "threshold", default=Settings.threshold, min=0.0, max=0.99, step=0.01,
                    tooltip="Share of the strongest position from which on a position counts; 0 gives a soft mask.",
                ),
                io.String.Input(
                    "prompt", default="", advanced=True,
                    tooltip="The positive text of the inversion, only where it was made from a CONDITIONING.",
                ),
                io.Combo.Input(
                    "downscale", options=[AUTO, *map(str, DOWNSCALES)], default=AUTO, advanced=True,
                    tooltip="How many times smaller than the latent the maps are; auto has about 16 positions a side.",
                ),
                _read_at(Settings.at_percent, "the attention is read, from the beginning up to there"),
                io.Boolean.Input(
                    "accumulate", default=Settings.accumulate, advanced=True,
                    tooltip="Mean over all steps up to there; off reads the last of them alone and is faster.",
                ),
            ],
            outputs=[
                io.Mask.Output(
                    tooltip="Where the word is seen, at latent size, one per image; any other mask can replace it.",
                ),
            ],
        )  # fmt: skip

    @classmethod
    def execute(
        cls, model, inversion, clip, word, threshold, prompt, downscale, at_percent, accumulate
    ) -> io.NodeOutput:
        from ..host.matching.segmentation import mask_of_word
        from ..host.runtime.previews import enlarged

        mask = mask_of_word(
            model, inversion, clip, prompt, word,
            at_percent=at_percent, accumulate=accumulate, threshold=threshold,
            downscale=None if downscale == AUTO else int(downscale),
        )  # fmt: skip
        return io.NodeOutput(mask, ui=ui.PreviewMask(enlarged(mask), cls=cls))


class ShowAttentionMatches(io.ComfyNode):
    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="AppearanceTransfer_ShowAttentionMatches",
            display_name="Show Attention Matches",
            category=FAMILY,
            description="Shows which part of the appearance paints which part of the image, before you sample.",
            search_aliases=["correspondence", "match map", "attention map", "why does nothing happen"],
            is_output_node=True,
            inputs=[
                io.Model.Input("model", tooltip="The model both inversions were made with."),
                readable("structure", tooltip="The structure image, inverted or noised: it gives the queries."),
                readable("appearance", tooltip="The appearance image, inverted or noised: its positions are the keys."),
                io.Image.Input("image", tooltip="The appearance image itself, whose pieces are shown."),
                _read_at(windows.MATCHES_AT, "both are read; late is clear, early is scattered"),
            ],
            outputs=[
                io.Image.Output(tooltip="Every position of the structure, filled with the piece it looks at most."),
                io.Mask.Output(tooltip="How decided each position is: 0 looks everywhere, 1 at one position only."),
            ],
        )  # fmt: skip

    @classmethod
    def execute(cls, model, structure, appearance, image, at_percent) -> io.NodeOutput:
        from ..host.matching.attention_matches import paint_with_matches

        painted, decided = paint_with_matches(model, structure, appearance, image, at_percent)
        return io.NodeOutput(painted, decided, ui=ui.PreviewImage(painted, cls=cls))


NODES = [SelfSegmentation, WordAttentionMap, ShowAttentionMatches]
