"""The node that edits an image without inverting it."""

from comfy_api.latest import io

from .sockets import CATEGORY


class FlowEdit(io.ComfyNode):
    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="AppearanceTransfer_FlowEdit",
            display_name="FlowEdit Sampler",
            category=f"{CATEGORY}/sampling",
            description="Edits the latent image itself, by a transfer or by another text, without inverting it.",
            search_aliases=[
                "flowedit", "inversion-free", "no inversion", "rf inversion", "image editing", "style transfer",
                "few steps",
            ],
            inputs=[
                io.Conditioning.Input(
                    "source", optional=True,
                    tooltip="The text of the image as it is, to edit it by text; without it only the transfer "
                    "changes it.",
                ),
                io.LatentOperation.Input(
                    "between_steps", optional=True,
                    tooltip="Applied to the latent after each step, for example AdaIN; nothing without it.",
                ),
                io.Float.Input(
                    "source_cfg", default=1.0, min=0.0, max=30.0, step=0.1, advanced=True,
                    tooltip="Classifier-free guidance under source; 1 is off, more needs the guider's negative.",
                ),
            ],
            outputs=[
                io.Sampler.Output(tooltip="For SamplerCustomAdvanced, whose latent_image is the image to edit."),
            ],
        )  # fmt: skip

    @classmethod
    def execute(cls, source_cfg, source=None, between_steps=None) -> io.NodeOutput:
        from ..host.transfer.flow_edit_sampler import FlowEditSampler

        if source_cfg != 1.0 and source is None:
            raise ValueError(
                f"source_cfg is {source_cfg:g}, and no text is connected to source. Connect the text of the image as "
                "it is, or set source_cfg to 1."
            )
        return io.NodeOutput(FlowEditSampler(source, source_cfg, between_steps))


NODES = [FlowEdit]
