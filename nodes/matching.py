"""Nodes that find which position matches which."""

from comfy_api.latest import io, ui

from .sockets import CATEGORY, Features, Matches, readable, seed_input

FAMILY = f"{CATEGORY}/matching"

MOST_REGIONS = 8


class MatchFeatures(io.ComfyNode):
    @classmethod
    def define_schema(cls) -> io.Schema:
        from ..correspondence.match import FIELD, MUTUAL, NEAREST, SOFT, TRANSPORT
        from ..correspondence.match import MatchSettings as Settings

        def regions(which: str) -> io.Autogrow.Input:
            mask = io.Mask.Input("region", tooltip=f"A region of the {which}, for the same input of the other image.")
            return io.Autogrow.Input(
                f"{which}_regions",
                template=io.Autogrow.TemplatePrefix(mask, prefix=f"{which}_region", min=0, max=MOST_REGIONS),
                tooltip=f"Regions of the {which} that match only the region of the same number; none are needed.",
            )

        return io.Schema(
            node_id="AppearanceTransfer_MatchFeatures",
            display_name="Match Features",
            category=FAMILY,
            description="Finds for every position of the structure the position of the appearance that it looks like.",
            search_aliases=[
                "correspondence", "nearest neighbor", "dense matching", "keypoints", "forced match", "point pairs",
                "semantic matching",
            ],
            is_output_node=True,
            inputs=[
                Features.Input("structure", tooltip="Features of the structure image."),
                Features.Input("appearance", tooltip="Features of the appearance image, of the same kind."),
                io.Combo.Input(
                    "method", options=[FIELD, NEAREST, MUTUAL, SOFT, TRANSPORT], default=FIELD,
                    tooltip="By all matches together; the most similar position, pairs only, a mix; or each once.",
                ),
                io.Float.Input(
                    "floor", default=Settings.floor, min=-1.0, max=1.0, step=0.01, advanced=True,
                    tooltip="Matches less similar than this are dropped; -1 keeps all.",
                ),
                io.Mask.Input(
                    "structure_mask", optional=True,
                    tooltip="Where the structure is matched; everywhere without a mask.",
                ),
                io.Mask.Input(
                    "appearance_mask", optional=True,
                    tooltip="What of the appearance may be matched; everything without a mask.",
                ),
                io.Image.Input(
                    "structure_image", optional=True,
                    tooltip="The structure image, to see and correct matches on the node; it changes none by itself.",
                ),
                io.Image.Input(
                    "appearance_image", optional=True,
                    tooltip="The appearance image, shown beside the structure; connect both or none.",
                ),
                io.String.Input(
                    "structure_points", default="", multiline=True,
                    tooltip="Points that must match: x, y (pixels) per line or a point editor's list; empty for none.",
                ),
                io.String.Input(
                    "appearance_points", default="", multiline=True,
                    tooltip="Where those points belong in the appearance, in the same order; empty for none.",
                ),
                io.Float.Input(
                    "radius", default=0.05, min=0.0, max=1.0, step=0.01,
                    tooltip="How far around a given point goes along, as a part of the width; 0: its own position "
                    "only.",
                ),
                regions("structure"),
                regions("appearance"),
                io.Float.Input(
                    "temperature", default=Settings.temperature, min=0.001, max=10.0, step=0.005, advanced=True,
                    tooltip="How widely soft matches spread; lower comes nearer to the most similar position alone.",
                ),
                io.Int.Input(
                    "candidates", default=Settings.candidates, min=1, max=64, advanced=True,
                    tooltip="Positions that a soft match mixes; 1 takes the most similar position alone.",
                ),
            ],
            outputs=[
                Matches.Output("matches", tooltip="The match of every position, to draw, warp or transfer by."),
                io.Mask.Output(
                    "confidence", display_name="confidence",
                    tooltip="How far to trust each match at the structure's size: 0 none, 1 certain.",
                ),
            ],
        )  # fmt: skip

    @classmethod
    def execute(
        cls, structure, appearance, method, floor, structure_points, appearance_points, radius, temperature, candidates,
        structure_mask=None, appearance_mask=None, structure_image=None, appearance_image=None,
        structure_regions=None, appearance_regions=None,
    ) -> io.NodeOutput:  # fmt: skip
        from ..correspondence.evidence import FieldEvidence
        from ..correspondence.match import FIELD
        from ..correspondence.points import force_pairs, parse_points
        from ..correspondence.regions import paired
        from ..host.matching.attention_matches import confidence_mask, match_features
        from ..host.matching.point_pairs import point_pairs_view

        ours = parse_points(structure_points, "structure_points")
        theirs = parse_points(appearance_points, "appearance_points")
        regions = paired(
            by_number(structure_regions, "structure_region"), by_number(appearance_regions, "appearance_region")
        )
        found = match_features(
            structure, appearance, method=method, structure_mask=structure_mask, appearance_mask=appearance_mask,
            regions=regions, temperature=temperature, floor=floor, candidates=candidates, forced=(ours, theirs),
        )  # fmt: skip
        matches = force_pairs(found, ours, theirs, radius)
        displayed = structure_image is not None and appearance_image is not None
        if not displayed:
            return io.NodeOutput(matches, confidence_mask(matches))
        masks = (structure_mask, appearance_mask)
        bends = method == FIELD
        evidence = FieldEvidence.of_first(structure, appearance, masks, regions, floor) if bends else None
        view = point_pairs_view(found, structure_image, appearance_image, evidence)
        return io.NodeOutput(matches, confidence_mask(matches), ui=view)


def by_number(regions: dict | None, prefix: str) -> dict:
    """The connected regions, called as the error messages and the other side call them: region0, region1, ..."""
    return {name.replace(prefix, "region"): mask for name, mask in (regions or {}).items()}


class MirrorToMatch(io.ComfyNode):
    @classmethod
    def define_schema(cls) -> io.Schema:
        from ..correspondence.dift import BLOCK_PRESETS, PRESETS, DiftSettings

        return io.Schema(
            node_id="AppearanceTransfer_MirrorToMatch",
            display_name="Mirror to Match",
            category=FAMILY,
            description="Mirrors the appearance where its mirror image matches the structure better.",
            search_aliases=["flip", "pose alignment", "facing", "left right", "orientation"],
            inputs=[
                io.Model.Input(
                    "model", tooltip="A U-Net (SD1.x, SD2.x, SDXL) or a known transformer; its features decide."
                ),
                io.Vae.Input("vae", tooltip="Encodes the images."),
                io.Conditioning.Input(
                    "positive", tooltip="What both images show, for example 'a photo of an animal'; or an empty text."
                ),
                io.Image.Input("structure", tooltip="The image that stays as it is."),
                io.Image.Input("appearance", tooltip="The image that is mirrored where that fits better."),
                io.Combo.Input(
                    "feature_preset", options=[*PRESETS, *BLOCK_PRESETS], default=next(iter(PRESETS)),
                    tooltip="As in DIFT Features: semantic for parts of objects, the last ones for their models.",
                ),
                seed_input(DiftSettings.seed, "Seed of the noise of the looks.", advanced=True),
                io.Int.Input(
                    "ensemble", default=2, min=1, max=64, advanced=True,
                    tooltip="Noisy looks at each image whose mean is taken; more are surer and take longer.",
                ),
                io.Mask.Input(
                    "structure_mask", optional=True,
                    tooltip="Where the object is in the structure; the whole image without a mask.",
                ),
                io.Mask.Input(
                    "appearance_mask", optional=True,
                    tooltip="Where the object is in the appearance; the whole image without a mask.",
                ),
            ],
            outputs=[
                io.Image.Output("turned", display_name="appearance", tooltip="Mirrored, or as it was."),
                io.Mask.Output(
                    "turned_mask", display_name="appearance mask",
                    tooltip="The appearance_mask, mirrored likewise; 1 everywhere without one.",
                ),
            ],
        )  # fmt: skip

    @classmethod
    def execute(
        cls, model, vae, positive, structure, appearance, feature_preset, seed, ensemble,
        structure_mask=None, appearance_mask=None,
    ) -> io.NodeOutput:  # fmt: skip
        from ..correspondence.dift import BLOCK_PRESETS, PRESETS, DiftSettings
        from ..host.matching.mirroring import mirror_to_match

        settings = DiftSettings(**(PRESETS | BLOCK_PRESETS)[feature_preset], ensemble=ensemble, seed=seed)
        images, mask = mirror_to_match(
            model, vae, positive, structure, appearance, settings,
            structure_mask=structure_mask, appearance_mask=appearance_mask,
        )  # fmt: skip
        return io.NodeOutput(images, mask, ui=ui.PreviewImage(images[..., :3], cls=cls))


class MatchReferences(io.ComfyNode):
    @classmethod
    def define_schema(cls) -> io.Schema:
        from ..correspondence.match import FIELD, TRANSPORT

        return io.Schema(
            node_id="AppearanceTransfer_MatchReferences",
            display_name="Match References",
            category=FAMILY,
            description="The objects and matches that a transfer finds by itself, to see or change them before it.",
            search_aliases=["correspondence", "what paints what", "semantic matching", "find object", "found matches"],
            inputs=[
                io.Model.Input("model", tooltip="A U-Net or a known transformer; the model both were made with."),
                readable("structure", tooltip="The structure image, inverted or noised."),
                readable("appearance", tooltip="The appearance image, inverted or noised."),
                io.Combo.Input(
                    "method", options=[FIELD, TRANSPORT], default=FIELD,
                    tooltip="field as in Cross-Image Attention; optimal transport as in Semantic Rearrangement.",
                ),
                io.Mask.Input(
                    "structure_mask", optional=True, tooltip="The object of the structure, in place of the found one."
                ),
                io.Mask.Input(
                    "appearance_mask", optional=True,
                    tooltip="The object of the appearance, in place of the found one.",
                ),
            ],
            outputs=[
                Matches.Output("matches", tooltip="Of the structure with the appearance, or with its mirror image."),
                io.Mask.Output("object", display_name="structure mask", tooltip="The object of the structure."),
                io.Mask.Output(
                    "other_object", display_name="appearance mask", tooltip="The object of the appearance."
                ),
            ],
        )  # fmt: skip

    @classmethod
    def execute(
        cls, model, structure, appearance, method, structure_mask=None, appearance_mask=None
    ) -> io.NodeOutput:  # fmt: skip
        from ..host.transfer.match_references import match_references

        found = match_references(
            model, structure, appearance, method, structure_mask=structure_mask, appearance_mask=appearance_mask
        )
        return io.NodeOutput(found.matches, found.structure_mask, found.appearance_mask)


NODES = [MirrorToMatch, MatchFeatures, MatchReferences]
