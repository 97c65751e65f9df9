"""Eye-for-an-eye: every position takes the feature of its match, found by the model or corrected by a user."""

from collections.abc import Mapping

from ..demo import APPEARANCE_SEED, DEMO_PAIR, POCKET_SIZE, STRUCTURE_SEED
from ..part_by_part import ADAIN_START, FOUND, appearance_inside, part_by_part, with_matches
from ..transfer_graph import Graph, Link, Transfer, transfer_graph
from ..ui_layout import Group
from .compact import compact
from .cross_image import IMAGES
from .keypoints import as_text
from .matching import add_features, match_features
from .parts import COMPARE_NOTE, MASK_IMAGES, POCKET_NOTE, compared, inverting, node, pocket_image, relinked, without
from .workflow_template import WorkflowTemplate

RIGHT_STRUCTURE_SEED, RIGHT_APPEARANCE_SEED = 12, 7
TWO_ANIMALS, AN_ANIMAL = "a photo of two animals", "a photo of an animal"
FLANK, HEAD, RADIUS = (62, 60), (105, 62), 0.14  # a pair that nobody would find: so one sees who decided
SIZE = 128
TRUE: Mapping[str, Link] = {"structure": ["structure", 1], "appearance": ["appearance", 1]}
"""The masks of Pocket Scene."""
ADAIN_NOTE = f"*start_percent* of *AdaIN* is {ADAIN_START}, as in the paper's code: late, for the last colors alone."


def eye_for_an_eye() -> WorkflowTemplate:
    graph = compared(compact(without(with_matches(_transfer(FOUND, DEMO_PAIR, POCKET_SIZE)), "show_{}")))
    groups = [
        IMAGES,
        Group("2. Invert both, and match them", [["invert_structure"], ["invert_appearance", "match"]]),
        Group("3. Who paints where", [["weigh", "adain"], ["warp", "matches"]]),
        Group("4. Transfer", [["attention"], ["sample"], ["decode", "save"], ["compare"]]),
    ]
    note = (
        "# Eye-for-an-eye: each position takes the features of its best match\n"
        "Where Cross-Image Attention lets a position look at the whole appearance, *Semantic Rearrangement* finds its "
        "one best match, once for both whole objects, and puts the features of that position there. Objects and "
        "matches it finds by itself; here *Match References* finds the same ones before, and *Warp by Matches* shows "
        "what paints what. Put other masks or matches in their place where you know better.\n\n"
        "*cfg* 2.5 in *Sample from Inversion* strengthens text and transfer together. Without *find*, "
        "*match_source* decides: matches anew in every layer and step as in the paper, or by DIFT. "
        f"{ADAIN_NOTE}\n\n{COMPARE_NOTE}{POCKET_NOTE}"
    )
    return WorkflowTemplate(graph, groups, note)


def two_objects() -> WorkflowTemplate:
    graph = _transfer(TRUE)
    for name in ("show_structure", "show_appearance", "weigh", "adain"):
        del graph[name]
    del graph["resume"]["inputs"]["between_steps"]
    seeds = {"structure": RIGHT_STRUCTURE_SEED, "appearance": RIGHT_APPEARANCE_SEED}
    graph["blank"] = node("SolidMask", value=0.0, width=2 * SIZE, height=SIZE)
    for role, seed in seeds.items():
        left, right = f"{role}_left", f"{role}_right"
        graph[left] = graph[role]
        graph[right] = {**graph[left], "inputs": {**graph[left]["inputs"], "seed": seed}}
        graph[role] = node(
            "ImageStitch", image1=[left, 0], image2=[right, 0], direction="right", match_image_size=True,
            spacing_width=0, spacing_color="white",
        )  # fmt: skip
        for side, x in ((left, 0), (right, SIZE)):
            graph[f"{side}_mask"] = node(
                "MaskComposite", destination=["blank", 0], source=[side, 1], x=x, y=0, operation="add"
            )
        graph[f"text_{role}"]["inputs"]["text"] = TWO_ANIMALS
        graph[f"invert_{role}"]["inputs"]["text"] = TWO_ANIMALS
    for side, other in (("left", "right"), ("right", "left")):
        graph[f"weigh_{side}"] = appearance_inside([f"structure_{side}_mask", 0], [f"appearance_{other}_mask", 0])
    graph["attention"]["inputs"] |= {
        "appearances.appearance0": ["weigh_left", 0],
        "appearances.appearance1": ["weigh_right", 0],
    }
    graph = compact(graph)
    groups = [
        Group(
            "1. Two animals in each image",
            [
                ["checkpoint", "blank"],
                ["structure_left", "structure_right", "structure"],
                ["appearance_left", "appearance_right", "appearance"],
            ],
        ),
        Group("2. Where each animal is", [[f"{role}_{side}_mask" for role in seeds for side in ("left", "right")]]),
        Group("3. Invert both", inverting(("structure", "appearance"))),
        Group("4. Who takes whose look", [["weigh_left", "weigh_right"]]),
        Group("5. Transfer", [["attention", "sample"], ["decode", "save"]]),
    ]
    note = (
        "# Two objects, each with its own match\n"
        "Both images show two animals. The left one of the structure takes the look of the **right** one of the "
        "appearance, and the other way round: each *Appearance Options* holds a region of the output (mask) and the "
        "region of the appearance its matches may come from (appearance_mask). The ground keeps its own look.\n\n"
        f"{POCKET_NOTE}"
    )
    return WorkflowTemplate(graph, groups, note)


def corrected_match() -> WorkflowTemplate:
    graph = _transfer(TRUE)
    for name in ("weigh", "adain"):
        del graph[name]
    del graph["resume"]["inputs"]["between_steps"]
    graph["text_both"] = node("CLIPTextEncode", text=AN_ANIMAL, clip=["checkpoint", 1])
    add_features(graph)
    for role in TRUE:
        graph[f"features_{role}"]["inputs"]["positive"] = ["text_both", 0]
    graph["match"] = match_features()
    graph["corrected"] = match_features(
        structure_points=as_text([FLANK]), appearance_points=as_text([HEAD]), radius=RADIUS
    )
    for name, matches in (("found", "match"), ("corrected", "corrected")):
        graph[f"weigh_{name}"] = appearance_inside(["structure", 1], ["appearance", 1], [matches, 0])
    second = ("attention", "guider", "sample", "decode")
    for name in second:
        graph[f"{name}_found"] = relinked(graph[name], {other: f"{other}_found" for other in second})
    graph["attention_found"]["inputs"]["appearances.appearance0"] = ["weigh_found", 0]
    graph["attention"]["inputs"]["appearances.appearance0"] = ["weigh_corrected", 0]
    graph["show_found"] = node("PreviewImage", images=["decode_found", 0])
    graph = compact(without(graph, "show_{}"))
    groups = [
        Group("1. Checkpoint and images", [["checkpoint", "structure", "appearance"]]),
        Group("2. Invert both", inverting(("structure", "appearance"), "text_both")),
        Group("3. Match", [["features_structure", "features_appearance"], ["match"], ["corrected"]]),
        Group("4. As found", [["weigh_found", "attention_found"], ["sample_found", "decode_found"], ["show_found"]]),
        Group("5. As corrected", [["weigh_corrected", "attention"], ["sample", "decode"], ["save"]]),
    ]  # fmt: skip
    note = (
        "# A corrected match changes the image\n"
        "The same transfer twice: by the matches as they were found, and with one pair of points forced. *Match "
        f"Features* (corrected) holds the point in both images and a radius of {RADIUS:.0%} of the width that goes "
        "along. Here the flank is told to match the head, which no model would find, so that you see who decides: a "
        "patch of the flank takes the color of the head.\n\n"
        "After a run both images stand on *Match Features*: click a point to see its match, drag an end to correct "
        "it, drag the pair that is there elsewhere. The pairs are the two texts above. Queue again: "
        "only what depends on them is computed anew.\n\n"
        f"{POCKET_NOTE}"
    )
    return WorkflowTemplate(graph, groups, note)


def _transfer(
    masks: Mapping[str, Link], seeds: tuple[int, int] = (STRUCTURE_SEED, APPEARANCE_SEED), size: int = SIZE
) -> Graph:
    """The main job's graph with Semantic Rearrangement in place of cross-image attention, and its settings."""
    structure, appearance = map(pocket_image, seeds)
    graph = without(
        transfer_graph(Transfer(structure, appearance, size=size)),
        "mask_{}", *MASK_IMAGES,
    )  # fmt: skip
    del graph["matches"]
    return part_by_part(graph, masks)
