"""The object of each image found, features fused, and every position matched by the whole field."""

from ..demo import APPEARANCE_SEED, STRUCTURE_SEED
from ..transfer_graph import OURS
from ..ui_layout import Group
from .matching import draw_matches, images_and_texts
from .parts import POCKET_NOTE, node
from .workflow_template import WorkflowTemplate

FEATURE_PRESETS = {"noisy": "pocket", "cleaner": "semantic"}
WEIGHTS = "1, 0.5"
ROLES = ("structure", "appearance")


def find_and_match() -> WorkflowTemplate:
    graph = images_and_texts({"structure": STRUCTURE_SEED, "appearance": APPEARANCE_SEED})
    for role in ROLES:
        looked_at = {"model": ["checkpoint", 0], "vae": ["checkpoint", 2], "positive": [f"text_{role}", 0]}
        graph[f"object_{role}"] = node(OURS + "FindObject", image=[role, 0], **looked_at)
        for name, preset in FEATURE_PRESETS.items():
            graph[f"{name}_{role}"] = node(OURS + "DIFTFeatures", feature_preset=preset, image=[role, 0], **looked_at)
        parts = {f"features.features{i}": [f"{name}_{role}", 0] for i, name in enumerate(FEATURE_PRESETS)}
        graph[f"features_{role}"] = node(OURS + "FuseFeatures", weights=WEIGHTS, **parts)
    graph["match"] = node(
        OURS + "MatchFeatures", **{role: [f"features_{role}", 0] for role in ROLES},
        **{f"{role}_mask": [f"object_{role}", 0] for role in ROLES},
        **{f"{role}_image": [role, 0] for role in ROLES},
    )  # fmt: skip
    graph["draw"] = draw_matches()
    graph["warp"] = node(
        OURS + "WarpByMatches", values=["appearance", 0], matches=["match", 0], fallback=["structure", 0]
    )
    graph["save"] = node("SaveImage", images=["warp", 0], filename_prefix="warped")
    groups = [
        Group("1. Checkpoint and images", [["checkpoint", *ROLES], [f"text_{role}" for role in ROLES]]),
        Group("2. Where is the object?", [[f"object_{role}" for role in ROLES]]),
        Group(
            "3. What the model knows of every position",
            [
                *([f"{name}_{role}" for name in FEATURE_PRESETS] for role in ROLES),
                [f"features_{role}" for role in ROLES],
            ],
        ),
        Group("4. Match by the field", [["match"]]),
        Group("5. Look and use", [["draw"], ["warp", "save"]]),
    ]
    note = (
        "# The object found, and matches that are finer than the grid\n"
        "*Find Object* shows the object that it finds; put a point on another one to change it. *Fuse Features* joins "
        "looks at two noise levels. *Match Features* by the method field lets all matches decide together and finds "
        "positions between those of the grid; drag a point on the node, and its neighborhood goes along.\n\n"
        "*Cross-Image Attention* does all of this by itself where nothing is connected. To correct what it finds, "
        "connect masks and matches to it through *Appearance Options*.\n\n" + POCKET_NOTE
    )
    return WorkflowTemplate(graph, groups, note)
