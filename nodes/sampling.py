"""Nodes that sample from an inversion and bend the steps on the way."""

from comfy_api.latest import io

from .sockets import CATEGORY, Correspondence, Inversion

FAMILY = f"{CATEGORY}/sampling"


class ResumeFromInversion(io.ComfyNode):
    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="AppearanceTransfer_ResumeFromInversion",
            display_name="Resume from Inversion",
            category=FAMILY,
            description="All that SamplerCustomAdvanced needs to start from an inverted image along its noise maps.",
            search_aliases=["replay inversion", "unsampler", "noise maps", "denoise from inversion"],
            inputs=[
                Inversion.Input("inversion", tooltip="The inverted structure image: the output takes its shape."),
                io.LatentOperation.Input(
                    "between_steps", optional=True,
                    tooltip="Applied to the latent after each step, for example AdaIN; nothing without it.",
                ),
            ],
            outputs=[
                io.Noise.Output(tooltip="No extra noise: the latent already carries it."),
                io.Sampler.Output(tooltip="Replays the noise maps; works with any guider."),
                io.Sigmas.Output(tooltip="The levels the image was inverted at."),
                io.Latent.Output(tooltip="The inverted image at the first level."),
            ],
        )  # fmt: skip

    @classmethod
    def execute(cls, inversion, between_steps=None) -> io.NodeOutput:
        from comfy_extras.nodes_custom_sampler import Noise_EmptyNoise

        from ..host.models.fingerprint import latent_format_of
        from ..host.models.schedules import sigmas_tensor
        from ..host.transfer.noise_map_sampler import NoiseMapSampler

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
            description="Pushes each step away from the image without the transfer, towards the one with it.",
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
        from ..host.transfer.appearance_guider import AppearanceGuider as Guider
        from ..host.transfer.appearance_guider import GuidanceSettings

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
            description="Gives the output the overall colors of the appearance (mean and spread of the latent).",
            search_aliases=["color match", "recolor", "statistics", "normalization"],
            inputs=[
                Inversion.Input("appearance", tooltip="The inverted appearance image whose statistics are taken."),
                io.Mask.Input(
                    "content_mask", optional=True,
                    tooltip="Where the output is changed; everywhere without it.",
                ),
                io.Mask.Input(
                    "style_mask", optional=True,
                    tooltip="Where the appearance is measured; everywhere without it.",
                ),
                io.Int.Input(
                    "first_step", default=20, min=0, max=1000,
                    tooltip="First executed step after which it is applied.",
                ),
                io.Int.Input(
                    "last_step", default=99, min=0, max=1000, advanced=True,
                    tooltip="Last executed step; beyond the run means to the end.",
                ),
            ],
            outputs=[
                io.LatentOperation.Output(
                    tooltip="For Resume from Inversion, or for ComfyUI's Apply Latent Operation on a finished latent.",
                ),
            ],
        )  # fmt: skip

    @classmethod
    def execute(cls, appearance, first_step, last_step, content_mask=None, style_mask=None) -> io.NodeOutput:
        from ..attention.windows import Window
        from ..host.transfer.adain_operation import AdaINOperation

        return io.NodeOutput(AdaINOperation(appearance, content_mask, style_mask, Window(first_step, last_step)))


class LatentDeviation(io.ComfyNode):
    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="AppearanceTransfer_LatentDeviation",
            display_name="Latent Deviation",
            category=FAMILY,
            description="Leans some steps towards the appearance, whose pieces are laid where they match.",
            search_aliases=[
                "fine-grained appearance transfer", "style transfer", "texture transfer", "recolor", "x0 transfer",
                "dift transfer", "null-text edit",
            ],
            inputs=[
                Inversion.Input(
                    "structure", tooltip="The inverted structure image, the same as for Resume from Inversion.",
                ),
                Inversion.Input(
                    "appearance", tooltip="The inverted appearance image, by the same model.",
                ),
                io.Combo.Input(
                    "matching", options=["progressive", "initial", "none"],
                    tooltip="Match anew at every step, match the images once, or lay one over the other as it is.",
                ),
                io.Float.Input(
                    "delta", default=0.6, min=0.0, max=1.0, step=0.05,
                    tooltip="How far each step moves towards the appearance; 0 is off.",
                ),
                io.Int.Input(
                    "first_step", default=12, min=0, max=1000,
                    tooltip="First executed step that deviates, meant for 50 steps.",
                ),
                io.Int.Input(
                    "last_step", default=20, min=0, max=1000,
                    tooltip="Last executed step that deviates; later is stronger and in the end too strong.",
                ),
                io.Mask.Input(
                    "mask", optional=True,
                    tooltip="Where the output deviates, gray is in part; everywhere without it.",
                ),
                io.Mask.Input(
                    "appearance_mask", optional=True,
                    tooltip="The part of the appearance that may be used; all of it without it.",
                ),
                Correspondence.Input(
                    "correspondence", optional=True,
                    tooltip="Matches to use instead of finding them here; matching then does nothing.",
                ),
                io.Float.Input(
                    "keep_latent", default=0.2, min=0.0, max=1.0, step=0.05, advanced=True,
                    tooltip="The paper's lambda, how much of the unmoved latent stays; 1 keeps it whole.",
                ),
                io.Float.Input(
                    "keep_noise", default=0.2, min=0.0, max=1.0, step=0.05, advanced=True,
                    tooltip="The paper's gamma, how much of the unmoved noise stays; 1 keeps it whole.",
                ),
                io.Int.Input(
                    "timestep", default=261, min=0, max=999, advanced=True,
                    tooltip="Noise at which the features to match are read; 261 suits parts of objects.",
                ),
                io.Int.Input(
                    "up_block", default=1, min=0, max=3, advanced=True,
                    tooltip="Decoder block the features are read from, 0 the coarsest.",
                ),
                io.Int.Input(
                    "ensemble", default=8, min=1, max=64, advanced=True,
                    tooltip="Noisy looks that are averaged; fewer than 4 match worse.",
                ),
                io.Int.Input(
                    "seed", default=42, min=0, max=0xFFFFFFFFFFFFFFFF, control_after_generate=False, advanced=True,
                    tooltip="Of the noise in the features; it matters little.",
                ),
            ],
            outputs=[
                io.Sampler.Output(tooltip="For SamplerCustomAdvanced, in place of the one of Resume from Inversion."),
            ],
        )  # fmt: skip

    @classmethod
    def execute(
        cls, structure, appearance, matching, delta, first_step, last_step, keep_latent, keep_noise, timestep, up_block,
        ensemble, seed, mask=None, appearance_mask=None, correspondence=None,
    ) -> io.NodeOutput:  # fmt: skip
        from ..attention.windows import Window
        from ..correspondence.dift import DiftSettings
        from ..guidance.deviation import DeviationParams
        from ..host.transfer.latent_deviation import DeviationSampler, DeviationSettings

        settings = DeviationSettings(
            mixing=DeviationParams(delta, keep_latent, keep_noise),
            window=Window(first_step, last_step),
            matching=matching,
            dift=DiftSettings(timestep=timestep, up_block=up_block, ensemble=ensemble, seed=seed),
        )
        sampler = DeviationSampler(
            structure,
            appearance,
            settings,
            mask=mask,
            appearance_mask=appearance_mask,
            correspondence=correspondence,
        )
        return io.NodeOutput(sampler)


NODES = [ResumeFromInversion, AppearanceGuider, AdaIN, LatentDeviation]
