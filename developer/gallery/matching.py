"""Which position matches which: found by DIFT, drawn, measured against the truth, and used to carry pixels."""

from ..client import Graph
from ..demo import APPEARANCE_SEED, STRUCTURE_SEED
from ..transfer_graph import OURS, Link
from ..ui_layout import Group
from .keypoints import Point, as_text, true_keypoints
from .parts import POCKET_NOTE, node, pocket_image, relinked
from .workflow_template import WorkflowTemplate

MATCHES: Link = ["match", 0]
OTHER_WAY_SEED = 25  # a striped giraffe that faces the other way
SIZE = 128


def dift_matching() -> WorkflowTemplate:
    graph, ours, theirs = _images(APPEARANCE_SEED)
    add_features(graph)
    graph["match"] = match_features()
    graph["draw"] = draw_matches()
    graph["draw_points"] = draw_matches(lines=0, points=as_text(ours))
    graph["confidence"] = node("MaskToImage", mask=["match", 1])
    graph["show_confidence"] = node("PreviewImage", images=["confidence", 0])
    graph["warp"] = node(OURS + "WarpByMatches", values=["appearance", 0], matches=MATCHES, fallback=["structure", 0])
    graph["save"] = node("SaveImage", images=["warp", 0], filename_prefix="warped")
    graph["pck"] = _pck(ours, theirs)
    groups = [
        Group(
            "1. Checkpoint and images",
            [["checkpoint", "text_structure", "text_appearance"], ["structure", "appearance"]],
        ),
        Group("2. What the model knows of every position", [["features_structure"], ["features_appearance"]]),
        Group("3. Match", [["match"]]),
        Group("4. Look", [["draw"], ["draw_points"], ["confidence", "show_confidence"]]),
        Group("5. Use and measure", [["warp", "save"], ["pck"]]),
    ]
    note = (
        "# Which position matches which\n"
        "*DIFT Features* noises each image a little and reads what the model makes of every position. *Match Features* "
        "finds for each position of the structure the most similar one of the appearance, here inside the animals "
        "only; after a run, click a point in its images to see the match. *Draw Matches* gives every position of the "
        "appearance a color of its own and paints it where it matches.\n\n"
        "*Warp by Matches* lays the appearance's pieces on the structure; *PCK* counts how many of some known points "
        "are found (here the renderer knows them: one per part).\n\n"
        "On SD1.5 and others set *feature_preset* of *DIFT Features* to semantic.\n\n" + POCKET_NOTE
    )
    return WorkflowTemplate(graph, groups, note)


def mirror_to_match() -> WorkflowTemplate:
    graph, ours, theirs = _images(OTHER_WAY_SEED)
    graph["text_both"] = node("CLIPTextEncode", text="a photo of an animal", clip=["checkpoint", 1])
    graph["turned"] = node(
        OURS + "MirrorToMatch", model=["checkpoint", 0], vae=["checkpoint", 2], positive=["text_both", 0],
        structure=["structure", 0], appearance=["appearance", 0], feature_preset="pocket",
        structure_mask=["structure", 1], appearance_mask=["appearance", 1],
    )  # fmt: skip
    add_features(graph)
    graph["match"] = match_features()
    graph["draw"] = draw_matches(lines=0, points=as_text(ours))
    graph["pck"] = _pck(ours, theirs)
    flipped = {"appearance": "turned"} | {name: f"{name}_turned" for name in ("features_appearance", "match")}
    for name in ("features_appearance", "match", "draw", "pck"):
        graph[f"{name}_turned"] = relinked(graph[name], flipped)
    graph["pck_turned"]["inputs"]["appearance_points"] = as_text([(SIZE - 1 - x, y) for x, y in theirs])
    graph["save"] = node("SaveImage", images=["draw_turned", 0], filename_prefix="mirrored_to_match")
    groups = [
        Group(
            "1. Checkpoint and images",
            [["checkpoint", "structure", "appearance"], ["text_structure", "text_appearance", "text_both"]],
        ),
        Group("2. Which way round?", [["turned"]]),
        Group(
            "3. What the model knows of every position",
            [["features_structure"], ["features_appearance"], ["features_appearance_turned"]],
        ),
        Group("4. Match as it is", [["match"], ["pck"], ["draw"]]),
        Group("5. Match mirrored", [["match_turned"], ["pck_turned"], ["draw_turned"], ["save"]]),
    ]
    note = (
        "# Two animals that face opposite ways\n"
        "The features also know where in the image a position is, so a head on the left finds what is on the left of "
        "the other image. *Mirror to Match* matches the structure with the appearance and with its mirror image, and "
        "hands on the one whose matches are more alike; it says on the node which. Here both are matched to the end: "
        "compare the lines, and the share of known points that *PCK* finds.\n\n"
        "**In any other workflow** put it in front of the *VAE Encode* of the appearance: both images, checkpoint "
        "and VAE into *Mirror to Match*, a text for what both show, and its *appearance* into *VAE Encode* (and into "
        "whatever else takes the appearance image). A mask of the appearance goes through it as well, so that it is "
        "mirrored with the image.\n\n"
        "On SD1.5 and others set every *feature_preset* to semantic.\n\n" + POCKET_NOTE
    )
    return WorkflowTemplate(graph, groups, note)


def add_features(graph: Graph) -> None:
    """DIFT features of both images, by the pocket preset."""
    for role in ("structure", "appearance"):
        graph[f"features_{role}"] = node(
            OURS + "DIFTFeatures", model=["checkpoint", 0], positive=[f"text_{role}", 0], feature_preset="pocket",
            image=[role, 0], vae=["checkpoint", 2],
        )  # fmt: skip


def match_features(**pairs: str | float) -> dict:
    """Nearest matches inside the animals, shown on the node, with the pairs of points that must match.

    pairs: structure_points, appearance_points and radius of the node.
    """
    return node(
        OURS + "MatchFeatures", structure=["features_structure", 0], appearance=["features_appearance", 0],
        method="nearest", **pairs,
        structure_mask=["structure", 1], appearance_mask=["appearance", 1],
        structure_image=["structure", 0], appearance_image=["appearance", 0],
    )  # fmt: skip


def draw_matches(matches: Link = MATCHES, **how: str | int) -> dict:
    """Both images with what matches."""
    images = {role: [role, 0] for role in ("structure", "appearance")}
    return node(OURS + "DrawMatches", **images, matches=matches, **how)


def images_and_texts(seeds: dict[str, int]) -> Graph:
    """The checkpoint, a pocket scene for each role by its seed, and its text."""
    graph: Graph = {"checkpoint": node(OURS + "LoadPocketCheckpoint")}
    for role, seed in seeds.items():
        graph[role] = node(OURS + "PocketScene", seed=seed, size=SIZE)
        graph[f"text_{role}"] = node("CLIPTextEncode", text=pocket_image(seed).prompt, clip=["checkpoint", 1])
    return graph


def _images(appearance_seed: int) -> tuple[Graph, list[Point], list[Point]]:
    """Checkpoint, images and their texts, and points (x, y) that are known to match: in the structure and in the
    appearance.
    """
    graph = images_and_texts({"structure": STRUCTURE_SEED, "appearance": appearance_seed})
    points = true_keypoints(STRUCTURE_SEED, appearance_seed, SIZE)
    return graph, [p.structure for p in points], [p.appearance for p in points]


def _pck(structure_points: list[Point], appearance_points: list[Point]) -> dict:
    """How many of some known points the matches find."""
    return node(
        OURS + "PCK", matches=MATCHES, structure_points=as_text(structure_points),
        appearance_points=as_text(appearance_points), appearance_mask=["appearance", 1],
    )  # fmt: skip
