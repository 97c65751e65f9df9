"""Nodes that find the object of an image."""

from comfy_api.latest import io

from .sockets import CATEGORY, Features, seed_input

FAMILY = f"{CATEGORY}/matching"


class FindObject(io.ComfyNode):
    @classmethod
    def define_schema(cls) -> io.Schema:
        from ..correspondence.dift import DiftSettings

        return io.Schema(
            node_id="AppearanceTransfer_FindObject",
            display_name="Find Object",
            category=FAMILY,
            description="Finds the object of an image by the model's own features, as a mask with soft edges.",
            search_aliases=["segment", "mask", "foreground", "saliency", "cut out", "remove background"],
            is_output_node=True,
            inputs=[
                io.Image.Input("image", tooltip="The image, or several of one size."),
                io.Model.Input("model", optional=True, tooltip="A U-Net or known transformer, with vae and positive."),
                io.Vae.Input("vae", optional=True, tooltip="Encodes the image for the model."),
                io.Conditioning.Input(
                    "positive", optional=True, tooltip="What the image shows, or an empty text, for the model."
                ),
                Features.Input(
                    "features", optional=True,
                    tooltip="Features of the image, such as DINO Features, in place of model, vae and positive.",
                ),
                io.String.Input(
                    "object_points", default="", multiline=True,
                    tooltip="Points on the object you mean: x, y in pixels per line; empty finds it by itself.",
                ),
                io.String.Input(
                    "background_points", default="", multiline=True,
                    tooltip="Points that are not the object, x, y in pixels per line; empty for none.",
                ),
                io.Mask.Input(
                    "hint", optional=True,
                    tooltip="Roughly where the object is, such as Word Attention Map; it decides object or background.",
                ),
                seed_input(DiftSettings.seed, "Seed of the noise of the evaluation.", advanced=True),
            ],
            outputs=[io.Mask.Output(tooltip="1 on the object, 0 around it, soft at its edge; as large as image.")],
        )  # fmt: skip

    @classmethod
    def execute(
        cls, image, object_points, background_points, seed,
        model=None, vae=None, positive=None, features=None, hint=None,
    ) -> io.NodeOutput:  # fmt: skip
        from ..correspondence.points import parse_points
        from ..host.matching.object_finding import as_clicks, find_objects, first_evidence, maps_of
        from ..host.matching.page_files import object_view

        clicks = as_clicks(
            parse_points(object_points, "object_points"), parse_points(background_points, "background_points"),
            tuple(image.shape[1:3]),
        )  # fmt: skip
        maps = maps_of(image, features, model, vae, positive, seed)
        mask = find_objects(image, maps, clicks, hint)
        view = object_view(first_evidence(image, maps, hint), image[:1, ..., :3])
        return io.NodeOutput(mask, ui=view)


NODES = [FindObject]
