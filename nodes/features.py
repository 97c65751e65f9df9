"""Nodes that ask a network what it knows of every position of an image."""

from comfy_api.latest import io

from .sockets import CATEGORY, Features, seed_input

FAMILY = f"{CATEGORY}/matching"
CUSTOM = "custom"


class DIFTFeatures(io.ComfyNode):
    @classmethod
    def define_schema(cls) -> io.Schema:
        from ..correspondence.dift import BLOCK_PRESETS, FACETS, POSTERIORS, PRESETS, BlockReading
        from ..correspondence.dift import DiftSettings as Settings

        return io.Schema(
            node_id="AppearanceTransfer_DIFTFeatures",
            display_name="DIFT Features",
            category=FAMILY,
            description="What the model knows of every position of an image, to find the same part in another image.",
            search_aliases=["diffusion features", "correspondence", "semantic matching", "dift"],
            inputs=[
                io.Model.Input(
                    "model", tooltip="A U-Net (SD1.x, SD2.x, SDXL) or a known transformer; the same for both images."
                ),
                io.Conditioning.Input(
                    "positive", tooltip="What the image shows, for example 'a photo of a horse'; or an empty text."
                ),
                io.Combo.Input(
                    "feature_preset", options=[*PRESETS, *BLOCK_PRESETS, CUSTOM], default=next(iter(PRESETS)),
                    tooltip="Semantic for parts, geometric for two views of one thing, the others for their models; "
                    "custom uses the parameters.",
                ),
                seed_input(Settings.seed, "Seed of the noise; keep it the same for both images.", advanced=True),
                io.Int.Input(
                    "timestep", default=Settings.timestep, min=0, max=999, advanced=True,
                    tooltip="Only with feature_preset custom: how noisy the image is made, from 0 (clean) to 999.",
                ),
                io.Int.Input(
                    "up_block", default=Settings.up_block, min=0, max=3, advanced=True,
                    tooltip="Only with custom on a U-Net: the decoder block that is read; 0 is the coarsest.",
                ),
                io.Int.Input(
                    "block", default=BlockReading.block, min=0, max=199, advanced=True,
                    tooltip="Only with custom on a transformer: the block that is read; 0 is the first.",
                ),
                io.Combo.Input(
                    "block_facet", options=list(FACETS), default=BlockReading.facet, advanced=True,
                    tooltip="Only with custom on a transformer: the tokens that go into the block, or their queries "
                    "or keys.",
                ),
                io.Int.Input(
                    "ensemble", default=Settings.ensemble, min=1, max=64, advanced=True,
                    tooltip="Noisy looks whose mean is taken; the paper uses 8, 1 is quick and rough.",
                ),
                io.Combo.Input(
                    "posterior", options=list(POSTERIORS), default=POSTERIORS[0], advanced=True,
                    tooltip="Only with image and vae: draw a latent for every look, as in the paper, or take the mean.",
                ),
                io.Int.Input(
                    "images_per_forward", default=Settings.batch, min=1, max=64, advanced=True,
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
        cls, model, positive, feature_preset, seed, timestep, up_block, block, block_facet, ensemble, posterior,
        images_per_forward, image=None, vae=None, latent=None,
    ) -> io.NodeOutput:  # fmt: skip
        from ..correspondence.dift import BLOCK_PRESETS, PRESETS, SAMPLE, BlockReading, DiftSettings
        from ..host.matching.dift_features import dift_features
        from ..host.runtime.encoding import image_or_latent

        custom = {"timestep": timestep, "up_block": up_block, "block": BlockReading(block, block_facet)}
        where = (PRESETS | BLOCK_PRESETS | {CUSTOM: custom})[feature_preset]
        settings = DiftSettings(**where, ensemble=ensemble, seed=seed, batch=images_per_forward)
        samples = ensemble if posterior == SAMPLE else 0
        latents, size = image_or_latent(image, vae, latent, samples, seed)
        return io.NodeOutput(dift_features(model, latents, positive, settings, size))


class FuseFeatures(io.ComfyNode):
    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="AppearanceTransfer_FuseFeatures",
            display_name="Fuse Features",
            category=FAMILY,
            description="Joins several features of the same images, so that matches agree with all of them.",
            search_aliases=["combine features", "concatenate features", "sd + dino", "semantic matching"],
            inputs=[
                io.Autogrow.Input(
                    "features",
                    template=io.Autogrow.TemplatePrefix(
                        Features.Input("features", tooltip="Features of the images, of another layer or network."),
                        prefix="features", min=2, max=8,
                    ),
                    tooltip="Two or more features of the same images; a new input grows below the last one in use.",
                ),
                io.String.Input(
                    "weights", default="",
                    tooltip="Weights in the order of the features, such as 1, 0.5; empty weighs all alike.",
                ),
            ],
            outputs=[Features.Output("fused", display_name="features", tooltip="For Match Features or Find Object.")],
        )  # fmt: skip

    @classmethod
    def execute(cls, features, weights) -> io.NodeOutput:
        from ..correspondence.fusion import fuse, parse_weights

        connected = [entry for entry in features.values() if entry is not None]
        return io.NodeOutput(fuse(connected, parse_weights(weights, len(connected))))


NODES = [DIFTFeatures, FuseFeatures]
