"""The files of models that the pack reads: a good one of each, its loader, what holds of what comes out."""

from __future__ import annotations

import io
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import torch
from safetensors.torch import save
from torch import Tensor, nn

from ...evaluation.backbone import ALEXNET, Backbone
from ...evaluation.perceptual import PerceptualDistance
from ...storage.state_dict import are_finite
from ...vit.vit import VisionTransformer, ViTConfig
from .damage import BYTES
from .damaged_tensors import ARCHIVE, TENSORS
from .subjects import Subject


def models() -> Iterator[Subject]:
    """Files of models and of ComfyUI's text encoders; ComfyUI runs in this process."""
    import folder_paths

    from ...host.evaluation.clip_scores import _file_lacks_projection
    from ...host.evaluation.perceptual import load_perceptual_network
    from ...host.vit.dino import load_managed_vit

    state = VisionTransformer(ViTConfig(width=128, depth=2, heads=2, patch=8, side=4)).state_dict()
    vit, pickled = save(state), io.BytesIO()
    torch.save(state, pickled)
    folders = {name: Path(folder_paths.models_dir) / name for name in ("dino", "lpips")}
    folders |= {"input": Path(folder_paths.get_input_directory())}

    def network(found: Any) -> str:
        return _problem_of(found.patcher.model)

    def load_pth() -> Any:
        (folders["dino"] / "fuzzed.safetensors").unlink(missing_ok=True)  # what an earlier case was converted to
        return load_managed_vit("fuzzed.pth")

    safe = partial(load_managed_vit, "fuzzed_safe.safetensors")
    path = folders["dino"] / "fuzzed_safe.safetensors"
    yield Subject("DINO .safetensors", path, vit, safe, network, (*BYTES, *TENSORS), 1.5, contained=False)
    path = folders["dino"] / "fuzzed.pth"
    yield Subject("DINO .pth", path, pickled.getvalue(), load_pth, network, (*BYTES, *ARCHIVE), 1.5, contained=False)
    path, lpips = folders["lpips"] / "fuzzed.safetensors", partial(load_perceptual_network, "fuzzed.safetensors")
    yield Subject("LPIPS", path, save(_lpips()), lpips, network, (*BYTES, *TENSORS * 2), 0.5, contained=False)
    path = folders["input"] / "clip.safetensors"
    clip = SimpleNamespace(patcher=SimpleNamespace(cached_patcher_init=(None, ([str(path)],))))
    lacks = partial(_file_lacks_projection, clip)
    yield Subject("text encoder", path, vit, lacks, lambda found: "", (*BYTES, *TENSORS), 0.5, contained=False)


def pocket(folder: Path) -> Subject:
    """A pocket checkpoint with the smallest U-Net there can be."""
    from ...pocket.autoencoder import Autoencoder
    from ...pocket.checkpoint import write_checkpoint
    from ...pocket.checkpoint_file import read_checkpoint
    from ...pocket.text import TextConfig, TextEncoder
    from ...pocket.unet import UNet, UNetConfig

    config = UNetConfig(model_channels=32, channel_mult=(1, 1), num_heads=2)
    networks = {"unet": UNet(config), "text": TextEncoder(TextConfig())}
    weights = {f"{name}.{key}": t for name, network in networks.items() for key, t in network.state_dict().items()}
    path = folder / "pocket.safetensors"
    write_checkpoint(path, weights, Autoencoder().state_dict(), config, TextConfig(), 64, {})
    return Subject(
        "pocket checkpoint", path, path.read_bytes(), lambda: read_checkpoint(path),
        lambda found: "".join(map(_problem_of, found.models())), (*BYTES, *TENSORS * 2), 0.5, contained=False,
    )  # fmt: skip


def _problem_of(network: nn.Module) -> str:
    state = network.state_dict()
    fits = are_finite(state) and all(tensor.is_floating_point() for tensor in state.values())
    return "" if fits else "weights that are no finite numbers were taken"


def _lpips() -> dict[str, Tensor]:
    """AlexNet with the heads of LPIPS, under the names of torchvision and lpips."""
    network = PerceptualDistance(Backbone(ALEXNET))
    numbers = (0, 3, 6, 8, 10)
    state = {}
    for number, block, head in zip(numbers, network.backbone.blocks, network.heads, strict=True):
        state |= {f"features.{number}.{name}": tensor for name, tensor in block[0].state_dict().items()}
        state[f"lin{numbers.index(number)}.model.1.weight"] = head.weight
    return state
