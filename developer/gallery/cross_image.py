"""The main job: cross-image attention on the pocket, on a user's own checkpoint, with two appearances; inversions."""

from dataclasses import replace

from ..demo import APPEARANCE_SEED, STRUCTURE_SEED
from ..transfer_graph import OURS, GraphImage, Transfer, transfer_graph
from ..ui_layout import Group
from .parts import MASK_IMAGES, POCKET_NOTE, inverting, main_groups, node, pocket_image, sampling_groups, without
from .workflow_template import SD15, SD15_SOURCE, WorkflowTemplate

BACKGROUND_SEED = 5
SAVED = "pocket_horse"  # Save Inversion appends a number: the first file is pocket_horse_00001.safetensors


def on_what_comes_along() -> WorkflowTemplate:
    graph = transfer_graph(Transfer(pocket_image(STRUCTURE_SEED), pocket_image(APPEARANCE_SEED)))
    graph = without(graph, *MASK_IMAGES)
    images = [["checkpoint", "structure", "appearance"], ["show_structure", "show_appearance"]]
    note = (
        "# Cross-Image Attention: the look of one image on the shape of another\n"
        "Queue it as it is. The output keeps the shape of the **structure** (above) and takes the colors and the coat "
        f"of the **appearance** (below).\n\n{POCKET_NOTE}"
    )
    return WorkflowTemplate(graph, [Group("1. Checkpoint and images", images), *main_groups()], note)


def own_checkpoint() -> WorkflowTemplate:
    transfer = Transfer(
        GraphImage("horse", file="structure.png"), GraphImage("zebra", file="appearance.png"), size=512, checkpoint=SD15
    )
    graph = without(transfer_graph(transfer), "show_{}", *MASK_IMAGES)
    for about in graph.values():
        if about["inputs"].get("model") == ["checkpoint", 0]:
            about["inputs"]["model"] = ["freeu", 0]
    graph["freeu"] = node("FreeU", model=["checkpoint", 0], b1=1.2, b2=1.4, s1=0.9, s2=0.2)
    images = [
        ["checkpoint", "freeu"],
        ["load_structure", "load_appearance"],
        ["structure", "appearance"],
    ]
    note = (
        "# Cross-Image Attention with your own checkpoint and images\n"
        f"1. Put an SD1.5 checkpoint, for example [{SD15}]({SD15_SOURCE}), into `ComfyUI/models/checkpoints` and "
        "choose it in *Load Checkpoint*.\n"
        "2. Choose the two images: above the one that gives the shape, below the one that gives the look.\n"
        "3. Write what each shows into its text, and the same text and its noun into its *Self-Segmentation*.\n\n"
        "FreeU stands right behind the checkpoint, because the paper uses it while inverting, too; bypass it freely. "
        "The images are cropped to 512 x 512. All settings are those of the reference code."
    )
    return WorkflowTemplate(graph, [Group("1. Checkpoint and images", images), *main_groups()], note)


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
    weigh = OURS + "WeighAppearance"
    graph["outside"] = node("InvertMask", mask=["structure", 1])
    graph["weigh_appearance"] = node(weigh, inversion=["invert_appearance", 0], weight=1.0, mask=["structure", 1])
    graph["weigh_background"] = node(weigh, inversion=["invert_background", 0], weight=1.0, mask=["outside", 0])
    graph["attention"]["inputs"] |= {
        "appearances.appearance0": ["weigh_appearance", 0],
        "appearances.appearance1": ["weigh_background", 0],
    }
    graph["adain"]["inputs"] |= {"content_mask": ["structure", 1], "style_mask": ["appearance", 1]}
    roles = ("structure", "appearance", "background")
    groups = [
        Group("1. Checkpoint and images", [["checkpoint", *roles], [f"show_{role}" for role in roles]]),
        Group("2. Invert all three", inverting(roles)),
        Group("3. Who paints where", [["weigh_appearance", "outside", "weigh_background"]]),
        *sampling_groups(4),
    ]
    note = (
        "# Two appearances, each with its own region\n"
        "The second image paints the animal, the third everything around it. *Weigh Appearance* takes the mask of "
        "the region **in the output**, which has the shape of the structure; here it is the true mask of Pocket Scene. "
        "Paint your own, or take it from *Self-Segmentation* or any segmenter. Where two masks overlap, their weights "
        f"are the mix; where none is, the output looks at itself.\n\n{POCKET_NOTE}"
    )
    return WorkflowTemplate(graph, groups, note)


def save_and_load() -> WorkflowTemplate:
    transfer = Transfer(pocket_image(STRUCTURE_SEED), pocket_image(APPEARANCE_SEED))
    made = transfer_graph(transfer)
    graph = {name: made[name] for name in ("checkpoint", "no_text", "structure", "text_structure", "encode_structure")}
    graph["invert_ddpm"] = made["invert_structure"]
    shared = {name: graph["invert_ddpm"]["inputs"][name] for name in ("model", "latent", "positive", "negative")}
    graph["invert_ddim"] = node(OURS + "InvertImageDDIM", **shared, steps=50, start_at=0, guidance=1.0)
    classifier = {"model": ["checkpoint", 0], "vae": ["checkpoint", 2]}
    graph["report_ddpm"] = node(OURS + "InversionReport", **classifier, inversion=["keep", 0])
    graph["report_ddim"] = node(OURS + "InversionReport", **classifier, inversion=["invert_ddim", 0])
    graph["keep"] = node(OURS + "SaveInversion", inversion=["invert_ddpm", 0], name=SAVED)
    graph["load"] = node(OURS + "LoadInversion", name=f"{SAVED}_00001.safetensors")
    graph["resume"] = node(OURS + "ResumeFromInversion", inversion=["load", 0])
    graph["other_text"] = node("CLIPTextEncode", text="a photo of a cow", clip=["checkpoint", 1])
    prompts = {"positive": ["other_text", 0], "negative": ["no_text", 0]}
    graph["guider"] = node("CFGGuider", model=["checkpoint", 0], **prompts, cfg=3.5)
    graph |= {name: made[name] for name in ("sample", "decode", "save")}
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
