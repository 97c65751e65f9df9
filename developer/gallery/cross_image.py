"""The main job: cross-image attention on the pocket, on a user's own checkpoint, with two appearances; inversions."""

from dataclasses import replace

from ..demo import APPEARANCE_SEED, DEMO_PAIR, POCKET_SIZE, STRUCTURE_SEED
from ..transfer_graph import OURS, GraphImage, Transfer, simple_graph, transfer_graph
from ..ui_layout import Group
from .compact import compact
from .parts import COMPARE_NOTE, MASK_IMAGES, POCKET_NOTE, compared, inverting, node, pocket_image, without
from .workflow_template import SD15, SD15_SOURCE, SDXL, SDXL_SOURCE, ModelFile, WorkflowTemplate

BACKGROUND_SEED = 5
MASK_TITLES = {
    "invert_structure": "Invert Image: structure", "invert_appearance": "Reference Image: appearance",
    "mask_structure": "Self-Segmentation: structure", "mask_appearance": "Self-Segmentation: appearance",
}  # fmt: skip
ROLES = ("structure", "appearance")
IMAGES = Group("1. Checkpoint and images", [["checkpoint"], ["structure", "appearance"]])
GUIDED = (
    Group("4. Transfer", [["attention"], ["guider", "adain"]]),
    Group("5. Sample", [["sample"], ["decode", "save"]]),
)
SAVED = "pocket_horse"  # Save Inversion appends a number: the first file is pocket_horse_00001.safetensors


TITLES = {name: MASK_TITLES[name] for name in ("invert_structure", "invert_appearance")}
SIMPLE_GROUPS = (
    Group("1. Checkpoint and images", [["checkpoint"], ["structure", "appearance"]]),
    Group("2. Prepare both", [["invert_structure", "invert_appearance"]]),
    Group("3. Transfer", [["attention", "sample"], ["decode", "save", "compare"]]),
)


def on_what_comes_along() -> WorkflowTemplate:
    structure, appearance = map(pocket_image, DEMO_PAIR)
    graph = compared(simple_graph(Transfer(structure, appearance, size=POCKET_SIZE)))
    note = (
        "# Cross-Image Attention: the look of one image on the shape of another\n"
        "Queue it as it is. The output keeps the shape of the **structure** (above) and takes the colors and the coat "
        f"of the **appearance** (below).\n\n{COMPARE_NOTE}{POCKET_NOTE}"
    )
    return WorkflowTemplate(graph, SIMPLE_GROUPS, note, TITLES)


def own_checkpoint() -> WorkflowTemplate:
    return _on_a_checkpoint("SD1.5", ModelFile(SD15, SD15_SOURCE, "checkpoints"), size=512)


def own_sdxl_checkpoint() -> WorkflowTemplate:
    return _on_a_checkpoint("SDXL", ModelFile(SDXL, SDXL_SOURCE, "checkpoints"), size=1024)


def _on_a_checkpoint(kind: str, file: ModelFile, size: int) -> WorkflowTemplate:
    """The simplest transfer on a published checkpoint of this kind, which was trained on images of `size` pixels."""
    transfer = Transfer(
        GraphImage("horse", file="structure.png"),
        GraphImage("zebra", file="appearance.png"),
        size=size,
        checkpoint=file.name,
    )
    note = (
        "# Cross-Image Attention with your own checkpoint and images\n"
        f"1. Put an {kind} checkpoint, for example [{file.name}]({file.url}), into `ComfyUI/models/checkpoints` and "
        "choose it in *Load Checkpoint*.\n"
        "2. Choose the two images: above the one that gives the shape, below the one that gives the look. About "
        f"{size} x {size} suits {kind}; each keeps its own size.\n"
        f"3. Write what each shows into its *text*.\n\n{COMPARE_NOTE}"
        "At the defaults a transfer takes 40 U-Net evaluations."
    )
    return WorkflowTemplate(compared(simple_graph(transfer)), SIMPLE_GROUPS, note, TITLES, {"checkpoint": [file]})


def everything() -> WorkflowTemplate:
    graph = transfer_graph(Transfer(pocket_image(STRUCTURE_SEED), pocket_image(APPEARANCE_SEED)))
    graph = compact(without(graph, "show_{}", *MASK_IMAGES))
    groups = [
        IMAGES,
        Group("2. Invert both", inverting(ROLES, "text_structure")),
        Group("3. Look: objects and matches", [["mask_structure", "mask_appearance"], ["matches"]]),
        *GUIDED,
    ]
    note = (
        "# The whole transfer of the paper\n"
        "What template 01 leaves out: *Appearance Guider* pushes each step towards the transfer, *AdaIN* gives the "
        "object the colors of the other one inside the masks that *Self-Segmentation* finds, and *Show Attention "
        f"Matches* shows what paints what before anything is sampled.\n\n{POCKET_NOTE}"
    )
    return WorkflowTemplate(graph, groups, note, MASK_TITLES)


def stock_sampler() -> WorkflowTemplate:
    graph = simple_graph(Transfer(pocket_image(STRUCTURE_SEED), pocket_image(APPEARANCE_SEED)))
    del graph["sample"], graph["attention"]["inputs"]["structure"], graph["invert_structure"]
    graph["text"] = node("CLIPTextEncode", text=graph["invert_appearance"]["inputs"]["text"], clip=["checkpoint", 1])
    graph["encode"] = node("VAEEncode", pixels=["structure", 0], vae=["checkpoint", 2])
    graph["sample"] = node(
        "KSampler", model=["attention", 0], positive=["text", 0], negative=["text", 0], latent_image=["encode", 0],
        seed=0, steps=20, cfg=3.5, sampler_name="dpmpp_2m", scheduler="karras", denoise=0.7,
    )  # fmt: skip
    groups = [
        Group("1. Checkpoint and images", [["checkpoint"], ["structure", "appearance"]]),
        Group("2. Prepare", [["invert_appearance", "text"], ["encode"]]),
        Group("3. Transfer with any sampler", [["attention", "sample"], ["decode", "save"]]),
    ]
    note = (
        "# Cross-Image Attention in a stock KSampler\n"
        "A reference is noised to whatever level the sampler asks for, so every sampler, scheduler and number of steps "
        "works. Without an inversion the shape is held by *denoise* alone, as in any image-to-image: lower keeps more. "
        f"With the same text on both sides, *cfg* is the strength of the appearance.\n\n{POCKET_NOTE}"
    )
    return WorkflowTemplate(graph, groups, note)


def two_appearances() -> WorkflowTemplate:
    transfer = Transfer(pocket_image(STRUCTURE_SEED), pocket_image(APPEARANCE_SEED))
    graph = without(transfer_graph(transfer), "mask_{}", *MASK_IMAGES)
    del graph["matches"]
    second = transfer_graph(replace(transfer, appearance=pocket_image(BACKGROUND_SEED)))
    for name in ("appearance", "text_appearance", "encode_appearance", "invert_appearance", "show_appearance"):
        graph[_of_background(name)] = {
            "class_type": second[name]["class_type"],
            "inputs": {
                key: [_of_background(value[0]), value[1]] if isinstance(value, list) else value
                for key, value in second[name]["inputs"].items()
            },
        }
    weigh = OURS + "AppearanceOptions"
    graph["outside"] = node("InvertMask", mask=["structure", 1])
    graph["around"] = node("InvertMask", mask=["background", 1])
    graph["weigh_appearance"] = node(
        weigh, reference=["invert_appearance", 0], mask=["structure", 1], appearance_mask=["appearance", 1]
    )
    graph["weigh_background"] = node(
        weigh, reference=["invert_background", 0], mask=["outside", 0], appearance_mask=["around", 0]
    )
    graph["attention"]["inputs"] |= {
        "appearances.appearance0": ["weigh_appearance", 0],
        "appearances.appearance1": ["weigh_background", 0],
    }
    graph["adain"]["inputs"] |= {"mask": ["structure", 1], "appearance_mask": ["appearance", 1]}
    graph = compact(graph)
    roles = (*ROLES, "background")
    for role in roles:
        del graph[f"show_{role}"]
    groups = [
        Group(
            "1. Checkpoint and images", [["checkpoint", "structure", "outside"], ["appearance", "background", "around"]]
        ),
        Group("2. Invert all three", inverting(roles)),
        Group("3. Who paints where", [["weigh_appearance", "weigh_background"]]),
        Group("4. Transfer", [["attention"], ["text_structure", "guider"]]),
        Group("5. Sample", [["adain"], ["sample"], ["decode", "save"]]),
    ]
    note = (
        "# Two appearances, each with its own region\n"
        "The second image paints the animal, the third everything around it. *Appearance Options* takes the mask of "
        "the region **in the output**, which has the shape of the structure, and in *appearance_mask* where the "
        "appearance may be read: here the ground around the third animal. All are true masks of Pocket Scene; paint "
        "your own, or take them from *Find Object* or any segmenter. Where two masks overlap, their weights are the "
        f"mix; where none is, the output looks at itself.\n\n{POCKET_NOTE}"
    )
    return WorkflowTemplate(graph, groups, note)


def save_and_load() -> WorkflowTemplate:
    transfer = Transfer(pocket_image(STRUCTURE_SEED), pocket_image(APPEARANCE_SEED))
    complete = transfer_graph(transfer)
    graph = {
        name: complete[name] for name in ("checkpoint", "no_text", "structure", "text_structure", "encode_structure")
    }
    graph["invert"] = complete["invert_structure"]
    graph["keep"] = node(OURS + "SaveInversion", inversion=["invert", 0], filename_prefix=SAVED)
    judged = {"model": ["checkpoint", 0], "vae": ["checkpoint", 2], "inversion": ["keep", 0]}
    graph["report"] = node(OURS + "InversionReport", **judged)
    graph["load"] = node(OURS + "LoadInversion", name=f"{SAVED}_00001.safetensors")
    graph["resume"] = node(OURS + "ResumeFromInversion", inversion=["load", 0])
    graph["other_text"] = node("CLIPTextEncode", text="a photo of a cow", clip=["checkpoint", 1])
    prompts = {"positive": ["other_text", 0], "negative": ["no_text", 0]}
    graph["guider"] = node("CFGGuider", model=["checkpoint", 0], **prompts, cfg=3.5)
    graph |= {name: complete[name] for name in ("sample", "decode", "save")}
    graph = compact(graph)
    later = [["load", "other_text", "guider"], ["sample"], ["decode", "save"]]
    groups = [
        Group("1. Checkpoint and image", [["checkpoint", "structure", "no_text"]]),
        Group("2. Invert", [["invert"]]),
        Group("3. Keep it, and look how good it is", [["keep", "report"]]),
        Group("4. Later: load and change the text (muted)", later, muted=True),
    ]
    note = (
        "# Invert once, use often\n"
        "Queue it: the image is inverted and kept in `output/inversions`, and the report says how near it comes "
        "when it is sampled back.\n\n"
        "Then press R, so that *Load Inversion* finds the file, select the last group and press Ctrl+M to wake it up: "
        "it loads the inversion and samples it under another text. A loaded inversion goes wherever a fresh one "
        f"does.\n\n{POCKET_NOTE}"
    )
    return WorkflowTemplate(graph, groups, note)


def _of_background(name: str) -> str:
    return name.replace("appearance", "background")
