"""Nodes that decide how the output looks at other images."""

from typing import Any

from comfy_api.latest import io

from .search_words import REFERENCE, TRANSFER
from .sockets import CATEGORY, PRESETS, Appearance, Matches, preset_of, readable

FAMILY = f"{CATEGORY}/attention"


class AppearanceOptions(io.ComfyNode):
    @classmethod
    def define_schema(cls) -> io.Schema:
        from ..host.transfer.plan import Appearance as WeighedAppearance

        return io.Schema(
            node_id="AppearanceTransfer_AppearanceOptions",
            display_name="Appearance Options",
            category=FAMILY,
            description="Says how strongly an appearance is used, and which region of the output it paints.",
            search_aliases=["regional appearance", "reference weight", "mask reference"],
            inputs=[
                readable("reference", tooltip="The appearance image, from Reference Image or inverted."),
                io.Float.Input(
                    "weight", default=WeighedAppearance.weight, min=0.0, max=10.0, step=0.05,
                    tooltip="Weight against other appearances; alone, 1 is full and 0 is off.",
                ),
                io.Mask.Input(
                    "mask", optional=True,
                    tooltip="Region of the output that it paints; everywhere without a mask.",
                ),
                io.Mask.Input(
                    "appearance_mask", optional=True,
                    tooltip="Region of the appearance image that may be read; the object that is found without one.",
                ),
                Matches.Input(
                    "matches", optional=True,
                    tooltip="The structure's matches in it, used in place of those that a method finds itself.",
                ),
            ],
            outputs=[
                Appearance.Output(
                    "appearance", tooltip="For an input of Cross-Image Attention or Semantic Rearrangement."
                ),
            ],
        )  # fmt: skip

    @classmethod
    def execute(cls, reference, weight, mask=None, appearance_mask=None, matches=None) -> io.NodeOutput:
        from ..host.transfer.no_effect import weighed

        return io.NodeOutput(weighed(reference, weight, mask, appearance_mask, matches))


class CrossImageAttention(io.ComfyNode):
    @classmethod
    def define_schema(cls) -> io.Schema:
        from ..attention.shared_keys import SHARING
        from ..host.transfer.cross_image_attention import CrossImageSettings as Settings

        return io.Schema(
            node_id="AppearanceTransfer_CrossImageAttention",
            display_name="Cross-Image Attention",
            category=FAMILY,
            description="Lets the output look at other images: their colors and textures land on matching parts.",
            search_aliases=[*TRANSFER, *REFERENCE, "shared attention"],
            inputs=[
                *_images(),
                io.Float.Input(
                    "strength", default=Settings.strength, min=0.0, max=1.0, step=0.01,
                    tooltip="Share of the attention that goes to the references; 0 changes nothing.",
                ),
                io.Float.Input(
                    "contrast", default=Settings.contrast, min=0.0, max=5.0, step=0.01,
                    tooltip="Sharpens what each position looks at; 1 changes nothing.",
                ),
                *_window(),
                _find(),
                io.Float.Input(
                    "match_width", default=Settings.match_width, min=0.0, max=1.0, step=0.001, advanced=True,
                    tooltip="How far around its match a position looks, as a part of the image; 0 ignores matches.",
                ),
                io.Combo.Input(
                    "sharing", options=list(SHARING), default=Settings.sharing, optional=True, advanced=True,
                    tooltip="Read references in place of the output's own image, or both, divided by strength.",
                ),
                io.Float.Input(
                    "position", default=Settings.position, min=0.0, max=1.0, step=0.05, optional=True, advanced=True,
                    tooltip="Of a transformer: how far the pull to the same place is loosened; 0 is as recorded.",
                ),
                io.Boolean.Input(
                    "mirror_columns", default=Settings.mirror_columns, optional=True, advanced=True,
                    tooltip="Of a transformer: read the appearances as if they were mirrored; off is as they are.",
                ),
            ],
            outputs=[
                io.Model.Output(
                    tooltip="The model with the transfer, for Appearance Guider (or a KSampler, negative = positive).",
                ),
            ],
        )  # fmt: skip

    @classmethod
    def execute(
        cls, model, appearances, strength, contrast, find, match_width, preset, structure=None, sharing="replace",
        position=0.0, mirror_columns=False, **window,
    ) -> io.NodeOutput:  # fmt: skip
        from ..host.transfer.cross_image_attention import CrossImageSettings, transfer_appearance

        guided = {"find": find, "match_width": match_width, "sharing": sharing}
        guided |= {"position": position, "mirror_columns": mirror_columns}
        settings = preset_of(CrossImageSettings, preset)(
            strength=strength, contrast=contrast, **guided, **_when(**window)
        )
        return io.NodeOutput(transfer_appearance(model, _weighed(appearances), structure, settings))


class SemanticRearrangement(io.ComfyNode):
    @classmethod
    def define_schema(cls) -> io.Schema:
        from ..host.transfer.semantic_rearrangement import DIFT, INJECTED, SELF_ATTENTION
        from ..host.transfer.semantic_rearrangement import RearrangementSettings as Settings

        return io.Schema(
            node_id="AppearanceTransfer_SemanticRearrangement",
            display_name="Semantic Rearrangement",
            category=FAMILY,
            description="Gives each position of the output the features of its one best match in another image.",
            search_aliases=[
                *TRANSFER, *REFERENCE, "eye-for-an-eye", "semantic correspondence", "feature injection", "matching",
            ],
            inputs=[
                *_images(),
                io.Float.Input(
                    "strength", default=Settings.strength, min=0.0, max=1.0, step=0.01,
                    tooltip="How far the features go over to the references'; 0 changes nothing.",
                ),
                io.Combo.Input(
                    "match_source", options=[SELF_ATTENTION, DIFT], default=Settings.match_source,
                    tooltip="Without find: match anew in every layer and step, or by DIFT once.",
                ),
                io.Combo.Input(
                    "inject", options=list(INJECTED), default=Settings.inject,
                    tooltip="What takes the matched features: all of self-attention, keys and values, or values alone.",
                ),
                *_window(),
                _find(),
            ],
            outputs=[
                io.Model.Output(
                    tooltip="The model with the transfer, for CFG Guider at cfg 2.5 with an empty negative text.",
                ),
            ],
        )  # fmt: skip

    @classmethod
    def execute(
        cls, model, appearances, strength, match_source, inject, find, preset, structure=None, **window
    ) -> io.NodeOutput:
        from ..host.transfer.semantic_rearrangement import RearrangementSettings, rearrange_appearance

        settings = preset_of(RearrangementSettings, preset)(
            strength=strength, match_source=match_source, inject=inject, find=find, **_when(**window)
        )
        return io.NodeOutput(rearrange_appearance(model, _weighed(appearances), structure, settings))


def _images() -> list[io.Input]:
    """The inputs of a node that lets a model look at images."""
    appearance = readable(
        "appearance", Appearance, tooltip="An appearance image from Reference Image, or one with a weight and a mask."
    )
    return [
        io.Model.Input(
            "model",
            tooltip="The model to sample with; other patches (LoRA, FreeU) may come before or after.",
        ),
        io.Autogrow.Input(
            "appearances",
            template=io.Autogrow.TemplatePrefix(appearance, prefix="appearance", min=1, max=16),
            tooltip="One or more appearances; a new input grows below the last one in use.",
        ),
        readable(
            "structure", optional=True, tooltip="The structure image; some early steps read it to hold the shape."
        ),
    ]


def _find() -> io.Input:
    """Whether a method finds what nobody gives it."""
    return io.Boolean.Input(
        "find", default=True,
        tooltip="Find object and matches where none are connected; needs structure and a few evaluations.",
    )  # fmt: skip


def _window() -> list[io.Input]:
    """When the attention reads references, and which way."""
    from ..attention.windows import ATTENTION, AUTO, STRUCTURE_END, STRUCTURE_SHARE

    return [
        io.Float.Input(
            "start_percent", default=ATTENTION.start_percent, min=0.0, max=1.0, step=0.01, advanced=True,
            tooltip="Where in the noise schedule it begins; earlier transfers more and keeps less shape.",
        ),
        io.Float.Input(
            "end_percent", default=ATTENTION.end_percent, min=0.0, max=1.0, step=0.01, advanced=True,
            tooltip="Where in the noise schedule it ends; 1 is the end.",
        ),
        io.Float.Input(
            "structure_share", default=STRUCTURE_SHARE, min=0.0, max=1.0, step=0.05, advanced=True,
            tooltip="Part of these steps that reads the structure instead; 0 is none.",
        ),
        io.Float.Input(
            "structure_end_percent", default=STRUCTURE_END, min=0.0, max=1.0, step=0.01, advanced=True,
            tooltip="Where in the noise schedule no step reads the structure any more.",
        ),
        io.String.Input(
            "blocks", default=AUTO, optional=True, advanced=True,
            tooltip="Of a transformer, those that read: auto, all, or numbers such as 4-7, 12; each takes memory.",
        ),
        io.Combo.Input(
            "preset", options=list(PRESETS), default=PRESETS[0], advanced=True,
            tooltip="Reference code replays the references, which drift, and holds the structure everywhere.",
        ),
    ]  # fmt: skip


def _when(start_percent, end_percent, structure_share, structure_end_percent, blocks="auto") -> dict[str, Any]:
    """The settings that `_window` asks for."""
    from ..attention.windows import Window

    return {
        "window": Window(start_percent, end_percent),
        "structure_share": structure_share,
        "structure_end_percent": structure_end_percent,
        "blocks": blocks,
    }


def _weighed(appearances) -> list:
    """The connected appearances; an inversion alone has weight 1 and no mask."""
    from ..host.transfer.plan import Appearance as WeighedAppearance

    connected = [entry for entry in appearances.values() if entry is not None]
    return [entry if isinstance(entry, WeighedAppearance) else WeighedAppearance(entry) for entry in connected]


NODES = [AppearanceOptions, CrossImageAttention, SemanticRearrangement]
