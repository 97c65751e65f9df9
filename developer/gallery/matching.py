"""Which place matches which: found by DIFT, drawn, measured against the truth, and used to carry pixels."""

from ..demo import APPEARANCE_SEED, STRUCTURE_SEED
from ..transfer_graph import OURS, Graph, Link, Transfer, transfer_graph
from ..ui_layout import Group
from .keypoints import as_text, true_keypoints
from .parts import POCKET_NOTE, node, pocket_picture
from .showpiece import Showpiece

MATCHES: Link = ["match", 0]


def dift_matching() -> Showpiece:
    transfer = Transfer(pocket_picture(STRUCTURE_SEED), pocket_picture(APPEARANCE_SEED))
    keypoints = true_keypoints(STRUCTURE_SEED, APPEARANCE_SEED, transfer.size)
    ours, theirs = (as_text([getattr(point, role) for point in keypoints]) for role in ("structure", "appearance"))
    made = transfer_graph(transfer)
    kept = ("checkpoint", "structure", "appearance", "text_structure", "text_appearance")
    graph = {name: made[name] for name in kept}
    add_features(graph)
    graph["match"] = match_features()
    graph["draw"] = draw_matches(lines=12)
    graph["draw_points"] = draw_matches(lines=0, points=ours)
    graph["confidence"] = node("MaskToImage", mask=["match", 1])
    graph["show_confidence"] = node("PreviewImage", images=["confidence", 0])
    graph["warp"] = node(OURS + "WarpByMatches", values=["appearance", 0], matches=MATCHES, fallback=["structure", 0])
    graph["save"] = node("SaveImage", images=["warp", 0], filename_prefix="warped")
    graph["pck"] = node(
        OURS + "PCK", matches=MATCHES, structure_points=ours, appearance_points=theirs, alpha=0.1, reference="bbox",
        appearance_mask=["appearance", 1],
    )  # fmt: skip
    groups = [
        Group(
            "1. Checkpoint and pictures",
            [["checkpoint", "structure", "appearance"], ["text_structure", "text_appearance"]],
        ),
        Group("2. What the model knows of every place", [["features_structure", "features_appearance"]]),
        Group("3. Match", [["match"]]),
        Group("4. Look", [["draw"], ["draw_points"], ["confidence", "show_confidence"]]),
        Group("5. Use and measure", [["warp", "save"], ["pck"]]),
    ]
    note = (
        "# Which place matches which\n"
        "*DIFT Features* noises each picture a little and reads what the model makes of every place. *Match Features* "
        "finds for each place of the structure the most similar one of the appearance, here inside the animals only; "
        "after a run, click a point in its pictures to see the match. *Draw Matches* gives every place of the "
        "appearance a colour of its own and paints it where it matches.\n\n"
        "*Warp by Matches* lays the appearance's pieces on the structure; *PCK* counts how many of some known points "
        "are found (here the renderer knows them: one per part).\n\n"
        "On SD1.5 and others set the preset of *DIFT Features* to semantic. " + POCKET_NOTE
    )
    return Showpiece(graph, groups, note)


def add_features(graph: Graph) -> None:
    """DIFT features of both pictures, by the pocket preset."""
    for role in ("structure", "appearance"):
        graph[f"features_{role}"] = node(
            OURS + "DIFTFeatures", model=["checkpoint", 0], positive=[f"text_{role}", 0], preset="pocket", seed=42,
            timestep=261, up_block=1, ensemble=8, posterior="sample", batch=8,
            image=[role, 0], vae=["checkpoint", 2],
        )  # fmt: skip


def match_features(structure_points: str = "", appearance_points: str = "", radius: float = 0.0) -> dict:
    """Nearest matches inside the animals, shown on the node, with the pairs of points that must match."""
    return node(
        OURS + "MatchFeatures", structure=["features_structure", 0], appearance=["features_appearance", 0],
        method="nearest", floor=-1.0, structure_points=structure_points, appearance_points=appearance_points,
        radius=radius, temperature=0.05, candidates=8,
        structure_mask=["structure", 1], appearance_mask=["appearance", 1],
        structure_image=["structure", 0], appearance_image=["appearance", 0],
    )  # fmt: skip


def draw_matches(matches: Link = MATCHES, lines: int = 12, points: str = "") -> dict:
    """Both pictures with what matches."""
    pictures = {role: [role, 0] for role in ("structure", "appearance")}
    return node(OURS + "DrawMatches", **pictures, matches=matches, lines=lines, points=points, height=512)
