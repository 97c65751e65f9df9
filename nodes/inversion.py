"""Nodes from an image to the noise that makes it, and for keeping and judging what comes out."""

from comfy_api.latest import io, ui

from .files import NOTHING_SAVED, ReadsFile
from .sockets import CATEGORY, Inversion

FAMILY = f"{CATEGORY}/inversion"
ALIASES = ["unsampler", "noise inversion", "edit friendly", "ddim inversion", "style transfer", "appearance transfer"]


def _model_inputs(latent_tooltip: str) -> list[io.Input]:
    return [
        io.Model.Input(
            "model",
            tooltip="The checkpoint that will also sample, from before any Cross-Image Attention node.",
        ),
        io.Latent.Input("latent", tooltip=latent_tooltip),
        io.Conditioning.Input("positive", tooltip="What the image shows, for example 'a photo of a horse'."),
        io.Conditioning.Input("negative", tooltip="An empty text, as a rule; not used where guidance is 1."),
    ]


class InvertImageDDPM(io.ComfyNode):
    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="AppearanceTransfer_InvertImageDDPM",
            display_name="Invert Image (DDPM)",
            category=FAMILY,
            description="Finds the noise that makes your image (edit-friendly DDPM), to change it on the way back.",
            search_aliases=ALIASES,
            inputs=[
                *_model_inputs("VAE Encode of the image; a batch is inverted together."),
                io.Int.Input(
                    "steps", default=100, min=1, max=1000,
                    tooltip="Steps of the whole schedule; the paper uses 100.",
                ),
                io.Int.Input(
                    "start_at", default=32, min=0, max=999,
                    tooltip="Steps to leave out at the noisy end; 0 inverts all, more keeps more of the structure.",
                ),
                io.Float.Input(
                    "guidance", default=3.5, min=0.0, max=30.0, step=0.1,
                    tooltip="Text guidance while inverting; 1 turns it off and halves the cost.",
                ),
                io.Int.Input(
                    # False: else the page draws a new seed, and so inverts anew, at every queue
                    "seed", default=42, min=0, max=0xFFFFFFFFFFFFFFFF, control_after_generate=False,
                    tooltip="Seed of the noise drawn for each level; any seed reconstructs the image.",
                ),
                io.Float.Input(
                    "eta", default=1.0, min=0.01, max=1.0, step=0.01, advanced=True,
                    tooltip="Share of noise per step; the paper's value is 1.",
                ),
                io.Boolean.Input(
                    "keep_last_noise", default=False, advanced=True,
                    tooltip="Keep the noise of the very last step, for an exact reconstruction; off, as in the paper.",
                ),
                io.Int.Input(
                    "levels_per_forward", default=1, min=1, max=64, advanced=True,
                    tooltip="Noise levels per forward; 1 needs least memory, more is quicker on a GPU, same result.",
                ),
                io.Sigmas.Input(
                    "sigmas", optional=True,
                    tooltip="Another schedule instead of steps and start_at; leave it open for the usual one.",
                ),
            ],
            outputs=[Inversion.Output("inversion", tooltip="The image's latents and noise maps at every level.")],
        )  # fmt: skip

    @classmethod
    def execute(
        cls, model, latent, positive, negative, steps, start_at, guidance, seed, eta, keep_last_noise,
        levels_per_forward, sigmas=None,
    ) -> io.NodeOutput:  # fmt: skip
        from ..host.inversion.ddpm_and_ddim import invert_with_ddpm
        from ..host.models.schedules import schedule_of

        schedule = schedule_of(model, steps=steps, start_at=start_at, sigmas=sigmas)
        inversion = invert_with_ddpm(
            model,
            latent["samples"],
            positive,
            negative,
            schedule,
            guidance=guidance,
            eta=eta,
            seed=seed,
            keep_last_noise=keep_last_noise,
            levels_per_forward=levels_per_forward,
        )
        return io.NodeOutput(inversion)


class InvertImageDDIM(io.ComfyNode):
    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="AppearanceTransfer_InvertImageDDIM",
            display_name="Invert Image (DDIM)",
            category=FAMILY,
            description="Runs the sampler backwards from image to noise (DDIM); no noise maps, less exact than DDPM.",
            search_aliases=ALIASES,
            inputs=[
                *_model_inputs("VAE Encode of the image; a batch is inverted together."),
                io.Int.Input(
                    "steps", default=50, min=1, max=1000,
                    tooltip="Steps of the whole schedule; more is more exact.",
                ),
                io.Int.Input(
                    "start_at", default=0, min=0, max=999,
                    tooltip="Steps to leave out at the noisy end; 0 inverts all the way.",
                ),
                io.Float.Input(
                    "guidance", default=1.0, min=0.0, max=30.0, step=0.1,
                    tooltip="Text guidance while inverting; 1 turns it off and is the most exact.",
                ),
                io.Combo.Input(
                    "regularization", options=["off", "on"], default="off", optional=True,
                    tooltip="Make the noise whiter and so easier to edit (pix2pix-zero); off leaves it as it is found.",
                ),
                io.Combo.Input(
                    "timesteps", options=["consistent", "reference"], default="consistent",
                    optional=True, advanced=True,
                    tooltip="The levels on the way up: consistent has those of sampling, reference pix2pix-zero's.",
                ),
                io.Float.Input(
                    "pair_weight", default=20.0, min=0.0, max=1000.0, step=1.0, optional=True, advanced=True,
                    tooltip="Weight of the loss on noise whose positions are alike; 0 is none, the paper's code has "
                    "20.",
                ),
                io.Float.Input(
                    "kl_weight", default=20.0, min=0.0, max=1000.0, step=1.0, optional=True, advanced=True,
                    tooltip="Weight of the loss on the noise's mean and variance; 0 is none, the paper's code has 20.",
                ),
                io.Int.Input(
                    "rounds", default=5, min=1, max=100, optional=True, advanced=True,
                    tooltip="How often each prediction is moved; the paper's code has 5.",
                ),
                io.Float.Input(
                    "pyramid_gain", default=1.0, min=0.5, max=4.0, step=0.5, optional=True, advanced=True,
                    tooltip="Factor after each pooling of the pair loss; 1 is the paper's code, 2 the paper's text.",
                ),
                io.Int.Input(
                    "seed", default=42, min=0, max=0xFFFFFFFFFFFFFFFF, control_after_generate=False,
                    optional=True, advanced=True,
                    tooltip="Seed of the random shifts of the regularization; not used where it is off.",
                ),
                io.Sigmas.Input(
                    "sigmas", optional=True,
                    tooltip="Another schedule instead of steps and start_at; leave it open for the usual one.",
                ),
            ],
            outputs=[Inversion.Output("inversion", tooltip="The image's latents at every level.")],
        )  # fmt: skip

    @classmethod
    def execute(
        cls, model, latent, positive, negative, steps, start_at, guidance, regularization="off",
        timesteps="consistent", pair_weight=20.0, kl_weight=20.0, rounds=5, pyramid_gain=1.0, seed=42, sigmas=None,
    ) -> io.NodeOutput:  # fmt: skip
        from ..host.inversion.ddpm_and_ddim import invert_with_ddim
        from ..host.models.schedules import schedule_of
        from ..inversion.regularize import Regularization

        schedule = schedule_of(model, steps=steps, start_at=start_at, sigmas=sigmas)
        settings = Regularization(pair_weight, kl_weight, rounds, gain=pyramid_gain, seed=seed)
        inversion = invert_with_ddim(
            model,
            latent["samples"],
            positive,
            negative,
            schedule,
            guidance=guidance,
            timesteps=timesteps,
            regularization=settings if regularization == "on" else None,
        )
        return io.NodeOutput(inversion)


class SaveInversion(io.ComfyNode):
    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="AppearanceTransfer_SaveInversion",
            display_name="Save Inversion",
            category=FAMILY,
            description="Writes an inversion to output/inversions, overwriting nothing, so that you invert only once.",
            search_aliases=["export inversion", "store latents"],
            is_output_node=True,
            inputs=[
                Inversion.Input("inversion", tooltip="What to keep."),
                io.String.Input(
                    "name",
                    default="inversion",
                    tooltip="Name of the file; a number and .safetensors are added.",
                ),
            ],
            outputs=[Inversion.Output("saved", tooltip="The same inversion, to go on with.")],
        )

    @classmethod
    def execute(cls, inversion, name) -> io.NodeOutput:
        from ..host.runtime.files import INVERSIONS
        from ..inversion.storage import encode

        path = INVERSIONS.keep(name, encode(inversion))
        return io.NodeOutput(inversion, ui=ui.PreviewText(f"Saved {path.name}"))


class LoadInversion(ReadsFile):
    @classmethod
    def define_schema(cls) -> io.Schema:
        from ..host.runtime.files import INVERSIONS

        return io.Schema(
            node_id="AppearanceTransfer_LoadInversion",
            display_name="Load Inversion",
            category=FAMILY,
            description="Reads an inversion from output/inversions and checks it before use.",
            search_aliases=["import inversion"],
            inputs=[
                io.Combo.Input(
                    "name",
                    options=INVERSIONS.names() or [NOTHING_SAVED],
                    tooltip="A file that Save Inversion wrote.",
                ),
            ],
            outputs=[Inversion.Output("inversion", tooltip="Exactly what was saved.")],
        )

    @classmethod
    def path(cls, name):
        from ..host.runtime.files import INVERSIONS

        return INVERSIONS.path_to_load(name)

    @classmethod
    def execute(cls, name) -> io.NodeOutput:
        from ..inversion.storage import load

        return io.NodeOutput(load(cls.path(name)))


class InversionReport(io.ComfyNode):
    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="AppearanceTransfer_InversionReport",
            display_name="Inversion Report",
            category=FAMILY,
            description="Samples an inversion back into its image and says how near it comes.",
            search_aliases=["reconstruction", "psnr", "check inversion"],
            is_output_node=True,
            inputs=[
                io.Model.Input("model", tooltip="The model the inversion was made with, without patches."),
                Inversion.Input("inversion", tooltip="The inversion to judge."),
                io.Vae.Input("vae", tooltip="Decodes both images for the comparison."),
            ],
            outputs=[
                io.Image.Output("reconstruction", tooltip="The image as it comes back."),
                io.Float.Output(
                    "psnr",
                    tooltip="Mean PSNR in dB against the decoded original; above 30 is hard to tell apart.",
                ),
                io.String.Output("report", tooltip="The same in words, image by image."),
            ],
        )

    @classmethod
    def execute(cls, model, inversion, vae) -> io.NodeOutput:
        from ..host.inversion.ddpm_and_ddim import reconstruct
        from ..host.models.fingerprint import latent_format_of
        from ..inversion.loss_curve import draw_losses, losses_in_words
        from ..inversion.quality import psnr

        original = vae.decode(latent_format_of(inversion.fingerprint).process_out(inversion.x0))
        reconstruction = vae.decode(reconstruct(model, inversion))
        values = [float(value) for value in psnr(reconstruction, original)]
        lines = [str(inversion), *(f"image {i}: {value:.2f} dB" for i, value in enumerate(values))]
        preview = ui.PreviewImage(reconstruction, cls=cls).as_dict()
        if inversion.null_text_losses is not None:
            lines += losses_in_words(inversion.null_text_losses)
            preview["images"] += ui.PreviewImage(draw_losses(inversion.null_text_losses), cls=cls).as_dict()["images"]
        preview |= ui.PreviewText("\n".join(lines)).as_dict()
        return io.NodeOutput(reconstruction, sum(values) / len(values), "\n".join(lines), ui=preview)


NODES = [InvertImageDDPM, InvertImageDDIM, SaveInversion, LoadInversion, InversionReport]
