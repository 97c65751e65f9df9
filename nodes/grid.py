"""Nodes that make a grid of transfers out of as many inversions as there are images, and show it."""

from comfy_api.latest import io, ui

from .sockets import CATEGORY, Inversion, Reference, readable


class TransferGrid(io.ComfyNode):
    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="AppearanceTransfer_TransferGrid",
            display_name="Transfer Grid",
            category=f"{CATEGORY}/inversion",
            description="Pairs every structure with every appearance, to transfer them all in one batch.",
            search_aliases=["grid", "xy plot", "batch", "all combinations", "every pair"],
            inputs=[
                _growing(
                    "structures", "structure",
                    Inversion.Input("inversion", tooltip="An inverted image, or a batch of them."),
                    "The inverted images that give the shapes, one row of the grid each",
                ),
                _growing(
                    "appearances", "appearance",
                    readable("reference", tooltip="An image from Reference Image or an inverted one, or a batch."),
                    "The images that give the looks, one column of the grid each",
                ),
                io.Mask.Input(
                    "structure_mask", optional=True,
                    tooltip="One mask for all structures or one for each; the whole image without it.",
                ),
                io.Mask.Input(
                    "appearance_mask", optional=True,
                    tooltip="One mask for all appearances or one for each; the whole image without it.",
                ),
            ],
            outputs=[
                Inversion.Output(
                    "structures", tooltip="The structure of each pair, for Sample from Inversion and structure."
                ),
                Reference.Output(
                    "appearances", tooltip="The appearance of each pair, for Cross-Image Attention and AdaIN."
                ),
                io.Conditioning.Output("positive", tooltip="The text of each structure, for Appearance Guider."),
                io.Mask.Output("structure_mask", tooltip="The mask of each structure, for AdaIN's mask."),
                io.Mask.Output("appearance_mask", tooltip="The mask of each appearance, for AdaIN's appearance_mask."),
            ],
        )  # fmt: skip

    @classmethod
    def execute(cls, structures, appearances, structure_mask=None, appearance_mask=None) -> io.NodeOutput:
        from ..host.models.conditioning import unpack
        from ..inversion.pairing import every_pair

        pairs = every_pair(_connected(structures), _connected(appearances), structure_mask, appearance_mask)
        positive = unpack(pairs.structures.conditioning, "positive")
        return io.NodeOutput(pairs.structures, pairs.appearances, positive, pairs.structure_mask, pairs.appearance_mask)


class DrawGrid(io.ComfyNode):
    @classmethod
    def define_schema(cls) -> io.Schema:
        from ..evaluation.comparison import TILE

        return io.Schema(
            node_id="AppearanceTransfer_DrawGrid",
            display_name="Draw Grid",
            category=f"{CATEGORY}/evaluation",
            description="Shows a grid of transfers as one image: structures on the left, appearances on top.",
            search_aliases=["xy plot", "contact sheet", "image grid"],
            is_output_node=True,
            inputs=[
                io.Image.Input("structures", tooltip="The structure images, from top to bottom."),
                io.Image.Input("appearances", tooltip="The appearance images, from left to right."),
                io.Image.Input("outputs", tooltip="The images of all pairs, as they come out of a Transfer Grid."),
                io.String.Input(
                    "names", default="", multiline=True,
                    tooltip="A name for each appearance, one per line; empty numbers them.",
                ),
                io.Int.Input(
                    "tile", default=TILE, min=32, max=2048, step=8,
                    tooltip="Width and height in pixels that each image is fitted into.",
                ),
            ],
            outputs=[io.Image.Output("grid", tooltip="The whole grid.")],
        )  # fmt: skip

    @classmethod
    def execute(cls, structures, appearances, outputs, names, tile) -> io.NodeOutput:
        from ..host.evaluation.comparison import as_grid

        captions = [name.strip() for name in names.splitlines() if name.strip()]
        drawn = as_grid(structures, appearances, outputs, captions, tile)
        return io.NodeOutput(drawn, ui=ui.PreviewImage(drawn, cls=cls))


def _growing(name: str, prefix: str, each: io.Input, what: str) -> io.Input:
    return io.Autogrow.Input(
        name, template=io.Autogrow.TemplatePrefix(each, prefix=prefix, min=1, max=16),
        tooltip=f"{what}; a new input grows below the last one in use.",
    )  # fmt: skip


def _connected(inversions) -> list:
    return [inversion for inversion in inversions.values() if inversion is not None]


NODES = [TransferGrid, DrawGrid]
