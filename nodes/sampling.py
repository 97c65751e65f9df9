"""Nodes that sample from an inversion and bend the steps on the way."""

from comfy_api.latest import io

from .sockets import CATEGORY, Inversion

FAMILY = f"{CATEGORY}/sampling"


class ResumeFromInversion(io.ComfyNode):
    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="AppearanceTransfer_ResumeFromInversion",
            display_name="Resume from Inversion",
            category=FAMILY,
            description="All that SamplerCustomAdvanced needs to start from an inverted picture along its noise maps.",
            search_aliases=["replay inversion", "noise maps", "denoise from inversion"],
            inputs=[
                Inversion.Input("inversion", tooltip="The inverted structure picture: the output takes its shape."),
                io.LatentOperation.Input(
                    "between_steps", optional=True,
                    tooltip="Applied to the latent after each step, for example AdaIN; nothing without it.",
                ),
            ],
            outputs=[
                io.Noise.Output(tooltip="No extra noise: the latent already carries it."),
                io.Sampler.Output(tooltip="Replays the noise maps; works with any guider."),
                io.Sigmas.Output(tooltip="The levels the picture was inverted at."),
                io.Latent.Output(tooltip="The inverted picture at the first level."),
            ],
        )  # fmt: skip

    @classmethod
    def execute(cls, inversion, between_steps=None) -> io.NodeOutput:
        from comfy_extras.nodes_custom_sampler import Noise_EmptyNoise

        from ..host.fingerprint import latent_format_of
        from ..host.sampler import NoiseMapSampler
        from ..host.schedules import sigmas_tensor

        latent = latent_format_of(inversion.fingerprint).process_out(inversion.start)
        sampler = NoiseMapSampler(inversion, between_steps)
        return io.NodeOutput(Noise_EmptyNoise(), sampler, sigmas_tensor(inversion.schedule), {"samples": latent})


class AppearanceGuider(io.ComfyNode):
    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="AppearanceTransfer_AppearanceGuider",
            display_name="Appearance Guider",
            category=FAMILY,
            description="Pushes each step away from the picture without the transfer, towards the one with it.",
            search_aliases=["appearance guidance", "cfg", "guider", "style strength"],
            inputs=[
                io.Model.Input("model", tooltip="The output of Cross-Image Attention."),
                io.Conditioning.Input(
                    "positive",
                    tooltip="What the output shows, as a rule the text of the inversions.",
                ),
                io.Conditioning.Input(
                    "negative", optional=True,
                    tooltip="Only for text guidance; leave it open otherwise.",
                ),
                io.Float.Input(
                    "scale", default=3.5, min=0.0, max=20.0, step=0.05,
                    tooltip="Appearance guidance at the first step; 1 is none and saves a pass per step.",
                ),
                io.Float.Input(
                    "text_guidance", default=1.0, min=0.0, max=30.0, step=0.1,
                    tooltip="Classifier-free guidance besides; 1 is off, more needs the negative.",
                ),
                io.Float.Input(
                    "end_scale", default=1.75, min=0.0, max=20.0, step=0.05, advanced=True,
                    tooltip="Appearance guidance at the last step; it falls there in a straight line.",
                ),
                io.Int.Input(
                    "first_step", default=10, min=0, max=1000, advanced=True,
                    tooltip="First executed step with guidance.",
                ),
                io.Int.Input(
                    "last_step", default=90, min=0, max=1000, advanced=True,
                    tooltip="Last executed step with guidance; beyond the run means to the end.",
                ),
            ],
            outputs=[io.Guider.Output(tooltip="For SamplerCustomAdvanced.")],
        )  # fmt: skip

    @classmethod
    def execute(
        cls, model, positive, scale, text_guidance, end_scale, first_step, last_step, negative=None
    ) -> io.NodeOutput:
        from ..attention.windows import Window
        from ..host.guider import AppearanceGuider as Guider
        from ..host.guider import GuidanceSettings

        if text_guidance != 1.0 and negative is None:
            raise ValueError(
                f"text_guidance is {text_guidance:g}, which needs a negative text. "
                "Connect one to negative, or set it to 1."
            )
        settings = GuidanceSettings(scale, end_scale, Window(first_step, last_step), text_guidance)
        return io.NodeOutput(Guider(model, positive, negative, settings))


class AdaIN(io.ComfyNode):
    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="AppearanceTransfer_AdaIN",
            display_name="AdaIN",
            category=FAMILY,
            description="Gives the output the overall colours of the appearance (mean and spread of the latent).",
            search_aliases=["color match", "recolor", "statistics", "normalization"],
            inputs=[
                Inversion.Input("appearance", tooltip="The inverted appearance picture whose statistics are taken."),
                io.Mask.Input(
                    "content_mask", optional=True,
                    tooltip="Where the output is changed; everywhere without it.",
                ),
                io.Mask.Input(
                    "style_mask", optional=True,
                    tooltip="Where the appearance is measured; everywhere without it.",
                ),
                io.Int.Input(
                    "first_step", default=20, min=0, max=1000, advanced=True,
                    tooltip="First executed step after which it is applied.",
                ),
                io.Int.Input(
                    "last_step", default=99, min=0, max=1000, advanced=True,
                    tooltip="Last executed step; beyond the run means to the end.",
                ),
            ],
            outputs=[
                io.LatentOperation.Output(
                    tooltip="For Resume from Inversion, or for the host's Apply Latent Operation on a finished latent.",
                ),
            ],
        )  # fmt: skip

    @classmethod
    def execute(cls, appearance, first_step, last_step, content_mask=None, style_mask=None) -> io.NodeOutput:
        from ..attention.windows import Window
        from ..host.latent_operations import AdaINOperation

        return io.NodeOutput(AdaINOperation(appearance, content_mask, style_mask, Window(first_step, last_step)))


NODES = [ResumeFromInversion, AppearanceGuider, AdaIN]
