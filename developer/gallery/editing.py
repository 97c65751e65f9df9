"""pix2pix-zero: edit by a direction between words, the structure held by cross-attention guidance."""

from ..client import Graph
from ..demo import STRUCTURE_SEED
from ..transfer_graph import OURS, Link
from ..ui_layout import Group
from .parts import POCKET_NOTE, node
from .workflow_template import WorkflowTemplate

SOURCE, TARGET = "horse", "cow"
KEPT = f"{SOURCE}_to_{TARGET}"
OWN_SENTENCES = tuple(f"a photo of a {word}\na {word} in a meadow\ntwo {word}s by a fence" for word in (SOURCE, TARGET))
STEPS = 50
AMOUNT_REAL, AMOUNT_SYNTHETIC = 2.0, 0.15  # the reference code has 0.1 for images, the pocket model wants 1 to 3


def real_image() -> WorkflowTemplate:
    graph: Graph = {
        "checkpoint": node(OURS + "LoadPocketCheckpoint"),
        "structure": node(OURS + "PocketScene", seed=STRUCTURE_SEED),
        "text_structure": node("CLIPTextEncode", text=f"a photo of a {SOURCE}", clip=["checkpoint", 1]),
    }
    graph["invert_structure"] = node(
        OURS + "InvertImageDDIM", model=["checkpoint", 0], image=["structure", 0], vae=["checkpoint", 2],
        clip=["checkpoint", 1], positive=["text_structure", 0], text="", steps=STEPS, regularization=True,
    )  # fmt: skip
    _direction(graph)
    graph["keep"] = node(OURS + "SaveEditDirection", direction=["direction", 0], filename_prefix=KEPT)
    _edit(graph, AMOUNT_REAL)
    graph["sample"] = node(OURS + "SampleFromInversion", model=["guider", 0], inversion=["invert_structure", 0])
    _show(graph)
    graph["own_direction"] = node(
        OURS + "EditDirection", clip=["checkpoint", 1], source=OWN_SENTENCES[0], target=OWN_SENTENCES[1],
        sentences="as pasted",
    )  # fmt: skip
    graph["keep_own"] = node(OURS + "SaveEditDirection", direction=["own_direction", 0], filename_prefix=KEPT)
    graph["load_direction"] = node(OURS + "LoadEditDirection", name=f"{KEPT}_00001.safetensors")
    groups = [
        Group("1. Checkpoint and image", [["checkpoint", "structure"], ["text_structure"]]),
        Group("2. Invert", [["invert_structure"]]),
        Group("3. Where to go", [["direction"], ["keep", "apply"]]),
        Group("4. Edit", [["guider", "sample"], ["decode", "save"]]),
        Group(
            "Other directions: sentences of your own, or one kept before (muted)",
            [["own_direction"], ["keep_own", "load_direction"]],
            muted=True,
        ),
    ]
    note = (
        f"# pix2pix-zero: from {SOURCE} to {TARGET}, with the structure held\n"
        "*Edit Direction* writes a thousand sentences about each word, encodes them and keeps the difference of the "
        "means; *Apply Edit Direction* adds it to the image's own text. *Cross-Attention Guider* then moves the "
        "latent at every step so that each word still looks at the positions it looked at in the image. *amount* "
        "higher keeps more of the structure: 0.1 on SD1.5, but 1 to 3 on the pocket checkpoint.\n\n"
        "The muted group shows two other ways to a direction: pasted sentences, one per line, for example from a "
        f"language model, or a direction that was kept.\n\n{POCKET_NOTE}"
    )
    return WorkflowTemplate(graph, groups, note)


def synthetic_image() -> WorkflowTemplate:
    graph = _both_samplings(images=1)
    note = (
        f"# pix2pix-zero on an image that the model makes itself: from {SOURCE} to {TARGET}\n"
        "Both samplings start from the same noise. The first is the image under its text; the second is moved along "
        "the direction, while *Cross-Attention Guider* repeats the first beside it and holds every word to the "
        "positions it looked at there.\n\n"
        f"{POCKET_NOTE}"
    )
    return WorkflowTemplate(graph, _groups_of_both(), note)


def collect_pairs() -> WorkflowTemplate:
    graph = _both_samplings(images=4)
    graph["collect"] = node(
        OURS + "EditPairCollector", before=["decode_plain", 0], after=["decode", 0], name=KEPT, text="",
    )  # fmt: skip
    note = (
        "# Collect pairs to learn an edit from\n"
        "Set *noise_seed* to randomize and queue it many times: each run adds its pairs to "
        f"`output/edit_pairs/{KEPT}`. With masks of the object before and after (any segmenter) only pairs that "
        "overlap by 0.70 are kept, with a CLIP only those that come nearer to the text. The paper collects 15,000. "
        "What is there stays when a run is canceled, and a pair that is known is not kept twice.\n\n"
        f"{POCKET_NOTE}"
    )
    groups = [*_groups_of_both(), Group("6. Keep the good ones", [["collect"]])]
    return WorkflowTemplate(graph, groups, note)


def train_distilled_editor() -> WorkflowTemplate:
    graph: Graph = {
        "train": node(
            OURS + "TrainDistilledEditor", name=KEPT, size="128", width=0.25,
        ),
        "show_sheet": node("PreviewImage", images=["train", 1]),
        "losses": node("PreviewImage", images=["train", 2]),
        "report": node("PreviewAny", source=["train", 3]),
        "keep": node(OURS + "SaveDistilledEditor", editor=["train", 0], filename_prefix=KEPT),
        "structure": node(OURS + "PocketScene", seed=STRUCTURE_SEED),
        "apply": node(OURS + "ApplyDistilledEditor", editor=["keep", 0], image=["structure", 0]),
        "save": node("SaveImage", images=["apply", 0], filename_prefix="distilled"),
        "load": node(OURS + "LoadDistilledEditor", name=f"{KEPT}_00001.safetensors"),
    }  # fmt: skip
    groups = [
        Group("1. Train on the collected pairs", [["train"]]),
        Group("2. Look", [["show_sheet", "losses"], ["report"]]),
        Group("3. Keep and apply", [["keep", "structure"], ["apply", "save"]]),
        Group("An editor kept before (muted)", [["load"]], muted=True),
    ]
    note = (
        "# Distil the edit into one pass\n"
        f"Collect pairs first (the workflow before this), under the name {KEPT}. The editor is a CoModGAN: one forward "
        "per image in place of a hundred. Connect *Load Distilled Editor* to *editor* of the training to go on with "
        "it, or to *Apply Distilled Editor* to use it. When you cancel, what was learned is kept in "
        "`output/distilled`."
    )
    return WorkflowTemplate(graph, groups, note)


def _both_samplings(images: int) -> Graph:
    """The same noise to images under the source's text, and along the direction."""
    graph: Graph = {
        "checkpoint": node(OURS + "LoadPocketCheckpoint"),
        "text_structure": node("CLIPTextEncode", text=f"a photo of a {SOURCE}", clip=["checkpoint", 1]),
        "no_text": node("CLIPTextEncode", text="", clip=["checkpoint", 1]),
        "latent": node("EmptyLatentImage", width=128, height=128, batch_size=images),
        "noise": node("RandomNoise", noise_seed=7),
        "sampler": node("KSamplerSelect", sampler_name="euler"),
        "sigmas": node("BasicScheduler", model=["checkpoint", 0], scheduler="ddim_uniform", steps=STEPS, denoise=1.0),
    }
    _direction(graph)
    _edit(graph, AMOUNT_SYNTHETIC, negative=["no_text", 0])
    graph["plain_guider"] = node(
        "CFGGuider", model=["checkpoint", 0], positive=["text_structure", 0], negative=["no_text", 0], cfg=5.0
    )
    same = {"noise": ["noise", 0], "sampler": ["sampler", 0], "sigmas": ["sigmas", 0], "latent_image": ["latent", 0]}
    graph["plain"] = node("SamplerCustomAdvanced", guider=["plain_guider", 0], **same)
    graph["sample"] = node("SamplerCustomAdvanced", guider=["guider", 0], **same)
    graph["decode_plain"] = node("VAEDecode", samples=["plain", 0], vae=["checkpoint", 2])
    graph["show_plain"] = node("PreviewImage", images=["decode_plain", 0])
    _show(graph)
    return graph


def _groups_of_both() -> list[Group]:
    return [
        Group("1. Checkpoint and text", [["checkpoint"], ["text_structure", "no_text"]]),
        Group("2. Where to go", [["direction"], ["apply"]]),
        Group("3. Noise", [["latent", "noise"], ["sampler", "sigmas"]]),
        Group("4. As it would be", [["plain_guider", "plain"], ["decode_plain", "show_plain"]]),
        Group("5. The same, edited", [["guider", "sample"], ["decode", "save"]]),
    ]


def _direction(graph: Graph) -> None:
    graph["direction"] = node(OURS + "EditDirection", clip=["checkpoint", 1], source=SOURCE, target=TARGET)
    graph["apply"] = node(OURS + "ApplyEditDirection", conditioning=["text_structure", 0], direction=["direction", 0])


def _edit(graph: Graph, amount: float, negative: Link | None = None) -> None:
    other = {} if negative is None else {"negative": negative}
    graph["guider"] = node(
        OURS + "CrossAttentionGuider", model=["checkpoint", 0], positive=["text_structure", 0], edited=["apply", 0],
        amount=amount, **other,
    )  # fmt: skip


def _show(graph: Graph) -> None:
    graph["decode"] = node("VAEDecode", samples=["sample", 0], vae=["checkpoint", 2])
    graph["save"] = node("SaveImage", images=["decode", 0], filename_prefix="edited")
