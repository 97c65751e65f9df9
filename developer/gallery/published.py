"""The simplest transfer on published transformers, each with the files that a user needs."""

from dataclasses import dataclass

from ..transfer_graph import GraphImage, Transfer, simple_graph
from ..ui_layout import Group
from .cross_image import TITLES
from .parts import node
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
    about="Flux.1 dev and schnell work in the same way. ",
)
FLUX2 = Published(
    "Flux.2 Klein",
    _split("Flux-2-Klein-4B", "diffusion_models", "flux-2-klein-base-4b.safetensors"),
    (_split("Flux-2-Klein-4B", "text_encoders", QWEN_3_4B),),
    _split("Flux-2-Klein-4B", "vae", "flux2-vae.safetensors"),
    "flux2",
    about="For the distilled *flux-2-klein-4b* set *steps* to 4 and *start_at_step* to 1 in both. ",
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
GROUPS = (
    Group("1. Model and images", [["network", "clip", "vae"], ["structure", "appearance"]]),
    Group("2. Prepare both", [["invert_structure", "invert_appearance"]]),
    Group("3. Transfer", [["attention", "sample"], ["decode", "save"]]),
)


def by_similarity(model: Published) -> WorkflowTemplate:
    """Cross-Image Attention, without text guidance."""
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
    files = (model.network, *model.texts, model.vae)
    listed = "\n".join(f"- [{file.name}]({file.url}) into `ComfyUI/models/{file.directory}`" for file in files)
    note = (
        f"# Cross-Image Attention on {model.title}\n{listed}\n\n"
        "Choose the two images: above the one that gives the shape, below the one that gives the look, of about one "
        f"megapixel each, and write what each shows into its *text*. {model.about}Raise *start_at_step* in both for "
        "more of the shape; masks of both objects in *Appearance Options* hold it best.\n\n"
        "This was tested on a tiny network of the same form, not on these files: see docs/models.md."
    )
    models = {"network": (model.network,), "clip": model.texts, "vae": (model.vae,)}
    return WorkflowTemplate(graph | simple, GROUPS, note, TITLES, models)


def _text_loader(model: Published) -> dict:
    names = [file.name for file in model.texts]
    if len(names) == 1:
        return node("CLIPLoader", clip_name=names[0], type=model.kind, device="default")
    return node("DualCLIPLoader", clip_name1=names[0], clip_name2=names[1], type=model.kind, device="default")
