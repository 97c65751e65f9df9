"""Nodes that distil a fast editor from collected pairs (pix2pix-zero, section 4.5), keep it, and apply it."""

from pathlib import Path

from comfy_api.latest import io, ui

from .files import NOTHING_SAVED, ReadsFile, prefix_input
from .sockets import CATEGORY, DistilledEditor, seed_input

FAMILY = f"{CATEGORY}/editing"
NO_LPIPS = "(none)"


class TrainDistilledEditor(io.ComfyNode):
    @classmethod
    def define_schema(cls) -> io.Schema:
        from ..distillation.architecture import SIZES
        from ..distillation.losses import EditorLossWeights as Weights
        from ..distillation.pairs import COLLECTION
        from ..distillation.training import EditorTrainingSettings as Settings
        from ..host.editing.distilling import PREVIEW_EVERY
        from ..host.evaluation.perceptual import lpips_files

        return io.Schema(
            node_id="AppearanceTransfer_TrainDistilledEditor",
            display_name="Train Distilled Editor",
            category=FAMILY,
            description="Trains a network that does in one pass the edit that collected pairs show.",
            search_aliases=["pix2pix-zero", "distillation", "comodgan", "gan", "paired training", "fast edit"],
            inputs=[
                io.String.Input("name", default=COLLECTION, tooltip="Name of the collection of Edit-Pair Collector."),
                io.Combo.Input(
                    "size", options=[*map(str, SIZES)], default=str(Settings.architecture.size),
                    tooltip="Side of the square images that the editor works on, in pixels.",
                ),
                io.Int.Input(
                    "steps", default=10_000, min=1, max=10_000_000,
                    tooltip="Steps to take now; the paper does not say how many it took.",
                ),
                io.Int.Input(
                    "batch", default=Settings.batch, min=1, max=256,
                    tooltip="Pairs per step; the paper takes 64, which wants much memory.",
                ),
                io.Float.Input(
                    "width", default=Settings.architecture.width, min=0.03125, max=1.0, step=0.03125,
                    tooltip="Share of the channels of the full network; 1 is the released one.",
                ),
                seed_input(0, "Seed of the first weights and of all that is drawn while training."),
                DistilledEditor.Input(
                    "editor", optional=True,
                    tooltip="An editor to train further, of this size and width; leave it open to begin anew.",
                ),
                io.Combo.Input(
                    "lpips", options=[NO_LPIPS, *lpips_files()], default=NO_LPIPS,
                    tooltip="A file of models/lpips that judges how alike images look, as in the paper.",
                ),
                io.Float.Input(
                    "learning_rate", default=Settings.learning_rate, min=0.00001, max=0.1, step=0.0001, advanced=True,
                    tooltip="Step size of Adam; the paper's value is 0.001.",
                ),
                io.Float.Input(
                    "gan_weight", default=Weights.adversarial, min=0.0, max=100.0, step=0.1, advanced=True,
                    tooltip="Weight of looking real to the discriminator; 0 leaves it out.",
                ),
                io.Float.Input(
                    "lpips_weight", default=Weights.perceptual, min=0.0, max=100.0, step=0.1, advanced=True,
                    tooltip="Weight of looking like the edit to LPIPS, where a file is chosen; 0 leaves it out.",
                ),
                io.Float.Input(
                    "l1_weight", default=Weights.pixel, min=0.0, max=100.0, step=0.1, advanced=True,
                    tooltip="Weight of having the pixels of the edit; 0 leaves it out.",
                ),
                io.Int.Input(
                    "preview_every", default=PREVIEW_EVERY, min=0, max=10_000, advanced=True,
                    tooltip="Steps from one live preview to the next; 0 shows none.",
                ),
            ],
            outputs=[
                DistilledEditor.Output("editor", tooltip="To apply, to save, or to train further."),
                io.Image.Output("sheet", tooltip="Some pairs in rows: before, what the editor makes of it, after."),
                io.Image.Output("losses", tooltip="Every loss over the steps, on a logarithmic scale."),
                io.String.Output("report", tooltip="Steps, settings, time and losses in words."),
            ],
        )  # fmt: skip

    @classmethod
    def fingerprint_inputs(cls, name, **others) -> str:
        """A collection that has grown is another one. A name from a link is not known here."""
        from ..host.runtime.files import manifest_state

        return manifest_state(name) if name else ""

    @classmethod
    def execute(
        cls, name, size, steps, batch, width, seed, lpips, learning_rate, gan_weight, lpips_weight, l1_weight,
        preview_every, editor=None,
    ) -> io.NodeOutput:  # fmt: skip
        from ..distillation.architecture import EditorConfig
        from ..distillation.losses import EditorLossWeights
        from ..distillation.training import EditorTrainingSettings
        from ..host.editing.distilling import train_editor
        from ..training.loss_plot import loss_plot

        weights = EditorLossWeights(gan_weight, lpips_weight, l1_weight)
        settings = EditorTrainingSettings(EditorConfig(int(size), width), weights, batch, learning_rate, seed)
        file = "" if lpips == NO_LPIPS else lpips
        trained = train_editor(name, steps, settings, file, editor, preview_every)
        preview = ui.PreviewImage(trained.sheet, cls=cls).as_dict() | ui.PreviewText(str(trained)).as_dict()
        return io.NodeOutput(trained.editor, trained.sheet, loss_plot(trained.reports), str(trained), ui=preview)


class ApplyDistilledEditor(io.ComfyNode):
    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="AppearanceTransfer_ApplyDistilledEditor",
            display_name="Apply Distilled Editor",
            category=FAMILY,
            description="Edits images with a distilled editor, in one pass each.",
            search_aliases=["pix2pix-zero", "fast edit", "apply gan"],
            inputs=[
                DistilledEditor.Input("editor", tooltip="From Train Distilled Editor or Load Distilled Editor."),
                io.Image.Input("image", tooltip="Images like those it was trained on."),
                seed_input(0, "Seed of the noise that decides what the image leaves open."),
                io.Float.Input(
                    "variation", default=1.0, min=0.0, max=1.0, step=0.05, advanced=True,
                    tooltip="How far the style is from the mean one: 0 is the mean, 1 is as trained.",
                ),
            ],
            outputs=[io.Image.Output("image", tooltip="The edits, at the size of the images.")],
        )  # fmt: skip

    @classmethod
    def execute(cls, editor, image, seed, variation) -> io.NodeOutput:
        from ..host.editing.distilling import apply_editor

        return io.NodeOutput(apply_editor(editor, image, seed, variation))


class SaveDistilledEditor(io.ComfyNode):
    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="AppearanceTransfer_SaveDistilledEditor",
            display_name="Save Distilled Editor",
            category=FAMILY,
            description="Writes a distilled editor to output/editors without overwriting, to be applied later.",
            search_aliases=["export editor"],
            is_output_node=True,
            inputs=[
                DistilledEditor.Input("editor", tooltip="The editor to keep."),
                prefix_input("editor"),
                io.Boolean.Input(
                    "resumable", default=True, advanced=True,
                    tooltip="Keep what is needed to train further; off makes the file much smaller.",
                ),
            ],
            outputs=[DistilledEditor.Output("saved", tooltip="The same editor, to go on with.")],
        )  # fmt: skip

    @classmethod
    def execute(cls, editor, filename_prefix, resumable) -> io.NodeOutput:
        from ..distillation.storage import encode
        from ..host.runtime.files import EDITORS

        path = EDITORS.keep(filename_prefix, encode(editor, resumable=resumable))
        return io.NodeOutput(editor, ui=ui.PreviewText(f"Saved {EDITORS.name_of(path)}"))


class LoadDistilledEditor(ReadsFile):
    @classmethod
    def define_schema(cls) -> io.Schema:
        from ..host.runtime.files import EDITORS

        return io.Schema(
            node_id="AppearanceTransfer_LoadDistilledEditor",
            display_name="Load Distilled Editor",
            category=FAMILY,
            description="Reads a distilled editor from output/editors and checks it before use.",
            search_aliases=["import editor"],
            inputs=[
                io.Combo.Input(
                    "name", options=EDITORS.names() or [NOTHING_SAVED],
                    tooltip="A file that Save Distilled Editor or an interrupted training wrote.",
                ),
            ],
            outputs=[DistilledEditor.Output("editor", tooltip="Exactly what was saved.")],
        )  # fmt: skip

    @classmethod
    def path(cls, name: str) -> Path:
        from ..host.runtime.files import EDITORS

        return EDITORS.path_to_load(name)

    @classmethod
    def execute(cls, name) -> io.NodeOutput:
        from ..distillation.storage import load

        return io.NodeOutput(load(cls.path(name)))


NODES = [TrainDistilledEditor, ApplyDistilledEditor, SaveDistilledEditor, LoadDistilledEditor]
