"""Nodes that train a generator on one pair of images (Splice), keep it, and apply it to other images."""

from pathlib import Path

from comfy_api.latest import io, ui

from .files import NOTHING_SAVED, ReadsFile, prefix_input
from .search_words import TRANSFER
from .sockets import CATEGORY, DinoVit, SpliceGenerator, seed_input

FAMILY = f"{CATEGORY}/splice"


class TrainSplice(io.ComfyNode):
    @classmethod
    def define_schema(cls) -> io.Schema:
        from ..host.vit.splice_training import PREVIEW_EVERY, View
        from ..splice.losses import SpliceLossWeights as Weights
        from ..splice.training import SpliceSettings as Settings

        return io.Schema(
            node_id="AppearanceTransfer_TrainSplice",
            display_name="Train Splice",
            category=FAMILY,
            description="Trains a generator that repaints the structure image in the look of the appearance image.",
            search_aliases=[*TRANSFER, "splice", "splicing vit", "dino"],
            inputs=[
                io.Image.Input("structure", tooltip="The image that gives the shape, from 64 px on."),
                io.Image.Input("appearance", tooltip="The image that gives the look, from 64 px on, of any size."),
                DinoVit.Input("vit", tooltip="From Load DINO ViT; the paper uses ViT-B/8 in fp32."),
                io.Int.Input(
                    "steps", default=2000, min=1, max=100_000,
                    tooltip="Steps to take now; the paper takes 2000, the reference code 10000.",
                ),
                io.Int.Input(
                    "resolution", default=View.resolution, min=0, max=4096,
                    tooltip="Shorter side of both images while training, in pixels; 0 leaves them as they are.",
                ),
                seed_input(Settings.seed, "Seed of the first weights and of the crops."),
                SpliceGenerator.Input(
                    "generator", optional=True,
                    tooltip="A generator of this pair to train further; leave it open to begin anew.",
                ),
                io.Float.Input(
                    "appearance_weight", default=Weights.appearance, min=0.0, max=1000.0, step=0.1, advanced=True,
                    tooltip="Weight of the look of the whole image ([CLS] token); 0 leaves it out.",
                ),
                io.Float.Input(
                    "structure_weight", default=Weights.structure, min=0.0, max=1000.0, step=0.1, advanced=True,
                    tooltip="Weight of the shape (self-similarity of the keys); 0 leaves it out.",
                ),
                io.Float.Input(
                    "identity_weight", default=Weights.identity, min=0.0, max=1000.0, step=0.1, advanced=True,
                    tooltip="Weight of leaving the appearance image as it is; 0 leaves it out.",
                ),
                io.Float.Input(
                    "learning_rate", default=Settings.learning_rate, min=0.00001, max=0.1, step=0.0001, advanced=True,
                    tooltip="Step size of Adam; the paper's value is 0.002.",
                ),
                io.Int.Input(
                    "layer", default=View.layer, min=-40, max=39, advanced=True,
                    tooltip="The block of the ViT that is read: -1 is the last, as in the paper, and 0 the first.",
                ),
                io.Boolean.Input(
                    "antialias", default=View.antialias, advanced=True,
                    tooltip="Smooth what the ViT is shown when it is shrunk; off, as in the reference code.",
                ),
                io.Boolean.Input(
                    "checkpointing", default=View.checkpointing, advanced=True,
                    tooltip="Saves memory in the ViT for about a third more time; same result.",
                ),
                io.Int.Input(
                    "preview_every", default=PREVIEW_EVERY, min=0, max=10_000, advanced=True,
                    tooltip="Steps from one live preview to the next; 0 shows none.",
                ),
            ],
            outputs=[
                io.Image.Output("image", tooltip="The structure image in the look of the appearance."),
                SpliceGenerator.Output("generator", tooltip="To save, to apply to more images, or to train further."),
                io.Image.Output("losses", tooltip="Every loss over the steps, on a logarithmic scale."),
                io.String.Output("report", tooltip="Steps, settings, time and losses in words."),
            ],
        )  # fmt: skip

    @classmethod
    def execute(
        cls, structure, appearance, vit, steps, resolution, seed, appearance_weight, structure_weight, identity_weight,
        learning_rate, layer, antialias, checkpointing, preview_every, generator=None,
    ) -> io.NodeOutput:  # fmt: skip
        from ..host.vit.splice_training import View, train_splice
        from ..splice.losses import SpliceLossWeights
        from ..splice.training import SpliceSettings
        from ..training.loss_plot import loss_plot

        weights = SpliceLossWeights(appearance_weight, structure_weight, identity_weight)
        trained = train_splice(
            vit,
            structure,
            appearance,
            steps,
            SpliceSettings(weights, learning_rate, seed),
            View(resolution, layer, antialias, checkpointing),
            generator,
            preview_every,
        )
        preview = ui.PreviewImage(trained.image, cls=cls).as_dict() | ui.PreviewText(str(trained)).as_dict()
        return io.NodeOutput(trained.image, trained.generator, loss_plot(trained.reports), str(trained), ui=preview)


class ApplySpliceGenerator(io.ComfyNode):
    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="AppearanceTransfer_ApplySpliceGenerator",
            display_name="Apply Splice Generator",
            category=FAMILY,
            description="Repaints images with a trained generator, in one pass each and at any size.",
            search_aliases=["splice", "apply generator"],
            inputs=[
                SpliceGenerator.Input("generator", tooltip="From Train Splice or Load Splice Generator."),
                io.Image.Input("image", tooltip="Images like the structure it was trained on, from 64 px on."),
            ],
            outputs=[io.Image.Output("image", tooltip="The images in the learned look, at their own size.")],
        )

    @classmethod
    def execute(cls, generator, image) -> io.NodeOutput:
        from ..host.vit.splice_training import apply_generator

        return io.NodeOutput(apply_generator(generator, image))


class SaveSpliceGenerator(io.ComfyNode):
    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="AppearanceTransfer_SaveSpliceGenerator",
            display_name="Save Splice Generator",
            category=FAMILY,
            description="Writes a trained generator to output/splice without overwriting, to be applied later.",
            search_aliases=["export generator"],
            is_output_node=True,
            inputs=[
                SpliceGenerator.Input("generator", tooltip="The generator to keep."),
                prefix_input("splice"),
                io.Boolean.Input(
                    "resumable", default=True, advanced=True,
                    tooltip="Keep what is needed to train further; off halves the file.",
                ),
            ],
            outputs=[SpliceGenerator.Output("saved", tooltip="The same generator, to go on with.")],
        )  # fmt: skip

    @classmethod
    def execute(cls, generator, filename_prefix, resumable) -> io.NodeOutput:
        from ..host.runtime.files import GENERATORS
        from ..splice.storage import encode

        path = GENERATORS.keep(filename_prefix, encode(generator, resumable=resumable))
        return io.NodeOutput(generator, ui=ui.PreviewText(f"Saved {GENERATORS.name_of(path)}"))


class LoadSpliceGenerator(ReadsFile):
    @classmethod
    def define_schema(cls) -> io.Schema:
        from ..host.runtime.files import GENERATORS

        return io.Schema(
            node_id="AppearanceTransfer_LoadSpliceGenerator",
            display_name="Load Splice Generator",
            category=FAMILY,
            description="Reads a generator from output/splice and checks it before use.",
            search_aliases=["import generator"],
            inputs=[
                io.Combo.Input(
                    "name", options=GENERATORS.names() or [NOTHING_SAVED],
                    tooltip="A file that Save Splice Generator or an interrupted training wrote.",
                ),
            ],
            outputs=[SpliceGenerator.Output("generator", tooltip="Exactly what was saved.")],
        )  # fmt: skip

    @classmethod
    def path(cls, name: str) -> Path:
        from ..host.runtime.files import GENERATORS

        return GENERATORS.path_to_load(name)

    @classmethod
    def execute(cls, name) -> io.NodeOutput:
        from ..splice.storage import load

        return io.NodeOutput(load(cls.path(name)))


NODES = [TrainSplice, ApplySpliceGenerator, SaveSpliceGenerator, LoadSpliceGenerator]
