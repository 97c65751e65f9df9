"""Nodes of null-text inversion: find the unconditional embedding of every step, and sample with them."""

import logging

from comfy_api.latest import io, ui

from .inversion import subject_inputs
from .sockets import CATEGORY, Inversion

log = logging.getLogger("appearance_transfer")


class NullTextInversion(io.ComfyNode):
    @classmethod
    def define_schema(cls) -> io.Schema:
        from ..inversion.null_text import MOST_STEPS, STEPS
        from ..inversion.null_text import NullTextSettings as Settings

        return io.Schema(
            node_id="AppearanceTransfer_NullTextInversion",
            display_name="Null-Text Inversion",
            category=f"{CATEGORY}/inversion",
            description="Inverts by DDIM, then trains an empty text per step so that guided sampling finds back.",
            search_aliases=[
                "null text", "unsampler", "unconditional embedding", "ddim inversion", "real image editing", "mokady",
            ],
            inputs=[
                *subject_inputs(),
                io.Int.Input(
                    "steps", default=STEPS, min=1, max=MOST_STEPS,
                    tooltip="Steps of the whole schedule; the paper uses 50.",
                ),
                io.Float.Input(
                    "cfg", default=Settings.guidance, min=1.1, max=30.0, step=0.1,
                    tooltip="Classifier-free guidance of the sampling that is to come; the paper uses 7.5.",
                ),
                io.Boolean.Input(
                    "keep_unfinished", default=False,
                    tooltip="If you cancel, save the finished steps to output/inversions; off keeps nothing.",
                ),
                io.Int.Input(
                    "updates", default=Settings.updates, min=1, max=500, advanced=True,
                    tooltip="Training updates per step at most; the paper uses 10.",
                ),
                Inversion.Input(
                    "continue_from", optional=True,
                    tooltip="What a canceled run has kept, with all else as it was; start anew without it.",
                ),
                io.Sigmas.Input(
                    "sigmas", optional=True,
                    tooltip="Another schedule instead of steps, down to 0; leave it open for the usual one.",
                ),
            ],
            outputs=[
                Inversion.Output("inversion", tooltip="The image's latents and an unconditional embedding per step."),
                io.Image.Output("loss_curve", tooltip="How far each step was off before and after its training."),
            ],
        )  # fmt: skip

    @classmethod
    def execute(
        cls, model, text, steps, cfg, keep_unfinished, updates, image=None, vae=None, clip=None, latent=None,
        positive=None, negative=None, continue_from=None, sigmas=None,
    ) -> io.NodeOutput:  # fmt: skip
        from ..host.inversion.null_text import invert_with_null_text
        from ..host.inversion.subject import subject_of
        from ..host.models.schedules import schedule_of
        from ..inversion.loss_curve import draw_losses, losses_in_words
        from ..inversion.null_text import NullTextSettings

        subject = subject_of(
            image=image, vae=vae, latent=latent, clip=clip, text=text, positive=positive, negative=negative
        )
        inversion = invert_with_null_text(
            model,
            subject.latent,
            subject.positive,
            subject.negative,
            schedule_of(model, steps=steps, sigmas=sigmas),
            NullTextSettings(guidance=cfg, updates=updates),
            prompts=subject.prompts,
            thumbnail=subject.thumbnail,
            continue_from=continue_from,
            keep_unfinished=_keep if keep_unfinished else None,
        )
        curve = draw_losses(inversion.null_text_losses)
        words = "\n".join(losses_in_words(inversion.null_text_losses))
        preview = ui.PreviewImage(curve, cls=cls).as_dict() | ui.PreviewText(words).as_dict()
        return io.NodeOutput(inversion, curve, ui=preview)


def _keep(unfinished) -> None:
    from ..host.runtime.files import INVERSIONS
    from ..inversion.storage import encode

    try:
        path = INVERSIONS.keep("unfinished_null_text", encode(unfinished))
    except (OSError, ValueError) as reason:  # what ended the optimization must not be hidden by this
        log.warning("The finished steps of null-text inversion are lost: %s", reason)
        return
    log.warning(
        "Null-text inversion ended after %d of %d steps, which are kept in %s: load them and connect continue_from.",
        unfinished.null_text_steps,
        unfinished.steps,
        path.name,
    )


class NullTextGuider(io.ComfyNode):
    @classmethod
    def define_schema(cls) -> io.Schema:
        from ..inversion.null_text import NullTextSettings as Settings

        return io.Schema(
            node_id="AppearanceTransfer_NullTextGuider",
            display_name="Null-Text Guider",
            category=f"{CATEGORY}/sampling",
            description="Text guidance whose negative is, at each step, what null-text inversion found for it.",
            search_aliases=["null text", "cfg", "guider", "unconditional embedding"],
            inputs=[
                io.Model.Input("model", tooltip="The model of the inversion, or a patched clone of it."),
                io.Conditioning.Input(
                    "positive",
                    tooltip="The text of the inversion to get the image back, another one to edit it.",
                ),
                Inversion.Input("inversion", tooltip="The output of Null-Text Inversion."),
                io.Float.Input(
                    "cfg", default=Settings.guidance, min=0.0, max=30.0, step=0.1,
                    tooltip="Text guidance, as a rule that of the inversion; 1 is none and leaves the embeddings out.",
                ),
            ],
            outputs=[io.Guider.Output(tooltip="For Sample from Inversion, or for SamplerCustomAdvanced.")],
        )  # fmt: skip

    @classmethod
    def execute(cls, model, positive, inversion, cfg) -> io.NodeOutput:
        from ..host.inversion.null_text_guider import NullTextGuider as Guider

        return io.NodeOutput(Guider(model, positive, inversion, cfg))


NODES = [NullTextInversion, NullTextGuider]
