"""DINO vision transformers from `models/dino`, checked, and moved to and from the device by ComfyUI."""

import hashlib
import logging
import os
from dataclasses import dataclass
from pathlib import Path

import comfy.model_management
import folder_paths
import torch
from comfy.model_patcher import ModelPatcher
from safetensors.torch import save
from torch import Tensor

from ...storage.atomic_write import atomic_write
from ...storage.weights_file import PICKLED, SAFE, open_weights
from ...vit.vit import VisionTransformer, empty_vit, is_weight, load_vit
from ..runtime.files import path_in_models
from ..runtime.images import as_images
from ..runtime.quoting import quoted

FOLDER = "dino"
PRECISIONS = {"fp32": torch.float32, "bf16": torch.bfloat16}
PRECISION = "fp32"

log = logging.getLogger("appearance_transfer")


@dataclass(frozen=True, eq=False)
class ManagedVit:
    """A ViT that ComfyUI loads, moves and unloads.

    weights: a digest of its weights as they were in the file. Two of the same digest see the same, up to precision.
    """

    patcher: ModelPatcher
    weights: str

    def on_device(self) -> VisionTransformer:
        """The network, loaded whole, to be used until the node ends."""
        with torch.inference_mode(False):  # so that what is moved stays of use to autograd
            comfy.model_management.load_models_gpu([self.patcher], force_full_load=True)
        return self.patcher.model

    def images(self, image: Tensor) -> Tensor:
        """IMAGE [B, H, W, 3 or 4] in 0..1 -> [B, 3, H, W], fp32, on the device."""
        return as_images(image, self.patcher.load_device)


def dino_files() -> list[str]:
    """Names of the files in `models/dino`, and where ComfyUI's extra_model_paths.yaml says that more are."""
    folder_paths.add_model_folder_path(FOLDER, os.path.join(folder_paths.models_dir, FOLDER))
    folder_paths.folder_names_and_paths[FOLDER][1].update((SAFE, PICKLED))
    return folder_paths.get_filename_list(FOLDER)


def dino_path(name: str) -> Path:
    """The file called `name`. Raises ValueError where there is none."""
    if name not in dino_files():
        raise ValueError(
            f"There is no file {quoted(name)} in the folder models/{FOLDER}. Put the backbone of DINO or DINOv2 there, "
            "such as dino_vitbase8_pretrain.pth, and reload the page."
        )
    return path_in_models(FOLDER, name)


def load_managed_vit(name: str, precision: str = PRECISION) -> ManagedVit:
    """The ViT of a file; precision: "fp32" or "bf16".

    The first time, a .pth of the authors is also written beside as .safetensors, which is read from then on.

    Raises ValueError for a file that is not there, damaged or no DINO ViT.
    """
    path = dino_path(name)
    with torch.inference_mode(False):  # so that gradients can go through
        state = _read(path)
        vit = _network(path, {name: tensor.to(PRECISIONS[precision]) for name, tensor in state.items()})
        if path.suffix == PICKLED:
            _convert(state, path.with_suffix(SAFE))
    # Not ComfyUI's dynamic patcher: it streams weights through buffers that autograd would find overwritten.
    offload = comfy.model_management.unet_offload_device()
    patcher = ModelPatcher(vit, load_device=comfy.model_management.get_torch_device(), offload_device=offload)
    return ManagedVit(patcher, _digest(state))


def _read(path: Path) -> dict[str, Tensor]:
    """The weights of a file on the CPU, of the .safetensors beside a .pth if there is one; judged before it is read."""
    converted = path.with_suffix(SAFE)
    source = converted if converted.is_file() else path
    with open_weights(source) as table:
        shapes = table.on_meta(is_weight)
        empty_vit(shapes)
        return table.read(shapes)


def _network(path: Path, weights: dict[str, Tensor]) -> VisionTransformer:
    try:
        return load_vit(weights)
    except ValueError as error:  # of their numbers; all else has been judged
        raise ValueError(f"{path.name!r} cannot be used. {error}") from error


def _convert(state: dict[str, Tensor], path: Path) -> None:
    """Write the weights as .safetensors, complete or not at all. Where the folder is not ours to write, leave it be."""
    if os.path.lexists(path):
        return
    try:
        atomic_write(path, save(state))
    except OSError as error:
        log.warning("%s The .pth will be read again next time.", error)


def _digest(state: dict[str, Tensor]) -> str:
    """A short hash of all weights."""
    digest = hashlib.sha256()
    for name in sorted(state):
        digest.update(name.encode())
        digest.update(state[name].contiguous().flatten().view(torch.uint8).numpy())
    return digest.hexdigest()[:16]
