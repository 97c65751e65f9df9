"""Nodes around DINO's vision transformers: what they see in an image, and what of the image it holds."""

from pathlib import Path

from comfy_api.latest import io, ui

from .files import ReadsFile
from .sockets import CATEGORY, PRESETS, REFERENCE_CODE, DinoVit, Features, seed_input

FAMILY = f"{CATEGORY}/splice"
NO_WEIGHTS = "(no weights in models/dino)"


def _vit_input() -> io.Input:
    return DinoVit.Input("vit", tooltip="From Load DINO ViT.")


def _layer_input() -> io.Input:
    return io.Int.Input(
        "layer", default=-1, min=-40, max=39, advanced=True,
        tooltip="The block that is read: -1 is the last, as in the paper, and 0 the first.",
    )  # fmt: skip


class LoadDINOViT(ReadsFile):
    @classmethod
    def define_schema(cls) -> io.Schema:
        from ..host.vit.dino import PRECISION, PRECISIONS, dino_files

        return io.Schema(
            node_id="AppearanceTransfer_LoadDINOViT",
            display_name="Load DINO ViT",
            category=FAMILY,
            description="Loads a DINO or DINOv2 vision transformer from models/dino, which judges what Splice trains.",
            search_aliases=["dino", "dinov2", "vision transformer", "splice"],
            inputs=[
                io.Combo.Input(
                    "name", options=dino_files() or [NO_WEIGHTS],
                    tooltip="Weights in models/dino, as DINO's authors publish them; the paper uses ViT-B/8.",
                ),
                io.Combo.Input(
                    "precision", options=list(PRECISIONS), default=PRECISION,
                    tooltip="fp32 is exact; bf16 halves the memory.",
                ),
            ],
            outputs=[DinoVit.Output("vit", tooltip="For the Splice nodes and DINO Features.")],
        )  # fmt: skip

    @classmethod
    def path(cls, name: str) -> Path:
        from ..host.vit.dino import dino_path

        return dino_path(name)

    @classmethod
    def execute(cls, name, precision) -> io.NodeOutput:
        from ..host.vit.dino import load_managed_vit

        return io.NodeOutput(load_managed_vit(name, precision))


class DINOFeatures(io.ComfyNode):
    @classmethod
    def define_schema(cls) -> io.Schema:
        from ..host.vit.dino_features import FACETS
        from ..vit.preprocess import SHORT_SIDE

        return io.Schema(
            node_id="AppearanceTransfer_DINOFeatures",
            display_name="DINO Features",
            category=f"{CATEGORY}/matching",
            description="What a ViT knows of every position of an image, to find the same part in another image.",
            search_aliases=["vit features", "correspondence", "semantic matching", "dinov2"],
            inputs=[
                _vit_input(),
                io.Image.Input("image", tooltip="The image; a batch gives features of each."),
                io.Combo.Input(
                    "facet", options=list(FACETS), default=FACETS[0],
                    tooltip="What is taken of every patch; keys as a rule, tokens with DINOv2.",
                ),
                io.Int.Input(
                    "resolution", default=SHORT_SIDE, min=32, max=2048,
                    tooltip="Shorter side in pixels at which the ViT sees the image; more gives a finer grid.",
                ),
                _layer_input(),
                io.Boolean.Input(
                    "antialias", default=False, advanced=True,
                    tooltip="Smooth the image when it is shrunk; off, as in Splice's reference code.",
                ),
            ],
            outputs=[Features.Output("features", tooltip="For Match Features.")],
        )  # fmt: skip

    @classmethod
    def execute(cls, vit, image, facet, resolution, layer, antialias) -> io.NodeOutput:
        from ..host.vit.dino_features import dino_features

        features = dino_features(vit, image, facet=facet, layer=layer, short=resolution, antialias=antialias)
        return io.NodeOutput(features)


class InvertViTFeature(io.ComfyNode):
    @classmethod
    def define_schema(cls) -> io.Schema:
        from ..host.vit.feature_inversion import PREVIEW_EVERY
        from ..splice.feature_inversion import FEATURES, LEARNING_RATE, STEPS

        return io.Schema(
            node_id="AppearanceTransfer_InvertViTFeature",
            display_name="Invert ViT Feature",
            category=FAMILY,
            description="Paints an image from a ViT's feature alone, which shows what the feature holds of yours.",
            search_aliases=["deep image prior", "feature visualization", "dino"],
            inputs=[
                _vit_input(),
                io.Image.Input("image", tooltip="The image whose feature is taken."),
                io.Combo.Input(
                    "feature", options=list(FEATURES), default=FEATURES[0],
                    tooltip="Keys hold structure and look of every position; CLS holds the look of the whole.",
                ),
                io.Int.Input(
                    "steps", default=STEPS, min=1, max=100000,
                    tooltip="Steps of optimization; the paper's code takes 20000, fewer give a rougher image.",
                ),
                seed_input(0, "Seed of the untrained network and of its noise."),
                _layer_input(),
                io.Float.Input(
                    "learning_rate", default=LEARNING_RATE, min=0.00001, max=1.0, step=0.001, round=0.00001,
                    advanced=True,
                    tooltip="How far a step goes; the paper's code takes 0.01.",
                ),
                io.Int.Input(
                    "preview_every", default=PREVIEW_EVERY, min=1, max=100000, advanced=True,
                    tooltip="Steps between previews.",
                ),
            ],
            outputs=[
                io.Image.Output(tooltip="What was painted, at a shorter side of 224 pixels."),
                io.Float.Output(
                    "loss",
                    tooltip="Mean squared difference between the feature wanted and found; 0 is the same feature.",
                ),
            ],
        )  # fmt: skip

    @classmethod
    def execute(cls, vit, image, feature, steps, seed, layer, learning_rate, preview_every) -> io.NodeOutput:
        from ..host.vit.feature_inversion import invert_feature

        painted, losses = invert_feature(
            vit,
            image,
            feature,
            layer=layer,
            steps=steps,
            seed=seed,
            learning_rate=learning_rate,
            preview_every=preview_every,
        )
        return io.NodeOutput(painted, sum(losses) / len(losses))


class ShowKeySelfSimilarity(io.ComfyNode):
    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="AppearanceTransfer_ShowKeySelfSimilarity",
            display_name="Show Key Self-Similarity",
            category=FAMILY,
            description="Paints positions alike that a ViT takes for alike: the structure that Splice keeps.",
            search_aliases=["pca", "dino", "structure", "segmentation"],
            is_output_node=True,
            inputs=[_vit_input(), io.Image.Input("image", tooltip="The image to look at."), _layer_input()],
            outputs=[
                io.Image.Output(
                    tooltip="Three principal components as red, green and blue; only likeness means anything.",
                )
            ],
        )  # fmt: skip

    @classmethod
    def execute(cls, vit, image, layer) -> io.NodeOutput:
        from ..host.vit.dino_features import key_self_similarity

        colored = key_self_similarity(vit, image, layer)
        return io.NodeOutput(colored, ui=ui.PreviewImage(colored, cls=cls))


class StructureDistance(io.ComfyNode):
    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="AppearanceTransfer_StructureDistance",
            display_name="Structure Distance",
            category=f"{CATEGORY}/evaluation",
            description="Measures how far the structure of the output is from that of the structure image.",
            search_aliases=["metric", "dino", "self-similarity", "structure preservation"],
            is_output_node=True,
            inputs=[
                _vit_input(),
                io.Image.Input("output", tooltip="The images to judge."),
                io.Image.Input("structure", tooltip="Their structure images, or one for all; of the same shape."),
                _layer_input(),
                io.Combo.Input(
                    "preset", options=list(PRESETS), default=PRESETS[0], advanced=True,
                    tooltip="Default resizes as pix2pix-zero's evaluation does, reference code as Splice's loss.",
                ),
            ],
            outputs=[
                io.Float.Output("distance", tooltip="The mean over the images; 0 is the same structure."),
                io.String.Output("report", tooltip="The distance of every image, and how it was measured."),
            ],
        )  # fmt: skip

    @classmethod
    def execute(cls, vit, output, structure, layer, preset) -> io.NodeOutput:
        from ..host.vit.dino_features import structure_distances

        resizing = "tensor" if preset == REFERENCE_CODE else "pillow"
        measured = structure_distances(vit, output, structure, layer=layer, resizing=resizing)
        return io.NodeOutput(measured.mean, str(measured), ui=ui.PreviewText(str(measured)))


NODES = [LoadDINOViT, DINOFeatures, InvertViTFeature, ShowKeySelfSimilarity, StructureDistance]
