"""Nodes that ask a network what it knows of every position of an image."""

from comfy_api.latest import io

from .sockets import CATEGORY, Features

FAMILY = f"{CATEGORY}/matching"
CUSTOM = "custom"


class DIFTFeatures(io.ComfyNode):
    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="AppearanceTransfer_DIFTFeatures",
            display_name="DIFT Features",
            category=FAMILY,
            description="What the model knows of every position of an image, to find the same part in another image.",
            search_aliases=["diffusion features", "correspondence", "semantic matching", "dift"],
            inputs=[
                io.Model.Input("model", tooltip="SD1.x, SD2.x or SDXL; the same for both images to match."),
                io.Conditioning.Input(
                    "positive", tooltip="What the image shows, for example 'a photo of a horse'; or an empty text."
                ),
                io.Combo.Input(
                    "preset", options=["semantic", "geometric", "pocket", CUSTOM], default="semantic",
                    tooltip="Semantic for parts of objects, geometric for two views of one thing, pocket for the "
                    "pocket checkpoint; custom uses the parameters.",
                ),
                io.Int.Input(
                    # False: else the page draws a new seed, and so looks anew, at every queue
                    "seed", default=42, min=0, max=0xFFFFFFFFFFFFFFFF, control_after_generate=False, advanced=True,
                    tooltip="Seed of the noise; keep it the same for both images.",
                ),
                io.Int.Input(
                    "timestep", default=261, min=0, max=999, advanced=True,
                    tooltip="Only with preset custom: how noisy the image is made, from 0 (clean) to 999.",
                ),
                io.Int.Input(
                    "up_block", default=1, min=0, max=3, advanced=True,
                    tooltip="Only with preset custom: the decoder block that is read; 0 is the coarsest.",
                ),
                io.Int.Input(
                    "ensemble", default=8, min=1, max=64, advanced=True,
                    tooltip="Noisy looks whose mean is taken; the paper uses 8, 1 is quick and rough.",
                ),
                io.Combo.Input(
                    "posterior", options=["sample", "mean"], default="sample", advanced=True,
                    tooltip="Only with image and vae: draw a latent for every look, as in the paper, or take the mean.",
                ),
                io.Int.Input(
                    "batch", default=8, min=1, max=64, advanced=True,
                    tooltip="Images per forward; fewer need less memory, same result.",
                ),
                io.Image.Input("image", optional=True, tooltip="The image, together with vae."),
                io.Vae.Input("vae", optional=True, tooltip="Encodes image."),
                io.Latent.Input("latent", optional=True, tooltip="The encoded image instead of image and vae."),
            ],
            outputs=[Features.Output("features", tooltip="For Match Features.")],
        )  # fmt: skip

    @classmethod
    def execute(
        cls, model, positive, preset, seed, timestep, up_block, ensemble, posterior, batch,
        image=None, vae=None, latent=None,
    ) -> io.NodeOutput:  # fmt: skip
        from ..correspondence.dift import PRESETS, DiftSettings
        from ..host.matching.dift_features import dift_features
        from ..host.runtime.encoding import image_or_latent

        where = {"timestep": timestep, "up_block": up_block} if preset == CUSTOM else PRESETS[preset]
        settings = DiftSettings(**where, ensemble=ensemble, seed=seed, batch=batch)
        samples = ensemble if posterior == "sample" else 0
        latents, size = image_or_latent(image, vae, latent, samples, seed)
        return io.NodeOutput(dift_features(model, latents, positive, settings, size))


NODES = [DIFTFeatures]
