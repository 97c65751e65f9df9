"""Tiny networks of random weights for the sockets whose real values need files or long training."""

import importlib
from collections.abc import Callable
from types import ModuleType, SimpleNamespace
from typing import Any

import nodes
import torch
from comfy.model_patcher import ModelPatcher


def _ours(module: str) -> ModuleType:
    """A module of the pack under test, whose own name is the path that ComfyUI loaded it from."""
    package = nodes.NODE_CLASS_MAPPINGS["AppearanceTransfer_PocketScene"].__module__.rsplit(".nodes.", 1)[0]
    return importlib.import_module(f"{package}.{module}")


def _patcher(network: torch.nn.Module) -> ModelPatcher:
    cpu = torch.device("cpu")
    return ModelPatcher(network.requires_grad_(False).eval(), load_device=cpu, offload_device=cpu)


def _vit() -> Any:
    vit = _ours("vit.vit")
    with torch.inference_mode(False):
        network = vit.VisionTransformer(vit.ViTConfig(width=128, depth=2, heads=2, patch=8, side=4))
    return _ours("host.vit.dino").ManagedVit(_patcher(network), "random")


def _generator() -> Any:
    with torch.inference_mode(False):
        weights = _ours("splice.generator").SkipGenerator().state_dict()
    return _ours("splice.checkpoint").TrainedGenerator(weights, 1)


def _editor() -> Any:
    architecture = _ours("distillation.architecture").EditorConfig(size=64, width=0.0625)
    with torch.inference_mode(False):
        weights = _ours("distillation.generator").Generator(architecture).state_dict()
    return _ours("distillation.checkpoint").DistilledEditor(architecture, weights, 1)


def _perceptual() -> Any:
    backbone, perceptual = _ours("evaluation.backbone"), _ours("evaluation.perceptual")
    with torch.inference_mode(False):
        network = perceptual.PerceptualDistance(backbone.Backbone(backbone.ALEXNET))
    return _ours("host.evaluation.perceptual").PerceptualNetwork(_patcher(network), "random")


def _embedded(images: torch.Tensor, **settings: Any) -> SimpleNamespace:
    """What a CLIP vision model makes of images [B, H, W, 3]: an embedding each, here always the same."""
    return SimpleNamespace(image_embeds=torch.ones(len(images), 64))


STAND_INS: dict[str, Callable[[], Any]] = {
    "DINO_VIT": _vit,
    "SPLICE_GENERATOR": _generator,
    "DISTILLED_EDITOR": _editor,
    "PERCEPTUAL_NETWORK": _perceptual,
    "CLIP_VISION": lambda: SimpleNamespace(encode_image=_embedded),
}
