"""The main job as a graph in API format: two pictures in, one transfer out. The demo and the tests queue it.

Node ids are words, so that a failing test, a stage in demo.json and this file speak of the same thing.
"""

from dataclasses import dataclass
from typing import Any

from .client import Graph

OURS = "AppearanceTransfer_"
Link = list[str | int]


@dataclass(frozen=True)
class Picture:
    """Where a picture comes from: a file in the host's input folder, or else the pocket scene of a seed."""

    file: str | None = None
    seed: int = 0


@dataclass(frozen=True)
class Transfer:
    """What to transfer, on which checkpoint.

    checkpoint: a name in the host's `checkpoints` folder; None is the pocket checkpoint.
    noun: what both pictures show, in one word; their masks are found by it.
    size: width and height in pixels.
    counted: count the network's evaluations (needs benchmarks/evaluation_counter in the host).
    """

    structure: Picture
    appearance: Picture
    noun: str
    size: int = 128
    checkpoint: str | None = None
    steps: int = 100
    start_at: int = 32
    counted: bool = False

    @property
    def prompt(self) -> str:
        return f"a photo of a {self.noun}"


def transfer_graph(transfer: Transfer) -> Graph:
    """Structure and appearance are inverted side by side; the masks bind AdaIN to the object in both.

    Output nodes: `save` (the transfer), `show_structure` and `show_appearance` (the pictures as the model got them),
    `show_structure_mask` and `show_appearance_mask`, and when counted, `inversion_count` and `transfer_count`.
    """
    graph: Graph = {"checkpoint": _loader(transfer.checkpoint)}
    inverting, sampling = _models(graph, transfer.counted)
    graph["positive"] = _node("CLIPTextEncode", text=transfer.prompt, clip=["checkpoint", 1])
    graph["negative"] = _node("CLIPTextEncode", text="", clip=["checkpoint", 1])
    for role, picture in (("structure", transfer.structure), ("appearance", transfer.appearance)):
        _invert(graph, role, picture, transfer, inverting)

    graph["attention"] = _node(
        OURS + "CrossImageAttention",
        model=sampling,
        structure=["invert_structure", 0],
        strength=1.0,
        contrast=1.67,
        contrast_rule="released code",
        fine_first=11,
        fine_last=90,
        coarse_first=11,
        coarse_last=70,
        structure_every=5,
        structure_until=40,
        references="recorded",
        **{"appearances.appearance0": ["invert_appearance", 0]},
    )
    graph["guider"] = _node(
        OURS + "AppearanceGuider",
        model=["attention", 0],
        positive=["positive", 0],
        scale=3.5,
        end_scale=1.75,
        first_step=10,
        last_step=90,
        text_guidance=1.0,
    )
    graph["adain"] = _node(
        OURS + "AdaIN",
        appearance=["invert_appearance", 0],
        content_mask=["mask_structure", 0],
        style_mask=["mask_appearance", 0],
        first_step=20,
        last_step=99,
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
    graph["decode"] = _node("VAEDecode", samples=["sample", 0], vae=["checkpoint", 2])
    graph["save"] = _node("SaveImage", images=["decode", 0], filename_prefix="transfer")
    if transfer.counted:
        after = {"inversion": ["attention", 0], "transfer": ["decode", 0]}
        for stage, link in after.items():
            counter: Link = [f"{stage}_counter", 1]
            graph[f"{stage}_count"] = _node("BenchmarkEvaluationsRead", count=counter, after=link)
    return graph


def _node(class_type: str, **inputs: Any) -> dict[str, Any]:
    return {"class_type": class_type, "inputs": inputs}


def _loader(checkpoint: str | None) -> dict[str, Any]:
    if checkpoint is None:
        return _node(OURS + "LoadPocketCheckpoint", precision="fp32")
    return _node("CheckpointLoaderSimple", ckpt_name=checkpoint)


def _models(graph: Graph, counted: bool) -> tuple[Link, Link]:
    """The model for inverting and for sampling: the same one, each behind a counter of its own when counted."""
    if not counted:
        return ["checkpoint", 0], ["checkpoint", 0]
    for stage in ("inversion", "transfer"):
        graph[f"{stage}_counter"] = _node("BenchmarkEvaluationCounter", model=["checkpoint", 0])
    return ["inversion_counter", 0], ["transfer_counter", 0]


def _invert(graph: Graph, role: str, picture: Picture, transfer: Transfer, model: Link) -> None:
    """Add the nodes from one picture to its inversion and its mask, and show both."""
    if picture.file:
        graph[f"load_{role}"] = _node("LoadImage", image=picture.file)
        fit = {"upscale_method": "lanczos", "width": transfer.size, "height": transfer.size, "crop": "center"}
        graph[role] = _node("ImageScale", image=[f"load_{role}", 0], **fit)
    else:
        any_trait = dict.fromkeys(("species", "coat", "view"), "any")
        graph[role] = _node(OURS + "PocketScene", seed=picture.seed, size=transfer.size, **any_trait)
    graph[f"encode_{role}"] = _node("VAEEncode", pixels=[role, 0], vae=["checkpoint", 2])
    graph[f"invert_{role}"] = _node(
        OURS + "InvertImageDDPM",
        model=model,
        latent=[f"encode_{role}", 0],
        positive=["positive", 0],
        negative=["negative", 0],
        steps=transfer.steps,
        start_at=transfer.start_at,
        guidance=3.5,
        seed=42,
        eta=1.0,
        keep_last_noise=False,
        levels_per_forward=1,
    )
    graph[f"mask_{role}"] = _node(
        OURS + "SelfSegmentation",
        model=["checkpoint", 0],
        inversion=[f"invert_{role}", 0],
        clip=["checkpoint", 1],
        prompt=transfer.prompt,
        noun=transfer.noun,
        other_nouns="",
        step=20,
        clusters=5,
        factor=1.4,
    )
    graph[f"mask_{role}_picture"] = _node("MaskToImage", mask=[f"mask_{role}", 0])
    graph[f"show_{role}"] = _node("PreviewImage", images=[role, 0])
    graph[f"show_{role}_mask"] = _node("PreviewImage", images=[f"mask_{role}_picture", 0])
