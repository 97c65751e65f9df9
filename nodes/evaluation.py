"""Nodes that measure a transfer: how far the shape was kept, and how near the look came."""

from comfy_api.latest import io, ui

from .sockets import CATEGORY

FAMILY = f"{CATEGORY}/evaluation"


def report_output() -> io.Output:
    return io.String.Output("report", tooltip="The number of every image, and how it was measured.")


def output_input() -> io.Input:
    return io.Image.Input("output", tooltip="The images to judge.")


def appearance_input() -> io.Input:
    return io.Image.Input("appearance", tooltip="Their appearance images, or one for all; of any size.")


def mask_input(role: str) -> io.Input:
    return io.Mask.Input(
        f"{role}_mask", optional=True,
        tooltip=f"What of the {role} is looked at; everything without a mask.",
    )  # fmt: skip


class MaskIoU(io.ComfyNode):
    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="AppearanceTransfer_MaskIoU",
            display_name="Mask IoU",
            category=FAMILY,
            description="Measures how well the object's shape was kept: the overlap of its masks, 0 to 1.",
            search_aliases=["intersection over union", "jaccard", "structure preservation", "metric", "overlap"],
            is_output_node=True,
            inputs=[
                io.Mask.Input("output", tooltip="Where the object is in the outputs."),
                io.Mask.Input("structure", tooltip="Where it is in their structure images, or one for all."),
            ],
            outputs=[
                io.Float.Output("iou", tooltip="The mean over the images; 1 is the same shape at the same position."),
                report_output(),
                io.Image.Output(
                    "difference",
                    tooltip="White where both masks are, orange where only the output's is, blue where only the other.",
                ),
            ],
        )  # fmt: skip

    @classmethod
    def execute(cls, output, structure) -> io.NodeOutput:
        from ..host.evaluation.measures import mask_overlaps

        measured, difference = mask_overlaps(output, structure)
        return metric_output(cls, measured, difference)


class ColorHistogramDistance(io.ComfyNode):
    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="AppearanceTransfer_ColorHistogramDistance",
            display_name="Color Histogram Distance",
            category=FAMILY,
            description="Measures how far the output's colors are from those of the appearance image, 0 to 1.",
            search_aliases=["metric", "color histogram", "rgb-uv", "histogan", "hellinger", "color similarity"],
            is_output_node=True,
            inputs=[output_input(), appearance_input(), mask_input("output"), mask_input("appearance")],
            outputs=[
                io.Float.Output("distance", tooltip="The mean over the images; 0 is the same colors."),
                report_output(),
                io.Image.Output("histograms", tooltip="Colors of the output on the left, of the appearance right."),
            ],
        )  # fmt: skip

    @classmethod
    def execute(cls, output, appearance, output_mask=None, appearance_mask=None) -> io.NodeOutput:
        from ..host.evaluation.measures import color_histogram_distances

        measured, histograms = color_histogram_distances(output, appearance, output_mask, appearance_mask)
        return metric_output(cls, measured, histograms)


class ReconstructionQuality(io.ComfyNode):
    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="AppearanceTransfer_ReconstructionQuality",
            display_name="Reconstruction PSNR/SSIM",
            category=FAMILY,
            description="Measures how near an image is to its original, pixel by pixel and by its patterns.",
            search_aliases=["metric", "psnr", "ssim", "reconstruction", "fidelity"],
            is_output_node=True,
            inputs=[
                output_input(),
                io.Image.Input("original", tooltip="What they should be, or one for all; of the same size."),
            ],
            outputs=[
                io.Float.Output("psnr", tooltip="The mean over the images in dB; above 30 is hard to tell apart."),
                io.Float.Output("ssim", tooltip="The mean over the images; 1 is the same image."),
                report_output(),
                io.Image.Output("positions", tooltip="Where SSIM is lost, from black for nowhere over red to white."),
            ],
        )  # fmt: skip

    @classmethod
    def execute(cls, output, original) -> io.NodeOutput:
        from ..host.evaluation.measures import reconstruction_quality

        psnr, ssim, positions = reconstruction_quality(output, original)
        report = f"{psnr}\n{ssim}"
        return io.NodeOutput(psnr.mean, ssim.mean, report, positions, ui=report_ui(cls, positions, report))


def text_output(measured) -> io.NodeOutput:
    """The mean and the report, which is also shown on the node."""
    return io.NodeOutput(measured.mean, str(measured), ui=ui.PreviewText(str(measured)))


def metric_output(cls, measured, image) -> io.NodeOutput:
    """The mean, the report and an image that explains them, which are also shown on the node."""
    return io.NodeOutput(measured.mean, str(measured), image, ui=report_ui(cls, image, str(measured)))


def report_ui(cls, image, report: str) -> dict:
    from ..host.runtime.previews import enlarged

    return ui.PreviewImage(enlarged(image), cls=cls).as_dict() | ui.PreviewText(report).as_dict()


NODES = [MaskIoU, ColorHistogramDistance, ReconstructionQuality]
