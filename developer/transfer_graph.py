"""The main job as a graph in API format: two images in, one transfer out. The demo and the tests queue it.

Node ids are words, so that a failing test, a stage in demo.json and this file speak of the same thing.
"""

from dataclasses import dataclass
from typing import Any

from ..inversion.settings import DDPMSettings
from ..pocket.checkpoint import DEFAULT_NETWORK, LARGE_NETWORK
from .client import Graph
from .object_info import OURS

SMALL_SIZE = 128  # up to this many pixels the smaller pocket network is the right one
FEW_STEPS, FEW_DENOISE = 4, 0.6
Link = list[str | int]


@dataclass(frozen=True)
class GraphImage:
    """An image and what it shows.

    noun: the object, in one word that the checkpoint knows; the prompt is made with it and the mask found by it.
    file: a name in ComfyUI's input folder; None is the pocket scene of `seed`.
    """

    noun: str
    file: str | None = None
    seed: int = 0

    @property
    def prompt(self) -> str:
        return f"a photo of a {self.noun}"


@dataclass(frozen=True)
class Transfer:
    """What to transfer, on which checkpoint.

    size: width and height in pixels; the pocket network goes by it.
    checkpoint: a name in ComfyUI's `checkpoints` folder; None is the pocket checkpoint.
    counted: count the network's evaluations (needs benchmarks/evaluation_counter in ComfyUI).
    """

    structure: GraphImage
    appearance: GraphImage
    size: int = 128
    checkpoint: str | None = None
    steps: int = DDPMSettings.steps
    start_at_step: int = DDPMSettings.start_at_step
    counted: bool = False


def transfer_graph(transfer: Transfer) -> Graph:
    """Structure and appearance are inverted side by side; the masks bind AdaIN to the object in both.

    Output nodes: `save` (the transfer), `show_structure` and `show_appearance` (the images as the model got them),
    `show_structure_mask` and `show_appearance_mask`, `matches` (what paints what), and when counted, `count`.
    """
    graph: Graph = {"checkpoint": _loader(transfer.checkpoint, transfer.size)}
    model: Link = ["checkpoint", 0]
    if transfer.counted:
        graph["counter"] = _node("BenchmarkCountEvaluations", model=model)
        graph["count"] = _node("BenchmarkReadEvaluations", count=["counter", 1], after=["decode", 0])
        model = ["counter", 0]
    graph["no_text"] = _node("CLIPTextEncode", text="", clip=["checkpoint", 1])
    _invert(graph, "structure", transfer.structure, transfer, model)
    _invert(graph, "appearance", transfer.appearance, transfer, model)
    inversions = {role: [f"invert_{role}", 0] for role in ("structure", "appearance")}
    graph["matches"] = _node(OURS + "ShowAttentionMatches", model=model, **inversions, image=["appearance", 0])
    _transfer(graph, model)
    graph["decode"] = _node("VAEDecode", samples=["sample", 0], vae=["checkpoint", 2])
    graph["save"] = _node("SaveImage", images=["decode", 0], filename_prefix="transfer")
    return graph


def simple_graph(transfer: Transfer) -> Graph:
    """The simplest transfer: no masks, no guidance, each text typed once. Its output node is `save`."""
    graph: Graph = {"checkpoint": _loader(transfer.checkpoint, transfer.size)}
    model: Link = ["checkpoint", 0]
    clip: Link = ["checkpoint", 1]
    vae: Link = ["checkpoint", 2]
    for role, about in (("structure", transfer.structure), ("appearance", transfer.appearance)):
        graph[role] = _image(about, transfer.size)
        subject = {"model": model, "image": [role, 0], "vae": vae, "clip": clip, "text": about.prompt}
        graph[f"invert_{role}"] = _subject(role, subject, transfer)
    graph["attention"] = _attention(model)
    graph["sample"] = _node(
        OURS + "SampleFromInversion",
        model=["attention", 0],
        inversion=["invert_structure", 0],
    )
    graph["decode"] = _node("VAEDecode", samples=["sample", 0], vae=vae)
    graph["save"] = _node("SaveImage", images=["decode", 0], filename_prefix="transfer")
    return graph


def few_step_graph(transfer: Transfer) -> Graph:
    """The simplest transfer along few levels of a Basic Scheduler, which both images take in place of their steps; the
    structure's noise alone holds the shape.
    """
    graph = simple_graph(transfer)
    graph["scheduler"] = _node(
        "BasicScheduler", model=["checkpoint", 0], scheduler="sgm_uniform", steps=FEW_STEPS, denoise=FEW_DENOISE
    )
    for role in ("structure", "appearance"):
        graph[f"invert_{role}"]["inputs"]["sigmas"] = ["scheduler", 0]
    del graph["attention"]["inputs"]["structure"]
    return graph


def _attention(model: Link) -> dict[str, Any]:
    return _node(
        OURS + "CrossImageAttention",
        model=model,
        structure=["invert_structure", 0],
        **{"appearances.appearance0": ["invert_appearance", 0]},
    )


def _subject(role: str, subject: dict[str, Any], transfer: Transfer) -> dict[str, Any]:
    """The structure inverted, since it is sampled from; the appearance noised, since it is only read."""
    schedule = {"steps": transfer.steps, "start_at_step": transfer.start_at_step}
    if role == "appearance":
        return _node(OURS + "ReferenceImage", **subject, **schedule)
    return _node(OURS + "InvertImage", **subject, **schedule)


def _image(about: GraphImage, size: int) -> dict[str, Any]:
    if about.file:
        return _node("LoadImage", image=about.file)
    return _node(OURS + "PocketScene", seed=about.seed, size=size)


def _transfer(graph: Graph, model: Link) -> None:
    """From both inversions and masks to the sampled latent, with the paper's settings."""
    graph["attention"] = _attention(model)
    graph["guider"] = _node(
        OURS + "AppearanceGuider",
        model=["attention", 0],
        positive=["text_structure", 0],
    )
    graph["adain"] = _node(
        OURS + "AdaIN",
        appearance=["invert_appearance", 0],
        mask=["mask_structure", 0],
        appearance_mask=["mask_appearance", 0],
    )
    graph["resume"] = _node(OURS + "ResumeFromInversion", inversion=["invert_structure", 0], between_steps=["adain", 0])
    graph["sample"] = _node(
        "SamplerCustomAdvanced",
        noise=["resume", 0],
        guider=["guider", 0],
        sampler=["resume", 1],
        sigmas=["resume", 2],
        latent_image=["resume", 3],
    )


def _node(class_type: str, **inputs: Any) -> dict[str, Any]:
    return {"class_type": class_type, "inputs": inputs}


def _loader(checkpoint: str | None, size: int) -> dict[str, Any]:
    if checkpoint is None:
        network = DEFAULT_NETWORK if size <= SMALL_SIZE else LARGE_NETWORK
        return _node(OURS + "LoadPocketCheckpoint", network=network)
    return _node("CheckpointLoaderSimple", ckpt_name=checkpoint)


def _invert(graph: Graph, role: str, image: GraphImage, transfer: Transfer, model: Link) -> None:
    """Add the nodes from one image to its inversion and its mask, and show both."""
    if image.file:
        graph[f"load_{role}"] = _image(image, transfer.size)
        fit = {"upscale_method": "lanczos", "width": transfer.size, "height": transfer.size, "crop": "center"}
        graph[role] = _node("ImageScale", image=[f"load_{role}", 0], **fit)
    else:
        graph[role] = _image(image, transfer.size)
    graph[f"text_{role}"] = _node("CLIPTextEncode", text=image.prompt, clip=["checkpoint", 1])
    graph[f"encode_{role}"] = _node("VAEEncode", pixels=[role, 0], vae=["checkpoint", 2])
    subject = {
        "model": model,
        "latent": [f"encode_{role}", 0],
        "positive": [f"text_{role}", 0],
        "negative": ["no_text", 0],
        "text": image.prompt,
    }
    graph[f"invert_{role}"] = _subject(role, subject, transfer)
    graph[f"mask_{role}"] = _node(
        OURS + "SelfSegmentation",
        model=model,
        inversion=[f"invert_{role}", 0],
        clip=["checkpoint", 1],
        noun=image.noun,
    )
    graph[f"mask_{role}_image"] = _node("MaskToImage", mask=[f"mask_{role}", 0])
    graph[f"show_{role}"] = _node("PreviewImage", images=[role, 0])
    graph[f"show_{role}_mask"] = _node("PreviewImage", images=[f"mask_{role}_image", 0])
