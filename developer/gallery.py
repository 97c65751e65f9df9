"""The workflows that come with the pack: each a graph, how it is laid out, and the note a person reads first.

The graphs are the ones that the demo and the tests queue, so what a person opens cannot drift from what is tested.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from ..pocket.scene import random_scene
from .client import Graph
from .demo import APPEARANCE_SEED, STRUCTURE_SEED
from .transfer_graph import OURS, Picture, Transfer, transfer_graph
from .ui_graph import Workflow, ui_graph
from .ui_layout import Group, lay_out

BACKGROUND_SEED = 5
SD15 = "v1-5-pruned-emaonly-fp16.safetensors"
SD15_SOURCE = f"https://huggingface.co/Comfy-Org/stable-diffusion-v1-5-archive/resolve/main/{SD15}"
MASK_PICTURES = ("mask_{}_picture", "show_{}_mask")  # Self-Segmentation shows its mask itself
SAVED = "pocket_horse"  # Save Inversion appends a number: the first file is pocket_horse_00001.safetensors

POCKET_NOTE = (
    "The **pocket checkpoint** and **Pocket Scene** come with the pack, nothing has to be downloaded. They are a test "
    "bench and a first experience: tiny pictures of toy animals, not what a real checkpoint can do. For your own "
    "pictures put *Load Checkpoint* (an SD1.5 file in `ComfyUI/models/checkpoints`) in the place of *Load Pocket "
    "Checkpoint*, and *Load Image* with *Upscale Image* (512 x 512, center crop) in the place of *Pocket Scene*, or "
    "open workflow 2."
)


@dataclass(frozen=True)
class Showpiece:
    """One workflow: what it queues, and how it looks."""

    graph: Graph
    groups: Sequence[Group]
    note: str

    def workflow(self, name: str, info: Mapping[str, Any]) -> Workflow:
        """The UI form, laid out. info: the host's /object_info."""
        workflow = ui_graph(name, self.graph, info)
        lay_out(workflow, list(self.graph), self.groups, self.note, info)
        for node in workflow["nodes"]:
            if node["type"] == "CheckpointLoaderSimple":  # the page offers to find a missing file with this
                file = {"name": SD15, "url": SD15_SOURCE, "directory": "checkpoints"}
                node["properties"]["models"] = [file]
        return workflow


def gallery() -> dict[str, Showpiece]:
    """Every workflow by the name of its file; the first is the one to try first."""
    return {
        "1_cross_image_attention_pocket": _pocket(),
        "2_cross_image_attention": _own_checkpoint(),
        "3_two_appearances_with_masks": _two_appearances(),
        "4_save_and_load_inversion": _save_and_load(),
    }


def pocket_picture(seed: int) -> Picture:
    """The scene of this seed, with the word for what it shows."""
    return Picture(random_scene(seed).species, seed=seed)


def on_the_pocket(graph: Graph) -> Graph:
    """A graph for a person's own checkpoint with the pocket one in its place, scenes for pictures, and words it knows.

    All other nodes and links stay as they are: so such a workflow can be run where that checkpoint is not.
    """
    seeds = iter((STRUCTURE_SEED, APPEARANCE_SEED))
    size = Transfer(Picture(""), Picture("")).size
    swapped: Graph = {}
    for name, node in graph.items():
        kind, inputs = node["class_type"], dict(node["inputs"])
        if kind == "CheckpointLoaderSimple":
            kind, inputs = OURS + "LoadPocketCheckpoint", {"precision": "fp32"}
        elif kind == "LoadImage":
            any_trait = dict.fromkeys(("species", "coat", "view"), "any")
            kind, inputs = OURS + "PocketScene", {"seed": next(seeds), "size": size, **any_trait}
        elif kind == "ImageScale":
            inputs |= {"width": size, "height": size}
        known = {key: value.replace("zebra", "cow") for key, value in inputs.items() if isinstance(value, str)}
        swapped[name] = {"class_type": kind, "inputs": inputs | known}
    return swapped


def _pocket() -> Showpiece:
    graph = transfer_graph(Transfer(pocket_picture(STRUCTURE_SEED), pocket_picture(APPEARANCE_SEED)))
    graph = _without(graph, *MASK_PICTURES)
    pictures = [["checkpoint", "structure", "appearance"], ["show_structure", "show_appearance"]]
    note = (
        "# Cross-Image Attention: the look of one picture on the shape of another\n"
        "Queue it as it is. The output keeps the shape of the **structure** (above) and takes the colours and the coat "
        f"of the **appearance** (below).\n\n{POCKET_NOTE}"
    )
    return Showpiece(graph, [Group("1. Checkpoint and pictures", pictures), *_main_groups()], note)


def _own_checkpoint() -> Showpiece:
    transfer = Transfer(
        Picture("horse", file="structure.png"), Picture("zebra", file="appearance.png"), size=512, checkpoint=SD15
    )
    graph = _without(transfer_graph(transfer), "show_{}", *MASK_PICTURES)
    for node in graph.values():
        if node["inputs"].get("model") == ["checkpoint", 0]:
            node["inputs"]["model"] = ["freeu", 0]
    graph["freeu"] = _node("FreeU", model=["checkpoint", 0], b1=1.2, b2=1.4, s1=0.9, s2=0.2)
    pictures = [
        ["checkpoint", "freeu"],
        ["load_structure", "load_appearance"],
        ["structure", "appearance"],
    ]
    note = (
        "# Cross-Image Attention with your own checkpoint and pictures\n"
        f"1. Put an SD1.5 checkpoint, for example [{SD15}]({SD15_SOURCE}), into `ComfyUI/models/checkpoints` and "
        "choose it in *Load Checkpoint*.\n"
        "2. Choose the two pictures: above the one that gives the shape, below the one that gives the look.\n"
        "3. Write what each shows into its text, and the same text and its noun into its *Self-Segmentation*.\n\n"
        "FreeU stands right behind the checkpoint, because the paper uses it while inverting, too; bypass it freely. "
        "The pictures are cropped to 512 x 512. All settings are those of the released code."
    )
    return Showpiece(graph, [Group("1. Checkpoint and pictures", pictures), *_main_groups()], note)


def _two_appearances() -> Showpiece:
    transfer = Transfer(pocket_picture(STRUCTURE_SEED), pocket_picture(APPEARANCE_SEED))
    graph = _without(transfer_graph(transfer), "mask_{}", *MASK_PICTURES)
    del graph["matches"]
    second = transfer_graph(replace(transfer, appearance=pocket_picture(BACKGROUND_SEED)))
    for name in ("appearance", "text_appearance", "encode_appearance", "invert_appearance", "show_appearance"):
        graph[_of_background(name)] = {
            "class_type": second[name]["class_type"],
            "inputs": {
                key: [_of_background(value[0]), value[1]] if isinstance(value, list) else value
                for key, value in second[name]["inputs"].items()
            },
        }
    weigh = OURS + "WeighAppearance"
    graph["outside"] = _node("InvertMask", mask=["structure", 1])
    graph["weigh_appearance"] = _node(weigh, inversion=["invert_appearance", 0], weight=1.0, mask=["structure", 1])
    graph["weigh_background"] = _node(weigh, inversion=["invert_background", 0], weight=1.0, mask=["outside", 0])
    graph["attention"]["inputs"] |= {
        "appearances.appearance0": ["weigh_appearance", 0],
        "appearances.appearance1": ["weigh_background", 0],
    }
    graph["adain"]["inputs"] |= {"content_mask": ["structure", 1], "style_mask": ["appearance", 1]}
    roles = ("structure", "appearance", "background")
    groups = [
        Group("1. Checkpoint and pictures", [["checkpoint", *roles], [f"show_{role}" for role in roles]]),
        Group("2. Invert all three", _inverting(roles)),
        Group("3. Who paints where", [["weigh_appearance", "outside", "weigh_background"]]),
        *_sampling_groups(4),
    ]
    note = (
        "# Two appearances, each with its own region\n"
        "The second picture paints the animal, the third everything around it. *Weigh Appearance* takes the mask of "
        "the region **in the output**, which has the shape of the structure; here it is the true mask of Pocket Scene. "
        "Paint your own, or take it from *Self-Segmentation* or any segmenter. Where two masks overlap, their weights "
        f"are the mix; where none is, the output looks at itself.\n\n{POCKET_NOTE}"
    )
    return Showpiece(graph, groups, note)


def _save_and_load() -> Showpiece:
    transfer = Transfer(pocket_picture(STRUCTURE_SEED), pocket_picture(APPEARANCE_SEED))
    made = transfer_graph(transfer)
    graph = {name: made[name] for name in ("checkpoint", "no_text", "structure", "text_structure", "encode_structure")}
    graph["invert_ddpm"] = made["invert_structure"]
    shared = {name: graph["invert_ddpm"]["inputs"][name] for name in ("model", "latent", "positive", "negative")}
    graph["invert_ddim"] = _node(OURS + "InvertImageDDIM", **shared, steps=50, start_at=0, guidance=1.0)
    judge = {"model": ["checkpoint", 0], "vae": ["checkpoint", 2]}
    graph["report_ddpm"] = _node(OURS + "InversionReport", **judge, inversion=["keep", 0])
    graph["report_ddim"] = _node(OURS + "InversionReport", **judge, inversion=["invert_ddim", 0])
    graph["keep"] = _node(OURS + "SaveInversion", inversion=["invert_ddpm", 0], name=SAVED)
    graph["load"] = _node(OURS + "LoadInversion", name=f"{SAVED}_00001.safetensors")
    graph["resume"] = _node(OURS + "ResumeFromInversion", inversion=["load", 0])
    graph["other_text"] = _node("CLIPTextEncode", text="a photo of a cow", clip=["checkpoint", 1])
    prompts = {"positive": ["other_text", 0], "negative": ["no_text", 0]}
    graph["guider"] = _node("CFGGuider", model=["checkpoint", 0], **prompts, cfg=3.5)
    graph |= {name: made[name] for name in ("sample", "decode", "save")}
    later = [["load", "other_text"], ["resume", "guider"], ["sample", "decode"], ["save"]]
    groups = [
        Group("1. Picture", [["checkpoint", "structure"], ["text_structure", "no_text", "encode_structure"]]),
        Group("2. Invert in two ways", [["invert_ddpm", "invert_ddim"]]),
        Group("3. Keep one", [["keep"]]),
        Group("4. How good are they?", [["report_ddpm", "report_ddim"]]),
        Group("5. Later: load and change the text (muted)", later, muted=True),
    ]
    note = (
        "# Invert once, use often\n"
        "Queue it: the picture is inverted in two ways, both are sampled back, and the reports say how near they come. "
        "The DDPM inversion is kept in `output/inversions`.\n\n"
        "Then press R, so that *Load Inversion* finds the file, select the last group and press Ctrl+M to wake it up: "
        "it loads the inversion and samples it under another text. A loaded inversion goes wherever a fresh one "
        f"does.\n\n{POCKET_NOTE}"
    )
    return Showpiece(graph, groups, note)


def _main_groups() -> list[Group]:
    return [
        Group("2. Invert both", _inverting(("structure", "appearance"))),
        Group("3. Look: objects and matches", [["mask_structure", "mask_appearance"], ["matches"]]),
        *_sampling_groups(4),
    ]


def _inverting(roles: Sequence[str]) -> list[list[str]]:
    texts = [*(f"text_{role}" for role in roles), "no_text"]
    return [texts, [f"encode_{role}" for role in roles], [f"invert_{role}" for role in roles]]


def _sampling_groups(number: int) -> list[Group]:
    return [
        Group(f"{number}. Transfer", [["attention", "guider"], ["adain", "resume"]]),
        Group(f"{number + 1}. Sample", [["sample", "decode", "save"]]),
    ]


def _without(graph: Graph, *endings: str) -> Graph:
    """The graph without some of the nodes of both pictures."""
    gone = {ending.format(role) for role in ("structure", "appearance") for ending in endings}
    return {name: node for name, node in graph.items() if name not in gone}


def _of_background(name: str) -> str:
    return name.replace("appearance", "background")


def _node(class_type: str, **inputs: Any) -> dict[str, Any]:
    return {"class_type": class_type, "inputs": inputs}
