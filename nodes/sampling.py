"""Nodes that sample from an inversion and bend the steps on the way."""

from comfy_api.latest import io

from .search_words import COLORS, TRANSFER
from .sockets import CATEGORY, Inversion, Matches, readable, seed_input

FAMILY = f"{CATEGORY}/sampling"


def window_inputs(name: str, what: str) -> list[io.Input]:
    """Where in the noise schedule something is on. name: of its default in attention/windows.py."""
    from ..attention import windows

    default = getattr(windows, name)
    return [
        io.Float.Input(
            "start_percent", default=default.start_percent, min=0.0, max=1.0, step=0.01, advanced=True,
            tooltip=f"Where in the noise schedule the {what} begins; 0 is the noisiest level.",
        ),
        io.Float.Input(
            "end_percent", default=default.end_percent, min=0.0, max=1.0, step=0.01, advanced=True,
            tooltip=f"Where in the noise schedule the {what} ends; 1 is the end.",
        ),
    ]  # fmt: skip


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

        from ..host.transfer.sample_from_inversion import resumed

        sampler, sigmas, latent = resumed(inversion, between_steps)
        return io.NodeOutput(Noise_EmptyNoise(), sampler, sigmas, {"samples": latent})


class SampleFromInversion(io.ComfyNode):
    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="AppearanceTransfer_SampleFromInversion",
            display_name="Sample from Inversion",
            category=FAMILY,
            description="Samples an image from an inverted one along its noise maps, under its own text.",
            search_aliases=["resume from inversion", "replay inversion", "unsampler", "sampler", "style transfer"],
            inputs=[
                io.MultiType.Input(
                    "model", [io.Model, io.Guider],
                    tooltip="The output of Cross-Image Attention or another patch, or a guider such as Appearance "
                    "Guider.",
                ),
                Inversion.Input("inversion", tooltip="The inverted structure image: the output takes its shape."),
                io.Float.Input(
                    "cfg", default=1.0, min=0.0, max=30.0, step=0.1,
                    tooltip="Classifier-free guidance with a model, 1 is off; a guider has its own.",
                ),
                io.LatentOperation.Input(
                    "between_steps", optional=True,
                    tooltip="Applied to the latent after each step, for example AdaIN; nothing without it.",
                ),
            ],
            outputs=[io.Latent.Output(tooltip="For VAE Decode.")],
        )  # fmt: skip

    @classmethod
    def execute(cls, model, inversion, cfg, between_steps=None) -> io.NodeOutput:
        from ..host.transfer.sample_from_inversion import sample_from_inversion

        return io.NodeOutput({"samples": sample_from_inversion(model, inversion, cfg, between_steps)})


class AppearanceGuider(io.ComfyNode):
    @classmethod
    def define_schema(cls) -> io.Schema:
        from ..host.transfer.appearance_guider import GuidanceSettings as Settings

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
                    "scale", default=Settings.scale, min=0.0, max=20.0, step=0.05,
                    tooltip="Appearance guidance at the first step; 1 is none and saves a pass per step.",
                ),
                io.Float.Input(
                    "cfg", default=Settings.text_scale, min=0.0, max=30.0, step=0.1,
                    tooltip="Classifier-free guidance besides; 1 is off, more needs the negative.",
                ),
                io.Float.Input(
                    "end_scale", default=Settings.end_scale, min=0.0, max=20.0, step=0.05, advanced=True,
                    tooltip="Appearance guidance at the last step; it falls there in a straight line.",
                ),
                io.Int.Input(
                    "every", default=Settings.every, min=1, max=100, advanced=True,
                    tooltip="Run the pass without the transfer on every n-th step only; 1 is every step, as in the "
                    "paper.",
                ),
                *window_inputs("APPEARANCE_GUIDANCE", "guidance"),
            ],
            outputs=[io.Guider.Output(tooltip="For Sample from Inversion, or for SamplerCustomAdvanced.")],
        )  # fmt: skip

    @classmethod
    def execute(
        cls, model, positive, scale, cfg, end_scale, every, start_percent, end_percent, negative=None
    ) -> io.NodeOutput:
        from ..attention.windows import Window
        from ..host.transfer.appearance_guider import AppearanceGuider as Guider
        from ..host.transfer.appearance_guider import GuidanceSettings

        if cfg != 1.0 and negative is None:
            raise ValueError(f"cfg is {cfg:g}, which needs a negative text. Connect one to negative, or set cfg to 1.")
        settings = GuidanceSettings(scale, end_scale, Window(start_percent, end_percent), cfg, every)
        return io.NodeOutput(Guider(model, positive, negative, settings))


class AdaIN(io.ComfyNode):
    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="AppearanceTransfer_AdaIN",
            display_name="AdaIN (Latent Operation)",
            category=FAMILY,
            description="Gives the output the overall colors of the appearance (mean and spread of the latent).",
            search_aliases=[*COLORS, "statistics", "normalization"],
            inputs=[
                readable("appearance", tooltip="The appearance image whose statistics are taken."),
                io.Mask.Input(
                    "mask", optional=True,
                    tooltip="Where the output is changed; everywhere without it.",
                ),
                io.Mask.Input(
                    "appearance_mask", optional=True,
                    tooltip="Where the appearance is measured; everywhere without it.",
                ),
                *window_inputs("ADAIN", "AdaIN"),
            ],
            outputs=[
                io.LatentOperation.Output(
                    tooltip="For between_steps of Sample from Inversion, or for Apply Latent Operation afterwards.",
                ),
            ],
        )  # fmt: skip

    @classmethod
    def execute(cls, appearance, start_percent, end_percent, mask=None, appearance_mask=None) -> io.NodeOutput:
        from ..attention.windows import Window
        from ..host.transfer.adain_operation import AdaINOperation

        return io.NodeOutput(AdaINOperation(appearance, mask, appearance_mask, Window(start_percent, end_percent)))


class LatentDeviation(io.ComfyNode):
    @classmethod
    def define_schema(cls) -> io.Schema:
        from ..correspondence.dift import DiftSettings
        from ..host.transfer.latent_deviation import MATCHINGS, DeviationSettings

        mixing = DeviationSettings.mixing
        return io.Schema(
            node_id="AppearanceTransfer_LatentDeviation",
            display_name="Latent Deviation Sampler",
            category=FAMILY,
            description="Leans some steps towards the appearance, whose pieces are laid where they match.",
            search_aliases=[
                *TRANSFER, "fine-grained appearance transfer", "recolor", "x0 transfer", "dift transfer",
                "null-text edit",
            ],
            inputs=[
                Inversion.Input(
                    "structure", tooltip="The inverted structure image, the same as for Resume from Inversion.",
                ),
                readable("appearance", tooltip="The appearance image, by the same model."),
                io.Combo.Input(
                    "matching", options=list(MATCHINGS), default=DeviationSettings.matching,
                    tooltip="Find objects and matches once, match at every step or once, or take the same place.",
                ),
                io.Float.Input(
                    "delta", default=mixing.delta, min=0.0, max=1.0, step=0.05,
                    tooltip="How far each step moves towards the appearance; 0 is off.",
                ),
                io.Mask.Input(
                    "mask", optional=True,
                    tooltip="Where the output deviates, gray in part; without it everywhere, or the found object.",
                ),
                io.Mask.Input(
                    "appearance_mask", optional=True,
                    tooltip="The part of the appearance that may be used; without it all, or the found object.",
                ),
                Matches.Input(
                    "matches", optional=True,
                    tooltip="Matches to use instead of those that matching makes.",
                ),
                *window_inputs("DEVIATION", "deviation"),
                io.Float.Input(
                    "keep_latent", default=mixing.keep_latent, min=0.0, max=1.0, step=0.05, advanced=True,
                    tooltip="The paper's lambda, how much of the unmoved latent stays; 1 keeps it whole.",
                ),
                io.Float.Input(
                    "keep_noise", default=mixing.keep_noise, min=0.0, max=1.0, step=0.05, advanced=True,
                    tooltip="The paper's gamma, how much of the unmoved noise stays; at 1 no step is predicted twice.",
                ),
                io.Int.Input(
                    "timestep", default=DiftSettings.timestep, min=0, max=999, advanced=True,
                    tooltip="Noise at which the features to match are read; 261 suits parts of objects.",
                ),
                io.Int.Input(
                    "up_block", default=DiftSettings.up_block, min=0, max=3, advanced=True,
                    tooltip="Decoder block the features are read from, 0 the coarsest.",
                ),
                io.Int.Input(
                    "ensemble", default=DiftSettings.ensemble, min=1, max=64, advanced=True,
                    tooltip="Noisy looks that are averaged; fewer than 4 match worse.",
                ),
                seed_input(DiftSettings.seed, "Of the noise in the features; it matters little.", advanced=True),
            ],
            outputs=[
                io.Sampler.Output(tooltip="For SamplerCustomAdvanced, in place of the one of Resume from Inversion."),
            ],
        )  # fmt: skip

    @classmethod
    def execute(
        cls, structure, appearance, matching, delta, start_percent, end_percent, keep_latent, keep_noise, timestep,
        up_block, ensemble, seed, mask=None, appearance_mask=None, matches=None,
    ) -> io.NodeOutput:  # fmt: skip
        from ..attention.windows import Window
        from ..correspondence.dift import DiftSettings
        from ..guidance.deviation import DeviationParams
        from ..host.transfer.latent_deviation import DeviationSampler, DeviationSettings

        settings = DeviationSettings(
            mixing=DeviationParams(delta, keep_latent, keep_noise),
            window=Window(start_percent, end_percent),
            matching=matching,
            dift=DiftSettings(timestep=timestep, up_block=up_block, ensemble=ensemble, seed=seed),
        )
        sampler = DeviationSampler(
            structure,
            appearance,
            settings,
            mask=mask,
            appearance_mask=appearance_mask,
            correspondence=matches,
        )
        return io.NodeOutput(sampler)


NODES = [SampleFromInversion, ResumeFromInversion, AppearanceGuider, AdaIN, LatentDeviation]
