"""Nodes from an image to the noise that makes it, or to a reference that is only read."""

from typing import get_args

from comfy_api.latest import io

from .search_words import CHINESE, INVERSION
from .sockets import CATEGORY, PRESETS, Inversion, Reference, preset_of, seed_input

FAMILY = f"{CATEGORY}/inversion"
AUTO = "auto"
LAST_NOISE = {AUTO: None, "keep": True, "zero": False}


def subject_inputs() -> list[io.Input]:
    """What is inverted, and under which text: an image with its text, or a latent with conditionings."""
    return [
        io.Model.Input(
            "model",
            tooltip="The checkpoint that will also sample, from before any Cross-Image Attention node.",
        ),
        io.Image.Input("image", optional=True, tooltip="The image, with vae; a batch is inverted together."),
        io.Vae.Input("vae", optional=True, tooltip="Encodes the image; not needed with a latent."),
        io.Clip.Input("clip", optional=True, tooltip="Encodes the text; not needed with positive and negative."),
        io.String.Input(
            "text", default="", multiline=True, dynamic_prompts=True,
            tooltip="What the image shows, for example 'a photo of a horse'; may stay empty.",
        ),
        io.Latent.Input("latent", optional=True, tooltip="In place of image and vae."),
        io.Conditioning.Input("positive", optional=True, tooltip="In place of text."),
        io.Conditioning.Input("negative", optional=True, tooltip="An empty text where nothing is connected."),
    ]  # fmt: skip


def sigmas_input() -> io.Input:
    return io.Sigmas.Input(
        "sigmas", optional=True,
        tooltip="Another schedule in place of steps and start_at_step; leave it open for the usual one.",
    )  # fmt: skip


class InvertImage(io.ComfyNode):
    @classmethod
    def define_schema(cls) -> io.Schema:
        from ..inversion.settings import DDPMSettings as Settings

        return io.Schema(
            node_id="AppearanceTransfer_InvertImage",
            display_name="Invert Image",
            category=FAMILY,
            description="Finds the noise that makes your image (edit-friendly DDPM), to change it on the way back.",
            search_aliases=INVERSION,
            inputs=[
                *subject_inputs(),
                io.Int.Input(
                    "steps", default=Settings.steps, min=1, max=1000,
                    tooltip="Steps of the whole schedule; 10 is a draft, the paper uses 100.",
                ),
                io.Int.Input(
                    "start_at_step", default=Settings.start_at_step, min=0, max=999,
                    tooltip="Steps to leave out at the noisy end; 0 inverts all, more keeps more of the structure.",
                ),
                io.Float.Input(
                    "cfg", default=Settings.guidance, min=0.0, max=30.0, step=0.1,
                    tooltip="Classifier-free guidance while inverting; 1 is off, more doubles the cost.",
                ),
                seed_input(Settings.seed, "Seed of the noise drawn for each level; any seed reconstructs the image."),
                io.Float.Input(
                    "eta", default=Settings.eta, min=0.01, max=1.0, step=0.01, advanced=True,
                    tooltip="Amount of noise per step; the paper's value is 1.",
                ),
                io.Combo.Input(
                    "last_noise", options=list(LAST_NOISE), default=AUTO, advanced=True,
                    tooltip="Noise of the very last step: keep is exact, zero as in the paper; auto keeps it on flows.",
                ),
                io.Int.Input(
                    "levels_per_forward", default=Settings.levels_per_forward, min=0, max=64, advanced=True,
                    tooltip="Noise levels per forward; 0 is as many as fit into the GPU's memory, same result.",
                ),
                sigmas_input(),
            ],
            outputs=[Inversion.Output("inversion", tooltip="The image's latents and noise maps at every level.")],
        )  # fmt: skip

    @classmethod
    def execute(
        cls, model, text, steps, start_at_step, cfg, seed, eta, last_noise, levels_per_forward,
        image=None, vae=None, clip=None, latent=None, positive=None, negative=None, sigmas=None,
    ) -> io.NodeOutput:  # fmt: skip
        from ..host.inversion.ddpm_and_ddim import invert_with_ddpm
        from ..host.inversion.subject import subject_of
        from ..host.models.schedules import schedule_of

        schedule = schedule_of(model, steps=steps, start_at=start_at_step, sigmas=sigmas)
        subject = subject_of(
            image=image, vae=vae, latent=latent, clip=clip, text=text, positive=positive, negative=negative
        )
        inversion = invert_with_ddpm(
            model,
            subject.latent,
            subject.positive,
            subject.negative,
            schedule,
            guidance=cfg,
            eta=eta,
            seed=seed,
            keep_last_noise=LAST_NOISE[last_noise],
            levels_per_forward=levels_per_forward,
            prompts=subject.prompts,
            thumbnail=subject.thumbnail,
        )
        return io.NodeOutput(inversion)


class ReferenceImage(io.ComfyNode):
    @classmethod
    def define_schema(cls) -> io.Schema:
        from ..inversion.settings import DDPMSettings as Settings

        return io.Schema(
            node_id="AppearanceTransfer_ReferenceImage",
            display_name="Reference Image",
            category=FAMILY,
            description="Prepares an image that others take their look from, at no cost: the network does not run.",
            search_aliases=["reference only", "appearance image", "style image", "style reference", *CHINESE],
            inputs=[
                *subject_inputs(),
                io.Int.Input(
                    "steps", default=Settings.steps, min=1, max=1000,
                    tooltip="Steps of the whole schedule; as in Invert Image of the structure.",
                ),
                io.Int.Input(
                    "start_at_step", default=Settings.start_at_step, min=0, max=999,
                    tooltip="Steps to leave out at the noisy end; as in Invert Image of the structure.",
                ),
                seed_input(Settings.seed, "Seed of the noise drawn for each level; it matters little.", advanced=True),
                sigmas_input(),
            ],
            outputs=[Reference.Output("reference", tooltip="For Cross-Image Attention and all that read an image.")],
        )  # fmt: skip

    @classmethod
    def execute(
        cls, model, text, steps, start_at_step, seed,
        image=None, vae=None, clip=None, latent=None, positive=None, negative=None, sigmas=None,
    ) -> io.NodeOutput:  # fmt: skip
        from ..host.inversion.reference import noised_reference
        from ..host.inversion.subject import subject_of
        from ..host.models.schedules import schedule_of

        schedule = schedule_of(model, steps=steps, start_at=start_at_step, sigmas=sigmas)
        subject = subject_of(
            image=image, vae=vae, latent=latent, clip=clip, text=text, positive=positive, negative=negative
        )
        reference = noised_reference(
            model,
            subject.latent,
            subject.positive,
            subject.negative,
            schedule,
            seed=seed,
            prompts=subject.prompts,
            thumbnail=subject.thumbnail,
        )
        return io.NodeOutput(reference)


class InvertImageDDIM(io.ComfyNode):
    @classmethod
    def define_schema(cls) -> io.Schema:
        from ..inversion.regularize import Regularization
        from ..inversion.settings import DDIMSettings as Settings
        from ..inversion.settings import Solver

        return io.Schema(
            node_id="AppearanceTransfer_InvertImageDDIM",
            display_name="Invert Image (DDIM)",
            category=FAMILY,
            description="Runs the sampler backwards from image to noise; no noise maps, less exact than Invert Image.",
            search_aliases=INVERSION,
            inputs=[
                *subject_inputs(),
                io.Int.Input(
                    "steps", default=Settings.steps, min=1, max=1000,
                    tooltip="Steps of the whole schedule; more is more exact.",
                ),
                io.Int.Input(
                    "start_at_step", default=Settings.start_at_step, min=0, max=999,
                    tooltip="Steps to leave out at the noisy end; 0 inverts all the way.",
                ),
                io.Float.Input(
                    "cfg", default=Settings.guidance, min=0.0, max=30.0, step=0.1,
                    tooltip="Classifier-free guidance while inverting; 1 turns it off and is the most exact.",
                ),
                io.Boolean.Input(
                    "regularization", default=False,
                    tooltip="Make the noise whiter and so easier to edit (pix2pix-zero); off leaves it as it is found.",
                ),
                io.Float.Input(
                    "pair_weight", default=Regularization.pair, min=0.0, max=1000.0, step=1.0, advanced=True,
                    tooltip="Weight of the autocorrelation loss of the regularization; 0 is none.",
                ),
                io.Float.Input(
                    "kl_weight", default=Regularization.divergence, min=0.0, max=1000.0, step=1.0, advanced=True,
                    tooltip="Weight of the loss on the noise's mean and variance; 0 is none.",
                ),
                io.Int.Input(
                    "rounds", default=Regularization.rounds, min=1, max=100, advanced=True,
                    tooltip="Regularization updates per step.",
                ),
                seed_input(
                    Regularization.seed, "Seed of the shifts of the regularization; not used where it is off.",
                    advanced=True,
                ),
                io.Combo.Input(
                    "preset", options=list(PRESETS), default=PRESETS[0], advanced=True,
                    tooltip="Reference code inverts between the timesteps that pix2pix-zero's code uses.",
                ),
                io.Combo.Input(
                    "solver", options=list(get_args(Solver)), default=Settings.solver, advanced=True,
                    tooltip="How a step is gone back; auto is uni-inv on flow models, where it is nearer, else ddim.",
                ),
                sigmas_input(),
            ],
            outputs=[Inversion.Output("inversion", tooltip="The image's latents at every level.")],
        )  # fmt: skip

    @classmethod
    def execute(
        cls, model, text, steps, start_at_step, cfg, regularization, pair_weight, kl_weight, rounds, seed, preset,
        solver, image=None, vae=None, clip=None, latent=None, positive=None, negative=None, sigmas=None,
    ) -> io.NodeOutput:  # fmt: skip
        from ..host.inversion.ddpm_and_ddim import invert_with_ddim
        from ..host.inversion.subject import subject_of
        from ..host.models.schedules import schedule_of
        from ..inversion.regularize import Regularization
        from ..inversion.settings import DDIMSettings

        schedule = schedule_of(model, steps=steps, start_at=start_at_step, sigmas=sigmas)
        subject = subject_of(
            image=image, vae=vae, latent=latent, clip=clip, text=text, positive=positive, negative=negative
        )
        moves = preset_of(Regularization, preset)(pair=pair_weight, divergence=kl_weight, rounds=rounds, seed=seed)
        inversion = invert_with_ddim(
            model,
            subject.latent,
            subject.positive,
            subject.negative,
            schedule,
            guidance=cfg,
            solver=solver,
            timesteps=preset_of(DDIMSettings, preset)().timesteps,
            regularization=moves if regularization else None,
            prompts=subject.prompts,
            thumbnail=subject.thumbnail,
        )
        return io.NodeOutput(inversion)


NODES = [InvertImage, ReferenceImage, InvertImageDDIM]
