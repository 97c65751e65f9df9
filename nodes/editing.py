"""Nodes of pix2pix-zero: a direction from word to word for any prompt, and an edit that keeps the structure."""

from comfy_api.latest import io, ui

from .files import NOTHING_SAVED, ReadsFile, prefix_input
from .search_words import PROMPT_TO_PROMPT
from .sockets import CATEGORY, PRESETS, EditDirection, preset_of, seed_input

FAMILY = f"{CATEGORY}/editing"
FROM_WORDS, AS_PASTED = "from words", "as pasted"
NAME_LENGTH = 80  # characters by which a direction calls a pasted bank
RECOMPUTE, STORE = "recompute", "store"


class MakeEditDirection(io.ComfyNode):
    @classmethod
    def define_schema(cls) -> io.Schema:
        from ..editing.sentences import COUNT, FORMS, LARGEST

        return io.Schema(
            node_id="AppearanceTransfer_EditDirection",
            display_name="Edit Direction",
            category=FAMILY,
            description="Finds the direction from one word to another in a text encoder, from many sentences of each.",
            search_aliases=[*PROMPT_TO_PROMPT, "concept direction", "cat to dog", "embedding arithmetic"],
            inputs=[
                io.Clip.Input("clip", tooltip="The CLIP that also encodes the prompt to be moved."),
                io.String.Input(
                    "source", default="cat", multiline=True,
                    tooltip="What the image shows: a word or phrase, or sentences with it, one per line.",
                ),
                io.String.Input(
                    "target", default="dog", multiline=True,
                    tooltip="What it should become: a word or phrase, or sentences with it, one per line.",
                ),
                io.Combo.Input(
                    "sentences", options=[FROM_WORDS, AS_PASTED], default=FROM_WORDS,
                    tooltip="Build sentences around the two words, or take source and target as they are.",
                ),
                io.Combo.Input(
                    "form", options=list(FORMS), default=FORMS[0],
                    tooltip="Whether the words name things, or the look of an image like 'oil painting'.",
                ),
                io.Int.Input(
                    "count", default=COUNT, min=1, max=LARGEST, advanced=True,
                    tooltip="Sentences to build per word; the paper has about 1000, fewer mix in other things.",
                ),
                seed_input(0, "Which sentences are built; both words get the same ones.", advanced=True),
            ],
            outputs=[
                EditDirection.Output("direction", tooltip="For Apply Edit Direction and Save Edit Direction."),
                io.String.Output("source_sentences", tooltip="The sentences of the source, one per line."),
                io.String.Output("target_sentences", tooltip="The sentences of the target, one per line."),
            ],
        )  # fmt: skip

    @classmethod
    def execute(cls, clip, source, target, sentences, form, count, seed) -> io.NodeOutput:
        from textwrap import shorten

        from ..editing.direction import direction_between
        from ..editing.sentences import build_bank, parse_bank
        from ..host.editing.text_encoding import encoder_fingerprint, mean_encodings

        if sentences == FROM_WORDS:
            banks = [build_bank(word, count, form=form, seed=seed) for word in (source, target)]
        else:
            banks = [parse_bank(source, "source"), parse_bank(target, "target")]
        direction = direction_between(
            *mean_encodings(clip, *banks),
            words=(shorten(source, NAME_LENGTH), shorten(target, NAME_LENGTH)),
            encoder=encoder_fingerprint(clip),
        )
        return io.NodeOutput(direction, *("\n".join(bank) for bank in banks), ui=ui.PreviewText(str(direction)))


class ApplyEditDirection(io.ComfyNode):
    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="AppearanceTransfer_ApplyEditDirection",
            display_name="Apply Edit Direction",
            category=FAMILY,
            description="Moves a prompt along a direction, so that it speaks of the target in place of the source.",
            search_aliases=["pix2pix-zero", "edit prompt", "embedding arithmetic"],
            inputs=[
                io.Conditioning.Input("conditioning", tooltip="The prompt of the image as it is."),
                EditDirection.Input("direction", tooltip="Where to move it."),
                io.Float.Input(
                    "strength", default=1.0, min=-10.0, max=10.0, step=0.05,
                    tooltip="How far to move; 0 changes nothing, the paper's 1 goes from source to target.",
                ),
                io.Clip.Input(
                    "clip", optional=True,
                    tooltip="The CLIP of the prompt, to be sure that the direction was made with it; may be left open.",
                ),
            ],
            outputs=[io.Conditioning.Output(tooltip="The moved prompt.")],
        )  # fmt: skip

    @classmethod
    def execute(cls, conditioning, direction, strength, clip=None) -> io.NodeOutput:
        from ..host.editing.text_encoding import apply_direction, check_encoder

        if clip is not None:
            check_encoder(direction, clip)
        return io.NodeOutput(apply_direction(conditioning, direction, strength))


class SaveEditDirection(io.ComfyNode):
    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="AppearanceTransfer_SaveEditDirection",
            display_name="Save Edit Direction",
            category=FAMILY,
            description="Writes a direction to output/directions, overwriting nothing, to use it with other images.",
            search_aliases=["export direction", "store embedding"],
            is_output_node=True,
            inputs=[
                EditDirection.Input("direction", tooltip="What to keep."),
                prefix_input("direction"),
            ],
            outputs=[EditDirection.Output("saved", tooltip="The same direction, to go on with.")],
        )  # fmt: skip

    @classmethod
    def execute(cls, direction, filename_prefix) -> io.NodeOutput:
        from ..editing.storage import encode
        from ..host.runtime.files import DIRECTIONS

        path = DIRECTIONS.keep(filename_prefix, encode(direction))
        return io.NodeOutput(direction, ui=ui.PreviewText(f"Saved {DIRECTIONS.name_of(path)}"))


class LoadEditDirection(ReadsFile):
    @classmethod
    def define_schema(cls) -> io.Schema:
        from ..host.runtime.files import DIRECTIONS

        return io.Schema(
            node_id="AppearanceTransfer_LoadEditDirection",
            display_name="Load Edit Direction",
            category=FAMILY,
            description="Reads a direction from output/directions and checks it before use.",
            search_aliases=["import direction"],
            inputs=[
                io.Combo.Input(
                    "name", options=DIRECTIONS.names() or [NOTHING_SAVED],
                    tooltip="A file that Save Edit Direction wrote.",
                ),
            ],
            outputs=[EditDirection.Output("direction", tooltip="Exactly what was saved.")],
        )  # fmt: skip

    @classmethod
    def path(cls, name):
        from ..host.runtime.files import DIRECTIONS

        return DIRECTIONS.path_to_load(name)

    @classmethod
    def execute(cls, name) -> io.NodeOutput:
        from ..editing.storage import load

        return io.NodeOutput(load(cls.path(name)))


class CrossAttentionGuider(io.ComfyNode):
    @classmethod
    def define_schema(cls) -> io.Schema:
        from ..host.editing.cross_attention_guider import CrossAttentionSettings as Settings

        return io.Schema(
            node_id="AppearanceTransfer_CrossAttentionGuider",
            display_name="Cross-Attention Guider",
            category=FAMILY,
            description="Text guidance towards an edited prompt that keeps where the original prompt was seen.",
            search_aliases=[*PROMPT_TO_PROMPT, "guider", "cfg", "keep structure", "attention guidance"],
            inputs=[
                io.Model.Input("model", tooltip="A U-Net or a transformer, not quantized."),
                io.Conditioning.Input("positive", tooltip="The prompt of the image as it is, as it was inverted."),
                io.Conditioning.Input(
                    "edited", tooltip="That prompt from Apply Edit Direction, or with another word in place of one.",
                ),
                io.Float.Input(
                    "cfg", default=Settings.cfg, min=1.0, max=30.0, step=0.1,
                    tooltip="Classifier-free guidance of the edit and of its reconstruction; 1 turns it off.",
                ),
                io.Float.Input(
                    "amount", default=Settings.amount, min=0.0, max=10.0, step=0.01,
                    tooltip="How strongly the structure is kept; 0 is off, 0.1 for images, 0.15 for pure noise.",
                ),
                io.Combo.Input(
                    "reference_maps", options=[RECOMPUTE, STORE], default=RECOMPUTE,
                    tooltip="Make the reconstruction's maps step by step, or all at first and keep them in memory.",
                ),
                io.String.Input(
                    "downscales", default="all", advanced=True,
                    tooltip="Which maps are compared: all, or some by how much smaller than the latent, as '2, 4'.",
                ),
                io.Combo.Input(
                    "preset", options=list(PRESETS), default=PRESETS[0], advanced=True,
                    tooltip="Reference code bounds no step on v-prediction and flow models, like pix2pix-zero's code.",
                ),
                io.Conditioning.Input(
                    "negative", optional=True,
                    tooltip="Left open it is positive, right for inverted images; an empty text for pure noise.",
                ),
            ],
            outputs=[io.Guider.Output(tooltip="For Sample from Inversion, or for SamplerCustomAdvanced with euler.")],
        )  # fmt: skip

    @classmethod
    def execute(
        cls, model, positive, edited, cfg, amount, reference_maps, downscales, preset, negative=None
    ) -> io.NodeOutput:
        from ..host.editing.cross_attention_guider import CrossAttentionGuider as Guider
        from ..host.editing.cross_attention_guider import CrossAttentionSettings
        from ..host.models.unet import parse_downscales

        settings = preset_of(CrossAttentionSettings, preset)(
            cfg=cfg, amount=amount, stored=reference_maps == STORE, downscales=parse_downscales(downscales)
        )
        return io.NodeOutput(Guider(model, positive, edited, negative, settings))


NODES = [
    MakeEditDirection,
    ApplyEditDirection,
    SaveEditDirection,
    LoadEditDirection,
    CrossAttentionGuider,
]
