"""Nodes that keep an inversion, bring it back, and say how good it is."""

from comfy_api.latest import io, ui

from .files import NOTHING_SAVED, ReadsFile, prefix_input
from .sockets import CATEGORY, Inversion, Reference

FAMILY = f"{CATEGORY}/inversion"


class SaveInversion(io.ComfyNode):
    @classmethod
    def define_schema(cls) -> io.Schema:
        kept = io.MatchType.Template("kept", [Inversion, Reference])
        return io.Schema(
            node_id="AppearanceTransfer_SaveInversion",
            display_name="Save Inversion",
            category=FAMILY,
            description="Writes an inversion to output/inversions, overwriting nothing, so that you invert only once.",
            search_aliases=["export inversion", "store latents"],
            is_output_node=True,
            inputs=[
                io.MatchType.Input("inversion", template=kept, tooltip="What to keep: an inversion, or a reference."),
                prefix_input("inversion"),
            ],
            outputs=[io.MatchType.Output(kept, "saved", "saved", tooltip="The same, to go on with.")],
        )

    @classmethod
    def execute(cls, inversion, filename_prefix) -> io.NodeOutput:
        from ..host.runtime.files import INVERSIONS
        from ..inversion.storage import encode

        path = INVERSIONS.keep(filename_prefix, encode(inversion))
        return io.NodeOutput(inversion, ui=ui.PreviewText(f"Saved {INVERSIONS.name_of(path)}"))


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
        from ..host.runtime.encoding import decoded
        from ..host.runtime.latents import in_vae_scale
        from ..inversion.loss_curve import draw_losses, losses_in_words
        from ..inversion.quality import psnr

        original = decoded(vae, in_vae_scale(inversion.x0, latent_format_of(inversion.fingerprint)))
        reconstruction = decoded(vae, reconstruct(model, inversion))
        values = [float(value) for value in psnr(reconstruction, original)]
        lines = [str(inversion), *(f"image {i}: {value:.2f} dB" for i, value in enumerate(values))]
        preview = ui.PreviewImage(reconstruction, cls=cls).as_dict()
        if inversion.null_text_losses is not None:
            lines += losses_in_words(inversion.null_text_losses)
            preview["images"] += ui.PreviewImage(draw_losses(inversion.null_text_losses), cls=cls).as_dict()["images"]
        preview |= ui.PreviewText("\n".join(lines)).as_dict()
        return io.NodeOutput(reconstruction, sum(values) / len(values), "\n".join(lines), ui=preview)


NODES = [SaveInversion, LoadInversion, InversionReport]
