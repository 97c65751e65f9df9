"""The simplest transfer on published transformers, each with the files that a user needs."""

from dataclasses import dataclass

from ..client import Graph
from ..transfer_graph import OURS, GraphImage, Transfer, simple_graph
from ..ui_layout import Group
from .cross_image import TITLES
from .parts import COMPARE_NOTE, compared, node
from .workflow_template import ModelFile, WorkflowTemplate

HUB = "https://huggingface.co/Comfy-Org/"
AE = ModelFile("ae.safetensors", HUB + "z_image_turbo/resolve/main/split_files/vae/ae.safetensors", "vae")
QWEN_3_4B = "qwen_3_4b.safetensors"


@dataclass(frozen=True)
class Published:
    """title: of the model. network, texts, vae: its files. kind: of the CLIP loader. steps, start_at: of the inversion.

    about: what a user of this model should know.
    """

    title: str
    network: ModelFile
    texts: tuple[ModelFile, ...]
    vae: ModelFile
    kind: str
    steps: int = 20
    start_at: int = 6
    about: str = ""


def _split(repository: str, directory: str, name: str) -> ModelFile:
    return ModelFile(name, f"{HUB}{repository}/resolve/main/split_files/{directory}/{name}", directory)


FLUX1 = Published(
    "Flux.1 Krea",
    _split("FLUX.1-Krea-dev_ComfyUI", "diffusion_models", "flux1-krea-dev_fp8_scaled.safetensors"),
    tuple(
        ModelFile(
            name, f"https://huggingface.co/comfyanonymous/flux_text_encoders/resolve/main/{name}", "text_encoders"
        )
        for name in ("clip_l.safetensors", "t5xxl_fp8_e4m3fn_scaled.safetensors")
    ),
    AE,
    "flux",
    about="Flux.1 dev and schnell work in the same way.\n\n",
)
FLUX2 = Published(
    "Flux.2 Klein",
    _split("Flux-2-Klein-4B", "diffusion_models", "flux-2-klein-4b.safetensors"),
    (_split("Flux-2-Klein-4B", "text_encoders", QWEN_3_4B),),
    _split("Flux-2-Klein-4B", "vae", "flux2-vae.safetensors"),
    "flux2",
    steps=4,
    start_at=1,
    about="For the undistilled *flux-2-klein-base-4b* set *steps* to 20 and *start_at_step* to 6 in both.\n\n",
)
Z_IMAGE = Published(
    "Z-Image Turbo",
    _split("z_image_turbo", "diffusion_models", "z_image_turbo_bf16.safetensors"),
    (_split("z_image_turbo", "text_encoders", QWEN_3_4B),),
    AE,
    "lumina2",
    steps=8,
    start_at=2,
)
QWEN_IMAGE = Published(
    "Qwen-Image",
    _split("Qwen-Image_ComfyUI", "diffusion_models", "qwen_image_fp8_e4m3fn.safetensors"),
    (_split("Qwen-Image_ComfyUI", "text_encoders", "qwen_2.5_vl_7b_fp8_scaled.safetensors"),),
    _split("Qwen-Image_ComfyUI", "vae", "qwen_image_vae.safetensors"),
    "qwen_image",
)
ATTENTION, REARRANGEMENT = "Cross-Image Attention", "Semantic Rearrangement"
READ_AT_EVERY_STEP = {"start_percent": 0.0, "structure_share": 0.0}
NODES = {
    ATTENTION: (OURS + "CrossImageAttention", READ_AT_EVERY_STEP),
    REARRANGEMENT: (OURS + "SemanticRearrangement", READ_AT_EVERY_STEP | {"inject": "kv"}),
}
CHOOSE = (
    "Choose the two images: above the one that gives the shape, below the one that gives the look, of about one "
    "megapixel each, and write what each shows into its *text*.\n\n"
)
TESTED = "This was tested on a tiny network of the same form, not on these files: see docs/models.md."
GROUPS = (
    Group("1. Model and images", [["network", "clip", "vae"], ["structure", "appearance"]]),
    Group("2. Prepare both", [["invert_structure", "invert_appearance"]]),
    Group("3. Transfer", [["attention", "sample"], ["decode", "save", "compare"]]),
)


def by_similarity(model: Published) -> WorkflowTemplate:
    """Cross-Image Attention, without text guidance."""
    note = (
        f"# Cross-Image Attention on {model.title}\n{_files(model)}\n\n{CHOOSE}{model.about}"
        "Raise *start_at_step* in both for more of the shape; masks of both objects in *Appearance Options* hold it "
        f"best.\n\n{COMPARE_NOTE}{TESTED}"
    )
    return _template(model, _graph(model), note)


def found_in_few_steps(model: Published, method: str) -> WorkflowTemplate:
    """Object and matches found, and the transfer, in the few steps that a model is made for. method: the title of its
    node.
    """
    graph = _graph(model)
    kind, settings = NODES[method]
    graph["attention"] = node(kind, **(graph["attention"]["inputs"] | settings))
    note = (
        f"# {method} on {model.title}\n{_files(model)}\n\n{CHOOSE}"
        f"Object, side and matches are found before the first step by the model's own features. *{method}* shows how "
        "sure they are; connect masks and matches to it through *Appearance Options* to correct them.\n\n"
        f"The model runs at its own {model.steps} steps and cfg 1. With *start_percent* 0 and *structure_share* 0 each "
        "step reads the appearance, and the structure's noise alone holds the shape: raise *start_at_step* in both for "
        f"more of it.\n\n{COMPARE_NOTE}{model.about}{TESTED} "
        "Which of their blocks knows parts best is not known either; the middle one is read."
    )
    return _template(model, graph, note)


def _graph(model: Published) -> Graph:
    images = GraphImage("horse", file="structure.png"), GraphImage("zebra", file="appearance.png")
    simple = simple_graph(Transfer(*images, steps=model.steps, start_at_step=model.start_at))
    del simple["checkpoint"]
    sockets = {0: ["network", 0], 1: ["clip", 0], 2: ["vae", 0]}
    for about in simple.values():
        for name, value in about["inputs"].items():
            if isinstance(value, list) and value[0] == "checkpoint":
                about["inputs"][name] = sockets[value[1]]
    graph = {
        "network": node("UNETLoader", unet_name=model.network.name, weight_dtype="default"),
        "clip": _text_loader(model),
        "vae": node("VAELoader", vae_name=model.vae.name),
    }
    return graph | simple


def _template(model: Published, graph: Graph, note: str) -> WorkflowTemplate:
    models = {"network": (model.network,), "clip": model.texts, "vae": (model.vae,)}
    return WorkflowTemplate(compared(graph), GROUPS, note, TITLES, models)


def _files(model: Published) -> str:
    """Where each file can be had and where it goes, a line each."""
    files = (model.network, *model.texts, model.vae)
    return "\n".join(f"- [{file.name}]({file.url}) into `ComfyUI/models/{file.directory}`" for file in files)


def _text_loader(model: Published) -> dict:
    names = [file.name for file in model.texts]
    if len(names) == 1:
        return node("CLIPLoader", clip_name=names[0], type=model.kind, device="default")
    return node("DualCLIPLoader", clip_name1=names[0], clip_name2=names[1], type=model.kind, device="default")
