"""Nodes that show matches, use them and measure them."""

from comfy_api.latest import io, ui

from .sockets import CATEGORY, Matches

FAMILY = f"{CATEGORY}/matching"
BBOX, IMAGE = "bbox", "image"


class DrawMatches(io.ComfyNode):
    @classmethod
    def define_schema(cls) -> io.Schema:
        from ..correspondence.draw import HEIGHT, LINES

        return io.Schema(
            node_id="AppearanceTransfer_DrawMatches",
            display_name="Draw Matches",
            category=FAMILY,
            description="Shows both images side by side, with positions that match in one color and joined by lines.",
            search_aliases=["correspondence", "visualize matches", "show matches", "keypoints"],
            is_output_node=True,
            inputs=[
                io.Image.Input("structure", tooltip="The structure image that was matched."),
                io.Image.Input("appearance", tooltip="The appearance image that was matched."),
                Matches.Input("matches", tooltip="The matches to draw."),
                io.Int.Input(
                    "lines", default=LINES, min=0, max=200,
                    tooltip="Lines between sure matches far from one another; 0 draws none.",
                ),
                io.String.Input(
                    "points", default="", multiline=True,
                    tooltip="Points of the structure to draw lines from instead, one x, y per line; empty for none.",
                ),
                io.Int.Input(
                    "height", default=HEIGHT, min=64, max=4096, step=8, advanced=True,
                    tooltip="Height of the drawing in pixels.",
                ),
            ],
            outputs=[io.Image.Output(tooltip="The structure on the left and the appearance on the right.")],
        )  # fmt: skip

    @classmethod
    def execute(cls, structure, appearance, matches, lines, points, height) -> io.NodeOutput:
        from ..correspondence.draw import draw_matches
        from ..correspondence.points import parse_points

        parsed = parse_points(points) or None
        drawn = draw_matches(structure, appearance, matches, points=parsed, lines=lines, height=height)
        return io.NodeOutput(drawn, ui=ui.PreviewImage(drawn, cls=cls))


class WarpByMatches(io.ComfyNode):
    @classmethod
    def define_schema(cls) -> io.Schema:
        warped = io.MatchType.Template("warped", [io.Image, io.Mask, io.Latent])
        return io.Schema(
            node_id="AppearanceTransfer_WarpByMatches",
            display_name="Warp by Matches",
            category=FAMILY,
            description="Carries an image, mask or latent of the appearance to where it matches in the structure.",
            search_aliases=["warp", "correspondence", "label transfer", "mask transfer", "edit propagation"],
            inputs=[
                io.MatchType.Input(
                    "values", template=warped,
                    tooltip="Image, mask or latent of the appearance at any size.",
                ),
                Matches.Input("matches", tooltip="Where each position of the structure finds its value."),
                io.MatchType.Input(
                    "fallback", template=warped, optional=True,
                    tooltip="The same kind, over the structure: shown where nothing matches; 0 without it.",
                ),
            ],
            outputs=[
                io.MatchType.Output(
                    template=warped, id="warped", display_name="warped",
                    tooltip="The same kind as the values, over the structure; at the fallback's size, if there is one.",
                ),
            ],
        )  # fmt: skip

    @classmethod
    def execute(cls, values, matches, fallback=None) -> io.NodeOutput:
        from ..host.matching.attention_matches import warp_by_matches

        return io.NodeOutput(warp_by_matches(values, matches, fallback))


class PCK(io.ComfyNode):
    @classmethod
    def define_schema(cls) -> io.Schema:
        from ..correspondence.pck import ALPHA

        return io.Schema(
            node_id="AppearanceTransfer_PCK",
            display_name="Percentage of Correct Keypoints (PCK)",
            category=FAMILY,
            description="Measures matches on known keypoints: the share that lands near enough.",
            search_aliases=["pck", "metric", "keypoint accuracy", "evaluate matches"],
            is_output_node=True,
            inputs=[
                Matches.Input("matches", tooltip="The matches to measure."),
                io.String.Input(
                    "structure_points", default="", multiline=True,
                    tooltip="Keypoints of the structure: x, y in pixels per line, an empty line before a new image.",
                ),
                io.String.Input(
                    "appearance_points", default="", multiline=True,
                    tooltip="The same keypoints in the appearance, in the same order.",
                ),
                io.Float.Input(
                    "alpha", default=ALPHA, min=0.0, max=1.0, step=0.01,
                    tooltip="How near counts as found, as a share of the reference size.",
                ),
                io.Combo.Input(
                    "reference", options=[BBOX, IMAGE], default=BBOX,
                    tooltip="The longer side of the object's box in the appearance, or of the whole image.",
                ),
                io.Mask.Input(
                    "appearance_mask", optional=True,
                    tooltip="The object whose box is meant; without a mask the box of the appearance's keypoints.",
                ),
            ],
            outputs=[
                io.Float.Output(
                    "per_image", display_name="per image",
                    tooltip="Mean over images of the share of keypoints found, 0 to 1.",
                ),
                io.Float.Output(
                    "per_point", display_name="per point",
                    tooltip="Share of all keypoints of all images found, 0 to 1.",
                ),
                io.String.Output("report", display_name="report", tooltip="What became of each keypoint."),
            ],
        )  # fmt: skip

    @classmethod
    def execute(
        cls, matches, structure_points, appearance_points, alpha, reference, appearance_mask=None
    ) -> io.NodeOutput:
        from ..correspondence.pck import find_keypoints, reference_sizes, summary
        from ..correspondence.points import parse_point_lists

        ours = parse_point_lists(structure_points, "structure_points")
        theirs = parse_point_lists(appearance_points, "appearance_points")
        sizes = reference_sizes(matches, theirs, appearance_mask, whole_image=reference == IMAGE)
        per_image, per_point, report = summary(find_keypoints(matches, ours, theirs, sizes, alpha))
        return io.NodeOutput(per_image, per_point, report, ui=ui.PreviewText(report))


NODES = [DrawMatches, WarpByMatches, PCK]
