"""One workflow: the graph that is queued, how it is laid out, and the note a user reads first."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

from ..client import Graph
from ..ui_graph import Workflow, ui_graph
from ..ui_layout import Group, lay_out

SD15 = "v1-5-pruned-emaonly-fp16.safetensors"
SD15_SOURCE = f"https://huggingface.co/Comfy-Org/stable-diffusion-v1-5-archive/resolve/main/{SD15}"
SDXL = "sd_xl_base_1.0.safetensors"
SDXL_SOURCE = f"https://huggingface.co/stabilityai/stable-diffusion-xl-base-1.0/resolve/main/{SDXL}"
DINO = "dino_vitbase8_pretrain.pth"
DINO_SOURCE = f"https://dl.fbaipublicfiles.com/dino/dino_vitbase8_pretrain/{DINO}"
CLIP = "clip-vit-large-patch14.safetensors"
CLIP_SOURCE = "https://huggingface.co/openai/clip-vit-large-patch14/resolve/main/model.safetensors"
MODELS = {  # the page offers to find a missing file with this
    "CheckpointLoaderSimple": {"name": SD15, "url": SD15_SOURCE, "directory": "checkpoints"},
    "AppearanceTransfer_LoadDINOViT": {"name": DINO, "url": DINO_SOURCE, "directory": "dino"},
    "CLIPVisionLoader": {"name": CLIP, "url": CLIP_SOURCE, "directory": "clip_vision"},
    "CLIPLoader": {"name": CLIP, "url": CLIP_SOURCE, "directory": "text_encoders"},
}


@dataclass(frozen=True)
class ModelFile:
    """A file that a user needs: its name, where it can be had, and its folder in ComfyUI/models."""

    name: str
    url: str
    directory: str


@dataclass(frozen=True)
class WorkflowTemplate:
    """One workflow: what it queues, and how it looks.

    titles: of nodes that stand more than once, by name. models: the files that a node loads, by its name, where they
        are not those of `MODELS`.
    """

    graph: Graph
    groups: Sequence[Group]
    note: str
    titles: Mapping[str, str] = field(default_factory=dict)
    models: Mapping[str, Sequence[ModelFile]] = field(default_factory=dict)

    def workflow(self, name: str, info: Mapping[str, Any]) -> Workflow:
        """The UI form, laid out. info: ComfyUI's /object_info."""
        workflow = ui_graph(name, self.graph, info)
        lay_out(workflow, list(self.graph), self.groups, self.note, info)
        for node, about in zip(workflow["nodes"], self.graph, strict=False):
            if about in self.titles:
                node["title"] = self.titles[about]
        name_models(workflow["nodes"])
        for node, about in zip(workflow["nodes"], self.graph, strict=False):
            if about in self.models:
                node["properties"]["models"] = [asdict(file) for file in self.models[about]]
        return workflow


def name_models(nodes: Sequence[dict[str, Any]]) -> None:
    """Write into the nodes that load a user's own models where those can be had."""
    for node in nodes:
        if node["type"] in MODELS:
            node["properties"]["models"] = [MODELS[node["type"]]]
