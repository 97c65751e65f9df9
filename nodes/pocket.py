"""The embedded default: a toy world that works on a fresh machine.

It is a test bench and a first experience, never a claim about real checkpoints.
"""

from comfy_api.latest import io

from .sockets import CATEGORY

FAMILY = f"{CATEGORY}/pocket"
ANY = "any"


class LoadPocketCheckpoint(io.ComfyNode):
    @classmethod
    def define_schema(cls) -> io.Schema:
        from ..host.models.pocket_checkpoint import PRECISION, PRECISIONS
        from ..pocket.checkpoint import DEFAULT_NETWORK, NETWORKS

        return io.Schema(
            node_id="AppearanceTransfer_LoadPocketCheckpoint",
            display_name="Load Pocket Checkpoint",
            category=FAMILY,
            description="A tiny diffusion model of toy animals to try workflows with; not for real images.",
            search_aliases=["toy checkpoint", "test model", "pocket"],
            inputs=[
                io.Combo.Input(
                    "network", options=list(NETWORKS), default=DEFAULT_NETWORK,
                    tooltip="Which network, and the image size in pixels that it was trained for.",
                ),
                io.Combo.Input(
                    "precision", options=list(PRECISIONS), default=PRECISION,
                    tooltip="fp32 is exact; fp16 halves the memory.",
                ),
            ],
            outputs=[
                io.Model.Output(tooltip="For all stock nodes, at the size that the network names."),
                io.Clip.Output(tooltip="Knows the words of the pocket captions only."),
                io.Vae.Output(tooltip="For VAE Encode and VAE Decode."),
            ],
        )  # fmt: skip

    @classmethod
    def execute(cls, precision, network=None) -> io.NodeOutput:
        from ..host.models.pocket_checkpoint import load_pocket_checkpoint
        from ..pocket.checkpoint import DEFAULT_NETWORK

        return io.NodeOutput(*load_pocket_checkpoint(precision, network or DEFAULT_NETWORK))


class PocketScene(io.ComfyNode):
    @classmethod
    def define_schema(cls) -> io.Schema:
        from ..pocket.scene import COATS, SPECIES, VIEWS

        return io.Schema(
            node_id="AppearanceTransfer_PocketScene",
            display_name="Pocket Scene",
            category=FAMILY,
            description="Renders a toy animal with everything that is true about it: mask, parts, caption.",
            search_aliases=["toy scene", "test image", "pocket"],
            inputs=[
                io.Int.Input(
                    "seed", default=0, min=0, max=0xFFFFFFFF, control_after_generate=io.ControlAfterGenerate.fixed,
                    tooltip="Which animal; the same seed is always the same image.",
                ),
                io.Combo.Input("species", options=[ANY, *SPECIES], default=ANY, tooltip="Fix the species, or any."),
                io.Combo.Input("coat", options=[ANY, *COATS], default=ANY, tooltip="Fix the coat, or any."),
                io.Combo.Input(
                    "view", options=[ANY, *VIEWS], default=ANY,
                    tooltip="Fix the side it is seen from, or any.",
                ),
                io.Int.Input(
                    "size", default=128, min=32, max=1024, step=8,
                    tooltip="Width and height in pixels; the pocket networks want 128 or 256.",
                ),
            ],
            outputs=[
                io.Image.Output(tooltip="The image."),
                io.Mask.Output(tooltip="1 on the animal."),
                io.Image.Output(id="parts", display_name="parts", tooltip="Its parts, a color each."),
                io.String.Output(
                    id="caption", display_name="caption",
                    tooltip="A sentence that the pocket text encoder understands.",
                ),
            ],
        )  # fmt: skip

    @classmethod
    def execute(cls, seed, species, coat, view, size) -> io.NodeOutput:
        from ..pocket.captions import caption
        from ..pocket.part_image import part_image
        from ..pocket.render import render
        from ..pocket.scene import VIEWS, random_scene

        scene = random_scene(
            seed,
            species=None if species == ANY else species,
            coat=None if coat == ANY else coat,
            view=None if view == ANY else VIEWS.index(view),
        )
        rendering = render([scene], size)
        return io.NodeOutput(rendering.image, rendering.mask, part_image(rendering.parts), caption(scene))


NODES = [LoadPocketCheckpoint, PocketScene]
