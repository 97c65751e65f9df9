"""The main job: cross-image attention on the pocket, on a user's own checkpoint, with two appearances; inversions."""

from dataclasses import replace

from ..demo import APPEARANCE_SEED, DEMO_PAIR, POCKET_SIZE, STRUCTURE_SEED
from ..transfer_graph import OURS, GraphImage, Transfer, simple_graph, transfer_graph
from ..ui_layout import Group
from .parts import MASK_IMAGES, POCKET_NOTE, inverting, main_groups, node, pocket_image, sampling_groups, without
from .workflow_template import SD15, SD15_SOURCE, WorkflowTemplate

BACKGROUND_SEED = 5
MASK_TITLES = {
    "invert_structure": "Invert Image: structure", "invert_appearance": "Reference Image: appearance",
    "mask_structure": "Self-Segmentation: structure", "mask_appearance": "Self-Segmentation: appearance",
    "text_structure": "CLIP Text Encode (Prompt): structure",
    "text_appearance": "CLIP Text Encode (Prompt): appearance",
}  # fmt: skip
SAVED = "pocket_horse"  # Save Inversion appends a number: the first file is pocket_horse_00001.safetensors


TITLES = {name: MASK_TITLES[name] for name in ("invert_structure", "invert_appearance")}
SIMPLE_GROUPS = (
    Group("1. Checkpoint and images", [["checkpoint"], ["structure", "appearance"]]),
    Group("2. Prepare both", [["invert_structure", "invert_appearance"]]),
    Group("3. Transfer", [["attention", "sample"], ["decode", "save"]]),
)


def on_what_comes_along() -> WorkflowTemplate:
    structure, appearance = map(pocket_image, DEMO_PAIR)
    graph = simple_graph(Transfer(structure, appearance, size=POCKET_SIZE))
    note = (
        "# Cross-Image Attention: the look of one image on the shape of another\n"
        "Queue it as it is. The output keeps the shape of the **structure** (above) and takes the colors and the coat "
        f"of the **appearance** (below).\n\n{POCKET_NOTE}"
    )
    return WorkflowTemplate(graph, SIMPLE_GROUPS, note, TITLES)


def own_checkpoint() -> WorkflowTemplate:
    transfer = Transfer(
        GraphImage("horse", file="structure.png"), GraphImage("zebra", file="appearance.png"), size=512, checkpoint=SD15
    )
    note = (
        "# Cross-Image Attention with your own checkpoint and images\n"
        f"1. Put an SD1.5 checkpoint, for example [{SD15}]({SD15_SOURCE}), into `ComfyUI/models/checkpoints` and "
        "choose it in *Load Checkpoint*.\n"
        "2. Choose the two images: above the one that gives the shape, below the one that gives the look. About 512 x "
        "512 suits SD1.5; each keeps its own size.\n"
        "3. Write what each shows into its *text*.\n\n"
        "At the defaults a transfer takes 40 U-Net evaluations."
    )
    return WorkflowTemplate(simple_graph(transfer), SIMPLE_GROUPS, note, TITLES)


def everything() -> WorkflowTemplate:
    graph = transfer_graph(Transfer(pocket_image(STRUCTURE_SEED), pocket_image(APPEARANCE_SEED)))
    graph = without(graph, *MASK_IMAGES)
    images = [["checkpoint", "structure", "appearance"], ["show_structure", "show_appearance"]]
    note = (
        "# The whole transfer of the paper\n"
        "What workflow 1 leaves out: *Appearance Guider* pushes each step towards the transfer, *AdaIN* gives the "
        "object the colors of the other one inside the masks that *Self-Segmentation* finds, and *Show Attention "
        f"Matches* shows what paints what before anything is sampled.\n\n{POCKET_NOTE}"
    )
    return WorkflowTemplate(graph, [Group("1. Checkpoint and images", images), *main_groups()], note, MASK_TITLES)


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
    graph["weigh_appearance"] = node(weigh, reference=["invert_appearance", 0], mask=["structure", 1])
    graph["weigh_background"] = node(weigh, reference=["invert_background", 0], mask=["outside", 0])
    graph["attention"]["inputs"] |= {
        "appearances.appearance0": ["weigh_appearance", 0],
        "appearances.appearance1": ["weigh_background", 0],
    }
    graph["adain"]["inputs"] |= {"mask": ["structure", 1], "appearance_mask": ["appearance", 1]}
    roles = ("structure", "appearance", "background")
    groups = [
        Group("1. Checkpoint and images", [["checkpoint", *roles], [f"show_{role}" for role in roles]]),
        Group("2. Invert all three", inverting(roles)),
        Group("3. Who paints where", [["weigh_appearance", "outside", "weigh_background"]]),
        *sampling_groups(4),
    ]
    note = (
        "# Two appearances, each with its own region\n"
        "The second image paints the animal, the third everything around it. *Appearance Options* takes the mask of "
        "the region **in the output**, which has the shape of the structure; here it is the true mask of Pocket Scene. "
        "Paint your own, or take it from *Self-Segmentation* or any segmenter. Where two masks overlap, their weights "
        f"are the mix; where none is, the output looks at itself.\n\n{POCKET_NOTE}"
    )
    return WorkflowTemplate(graph, groups, note)


def save_and_load() -> WorkflowTemplate:
    transfer = Transfer(pocket_image(STRUCTURE_SEED), pocket_image(APPEARANCE_SEED))
    complete = transfer_graph(transfer)
    graph = {
        name: complete[name] for name in ("checkpoint", "no_text", "structure", "text_structure", "encode_structure")
    }
    graph["invert_ddpm"] = complete["invert_structure"]
    shared = {
        name: graph["invert_ddpm"]["inputs"][name] for name in ("model", "latent", "positive", "negative", "text")
    }
    graph["invert_ddim"] = node(OURS + "InvertImageDDIM", **shared)
    classifier = {"model": ["checkpoint", 0], "vae": ["checkpoint", 2]}
    graph["report_ddpm"] = node(OURS + "InversionReport", **classifier, inversion=["keep", 0])
    graph["report_ddim"] = node(OURS + "InversionReport", **classifier, inversion=["invert_ddim", 0])
    graph["keep"] = node(OURS + "SaveInversion", inversion=["invert_ddpm", 0], filename_prefix=SAVED)
    graph["load"] = node(OURS + "LoadInversion", name=f"{SAVED}_00001.safetensors")
    graph["resume"] = node(OURS + "ResumeFromInversion", inversion=["load", 0])
    graph["other_text"] = node("CLIPTextEncode", text="a photo of a cow", clip=["checkpoint", 1])
    prompts = {"positive": ["other_text", 0], "negative": ["no_text", 0]}
    graph["guider"] = node("CFGGuider", model=["checkpoint", 0], **prompts, cfg=3.5)
    graph |= {name: complete[name] for name in ("sample", "decode", "save")}
    later = [["load", "other_text"], ["resume", "guider"], ["sample", "decode"], ["save"]]
    groups = [
        Group("1. Image", [["checkpoint", "structure"], ["text_structure", "no_text", "encode_structure"]]),
        Group("2. Invert in two ways", [["invert_ddpm", "invert_ddim"]]),
        Group("3. Keep one", [["keep"]]),
        Group("4. How good are they?", [["report_ddpm", "report_ddim"]]),
        Group("5. Later: load and change the text (muted)", later, muted=True),
    ]
    note = (
        "# Invert once, use often\n"
        "Queue it: the image is inverted in two ways, both are sampled back, and the reports say how near they come. "
        "The DDPM inversion is kept in `output/inversions`.\n\n"
        "Then press R, so that *Load Inversion* finds the file, select the last group and press Ctrl+M to wake it up: "
        "it loads the inversion and samples it under another text. A loaded inversion goes wherever a fresh one "
        f"does.\n\n{POCKET_NOTE}"
    )
    return WorkflowTemplate(graph, groups, note)


def _of_background(name: str) -> str:
    return name.replace("appearance", "background")
