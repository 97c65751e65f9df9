"""Nodes that decide how the output looks at other images."""

from typing import Any

from comfy_api.latest import io

from .sockets import CATEGORY, Appearance, Correspondence, Inversion

FAMILY = f"{CATEGORY}/attention"
REFERENCE_CODE, PAPER, OFF = "reference code", "paper", "off"
RECORDED, REPLAYED = "recorded", "replayed"
SELF_ATTENTION, DIFT = "self-attention", "dift"
FEATURE, KEYS_AND_VALUES, VALUES = "feature", "kv", "v"
OFFICIAL, BOTH = "official", "both"


class WeighAppearance(io.ComfyNode):
    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="AppearanceTransfer_WeighAppearance",
            display_name="Weigh Appearance",
            category=FAMILY,
            description="Says how strongly an appearance is used, and which region of the output it paints.",
            search_aliases=["regional appearance", "reference weight", "mask reference"],
            inputs=[
                Inversion.Input("inversion", tooltip="The inverted appearance image."),
                io.Float.Input(
                    "weight", default=1.0, min=0.0, max=10.0, step=0.05,
                    tooltip="Share against other appearances; alone, 1 is full and 0 is off.",
                ),
                io.Mask.Input(
                    "mask", optional=True,
                    tooltip="Region of the output that it paints; everywhere without a mask.",
                ),
                io.Mask.Input(
                    "appearance_mask", optional=True,
                    tooltip="Region of the appearance image to match within, for Semantic Rearrangement.",
                ),
                Correspondence.Input(
                    "correspondence", optional=True,
                    tooltip="The structure's matches in it, which Semantic Rearrangement uses instead of its own.",
                ),
            ],
            outputs=[
                Appearance.Output(
                    "appearance", tooltip="For an input of Cross-Image Attention or Semantic Rearrangement."
                ),
            ],
        )  # fmt: skip

    @classmethod
    def execute(cls, inversion, weight, mask=None, appearance_mask=None, correspondence=None) -> io.NodeOutput:
        from ..host.transfer.no_effect import weighed

        return io.NodeOutput(weighed(inversion, weight, mask, appearance_mask, correspondence))


class CrossImageAttention(io.ComfyNode):
    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="AppearanceTransfer_CrossImageAttention",
            display_name="Cross-Image Attention",
            category=FAMILY,
            description="Lets the output look at other images: their colors and textures land on matching parts.",
            search_aliases=[
                "style transfer", "appearance transfer", "texture transfer", "reference", "recolor", "shared attention",
            ],
            inputs=[
                *_images(),
                io.Float.Input(
                    "strength", default=1.0, min=0.0, max=1.0, step=0.01,
                    tooltip="Share of the attention that goes to the references; 0 changes nothing.",
                ),
                io.Float.Input(
                    "contrast", default=1.67, min=0.0, max=5.0, step=0.01,
                    tooltip="Sharpens what each position looks at; 1 changes nothing.",
                ),
                io.Combo.Input(
                    "contrast_rule", options=[REFERENCE_CODE, PAPER, OFF], default=REFERENCE_CODE,
                    tooltip="Reference code clips the sharpened map, the paper does not; off ignores contrast.",
                ),
                *_steps(fine_last=90),
            ],
            outputs=[
                io.Model.Output(
                    tooltip="The model with the transfer, for Appearance Guider (or a KSampler, negative = positive).",
                ),
            ],
        )  # fmt: skip

    @classmethod
    def execute(cls, model, appearances, strength, contrast, contrast_rule, structure=None, **steps) -> io.NodeOutput:
        from ..host.transfer.cross_image_attention import CrossImageSettings, transfer_appearance

        settings = CrossImageSettings(
            strength=strength,
            contrast=1.0 if contrast_rule == OFF else contrast,
            clip=contrast_rule == REFERENCE_CODE,
            **_when(**steps),
        )
        return io.NodeOutput(transfer_appearance(model, _weighed(appearances), structure, settings))


class SemanticRearrangement(io.ComfyNode):
    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="AppearanceTransfer_SemanticRearrangement",
            display_name="Semantic Rearrangement",
            category=FAMILY,
            description="Gives each position of the output the features of its one best match in another image.",
            search_aliases=[
                "eye-for-an-eye", "appearance transfer", "style transfer", "texture transfer", "reference",
                "semantic correspondence", "feature injection", "matching",
            ],
            inputs=[
                *_images(),
                io.Float.Input(
                    "strength", default=1.0, min=0.0, max=1.0, step=0.01,
                    tooltip="How far the features go over to the references'; 0 changes nothing.",
                ),
                io.Combo.Input(
                    "match_source", options=[SELF_ATTENTION, DIFT], default=SELF_ATTENTION,
                    tooltip="Match anew in every layer and step, or by DIFT once; a connected match comes first.",
                ),
                io.Combo.Input(
                    "inject", options=[FEATURE, KEYS_AND_VALUES, VALUES], default=FEATURE,
                    tooltip="What takes the matched features: all of self-attention, keys and values, or values alone.",
                ),
                io.Combo.Input(
                    "structure_rule", options=[OFFICIAL, BOTH], default=OFFICIAL, advanced=True,
                    tooltip="Hold the shape without the text only, as the reference code does, or in both branches.",
                ),
                *_steps(fine_last=70),
            ],
            outputs=[
                io.Model.Output(
                    tooltip="The model with the transfer, for CFG Guider at cfg 2.5 with an empty negative text.",
                ),
            ],
        )  # fmt: skip

    @classmethod
    def execute(
        cls, model, appearances, strength, match_source, inject, structure_rule, structure=None, **steps
    ) -> io.NodeOutput:
        from ..host.transfer.semantic_rearrangement import RearrangementSettings, rearrange_appearance

        settings = RearrangementSettings(
            strength=strength,
            match_source=match_source,
            inject=inject,
            structure_rule=structure_rule,
            **_when(**steps),
        )
        return io.NodeOutput(rearrange_appearance(model, _weighed(appearances), structure, settings))


def _images() -> list[io.Input]:
    """The inputs of a node that lets a model look at images."""
    appearance = io.MultiType.Input(
        "appearance", [Inversion, Appearance],
        tooltip="An inverted appearance image, or one with a weight and a mask.",
    )  # fmt: skip
    return [
        io.Model.Input(
            "model",
            tooltip="The model to sample with; other patches (LoRA, FreeU) may come before or after.",
        ),
        io.Autogrow.Input(
            "appearances", template=io.Autogrow.TemplatePrefix(appearance, prefix="appearance", min=1, max=16),
            tooltip="One or more appearances; a new input grows below the last one in use.",
        ),
        Inversion.Input(
            "structure", optional=True,
            tooltip="The inverted structure image; some early steps look at it to hold the shape.",
        ),
    ]  # fmt: skip


def _steps(fine_last: int) -> list[io.Input]:
    """The parameters that say when, and where the references stand then."""
    return [
        io.Int.Input(
            "fine_first", default=11, min=0, max=1000, advanced=True,
            tooltip="First executed step of the finest decoder layers (64x64 at 512 px).",
        ),
        io.Int.Input(
            "fine_last", default=fine_last, min=0, max=1000, advanced=True,
            tooltip="Last executed step of the finest decoder layers; beyond the run means to the end.",
        ),
        io.Int.Input(
            "coarse_first", default=11, min=0, max=1000, advanced=True,
            tooltip="First executed step of the coarser layers (32x32 at 512 px); earlier keeps less shape.",
        ),
        io.Int.Input(
            "coarse_last", default=70, min=0, max=1000, advanced=True,
            tooltip="Last executed step of the coarser layers; beyond the run means to the end.",
        ),
        io.Int.Input(
            "structure_every", default=5, min=0, max=1000, advanced=True,
            tooltip="Look at the structure instead on every n-th step; 0 never does.",
        ),
        io.Int.Input(
            "structure_until", default=40, min=0, max=1000, advanced=True,
            tooltip="Last executed step that may look at the structure.",
        ),
        io.Combo.Input(
            "references", options=[RECORDED, REPLAYED], default=RECORDED, advanced=True,
            tooltip="Recorded is true to the images and cheaper; replayed drifts, as the reference code does.",
        ),
    ]  # fmt: skip


def _when(
    fine_first, fine_last, coarse_first, coarse_last, structure_every, structure_until, references
) -> dict[str, Any]:
    """The settings that `_steps` asks for."""
    from ..attention.windows import Window

    return {
        "fine": Window(fine_first, fine_last),
        "coarse": Window(coarse_first, coarse_last),
        "structure_every": structure_every,
        "structure_until": structure_until,
        "replayed": references == REPLAYED,
    }


def _weighed(appearances) -> list:
    """The connected appearances; an inversion alone has weight 1 and no mask."""
    from ..host.transfer.reference_session import Appearance as WeighedAppearance

    connected = [entry for entry in appearances.values() if entry is not None]
    return [entry if isinstance(entry, WeighedAppearance) else WeighedAppearance(entry) for entry in connected]


NODES = [WeighAppearance, CrossImageAttention, SemanticRearrangement]
