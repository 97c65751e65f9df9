"""Nodes that measure images through a network that was trained for something else: LPIPS and Gram matrices."""

from pathlib import Path

from comfy_api.latest import io

from .evaluation import FAMILY, appearance_input, metric_output, output_input, report_output, text_output
from .files import ReadsFile
from .sockets import PerceptualNetwork

NO_WEIGHTS = "(no weights in models/lpips)"


class LoadPerceptualNetwork(ReadsFile):
    @classmethod
    def define_schema(cls) -> io.Schema:
        from ..host.evaluation.perceptual import lpips_files

        return io.Schema(
            node_id="AppearanceTransfer_LoadPerceptualNetwork",
            display_name="Load Perceptual Network",
            category=FAMILY,
            description="Loads LPIPS, or VGG alone, from models/lpips and checks it, to measure images with.",
            search_aliases=["lpips", "vgg", "vgg16", "vgg19", "alexnet", "perceptual loss"],
            inputs=[
                io.Combo.Input(
                    "name", options=lpips_files() or [NO_WEIGHTS],
                    tooltip="The state of lpips.LPIPS, or of torchvision's vgg16 or vgg19, as .safetensors.",
                ),
            ],
            outputs=[PerceptualNetwork.Output("network", tooltip="For Gram Distance and Background LPIPS.")],
        )  # fmt: skip

    @classmethod
    def path(cls, name: str) -> Path:
        from ..host.evaluation.perceptual import lpips_path

        return lpips_path(name)

    @classmethod
    def execute(cls, name) -> io.NodeOutput:
        from ..host.evaluation.perceptual import load_perceptual_network

        return io.NodeOutput(load_perceptual_network(name))


class GramDistance(io.ComfyNode):
    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="AppearanceTransfer_GramDistance",
            display_name="Gram Distance",
            category=FAMILY,
            description="Measures how far the output's textures are from those of the appearance image.",
            search_aliases=["metric", "gram matrix", "vgg", "perceptual loss"],
            is_output_node=True,
            inputs=[_network_input(), output_input(), appearance_input()],
            outputs=[
                io.Float.Output("distance", tooltip="The mean over the images; 0 is the same textures."),
                report_output(),
            ],
        )  # fmt: skip

    @classmethod
    def execute(cls, network, output, appearance) -> io.NodeOutput:
        from ..host.evaluation.measures import gram_distances

        return text_output(gram_distances(network, output, appearance))


class BackgroundLPIPS(io.ComfyNode):
    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="AppearanceTransfer_BackgroundLPIPS",
            display_name="Background LPIPS",
            category=FAMILY,
            description="Measures how far everything but the object looks from what it was before the edit.",
            search_aliases=["metric", "lpips", "perceptual similarity", "background preservation", "pix2pix-zero"],
            is_output_node=True,
            inputs=[
                _network_input(),
                output_input(),
                io.Image.Input("structure", tooltip="What they were before, or one for all; of the same size."),
                io.Mask.Input(
                    "mask", optional=True,
                    tooltip="The object before the edit, left out of the comparison; without a mask nothing is.",
                ),
            ],
            outputs=[
                io.Float.Output("lpips", tooltip="The mean over the images; 0 is the same background."),
                report_output(),
                io.Image.Output("positions", tooltip="Where they differ, from black for nothing over red to white."),
            ],
        )  # fmt: skip

    @classmethod
    def execute(cls, network, output, structure, mask=None) -> io.NodeOutput:
        from ..host.evaluation.measures import background_lpips_of

        measured, positions = background_lpips_of(network, output, structure, mask)
        return metric_output(cls, measured, positions)


def _network_input() -> io.Input:
    return PerceptualNetwork.Input("network", tooltip="From Load Perceptual Network.")


NODES = [LoadPerceptualNetwork, GramDistance, BackgroundLPIPS]
