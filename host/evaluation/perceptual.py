"""The networks of perceptual measures from `models/lpips`, checked, and moved to and from the device by ComfyUI."""

import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

import comfy.model_management
import folder_paths
import torch
from comfy.model_patcher import ModelPatcher
from torch import Tensor, nn

from ...evaluation.backbone import Backbone, load_backbone
from ...evaluation.perceptual import PerceptualDistance, has_heads, is_weight, load_lpips
from ...storage.weights_file import open_weights
from ..runtime.files import SUFFIX, path_in_models
from ..runtime.quoting import quoted

FOLDER = "lpips"
Network = TypeVar("Network", bound=nn.Module)


def lpips_files() -> list[str]:
    """Names of the files in `models/lpips`, and where ComfyUI's extra_model_paths.yaml says that more are."""
    folder_paths.add_model_folder_path(FOLDER, os.path.join(folder_paths.models_dir, FOLDER))
    folder_paths.folder_names_and_paths[FOLDER][1].add(SUFFIX)
    return folder_paths.get_filename_list(FOLDER)


def lpips_path(name: str) -> Path:
    """The file called `name`. Raises ValueError where there is none."""
    if name not in lpips_files():
        raise ValueError(
            f"There is no file {quoted(name)} in the folder models/{FOLDER}; put it there, or choose another."
        )
    return path_in_models(FOLDER, name)


def load_weights(name: str, load: Callable[[Mapping[str, Tensor]], Network]) -> Network:
    """What `load` makes of the tensors of a file. Raises ValueError for a file that is not there, damaged or unfit."""
    with open_weights(lpips_path(name)) as table:
        shapes = table.on_meta(is_weight)
        with torch.device("meta"):
            load(shapes)  # what does not fit is refused before it is read
        return load(table.read(shapes))


@dataclass(frozen=True, eq=False)
class PerceptualNetwork:
    """A network that ComfyUI loads, moves and unloads. file: where its weights are from."""

    patcher: ModelPatcher
    file: str

    def __str__(self) -> str:
        return f"{self._backbone.architecture.name} of {self.file}"

    @property
    def device(self) -> torch.device:
        return self.patcher.load_device

    def backbone(self) -> Backbone:
        """Without the heads of LPIPS, loaded, to be used until the node ends."""
        self._load()
        return self._backbone

    def distance(self) -> PerceptualDistance:
        """LPIPS, loaded, to be used until the node ends. Raises ValueError where the file has no heads."""
        if not isinstance(self.patcher.model, PerceptualDistance):
            raise ValueError(
                f"{self.file!r} holds {self._backbone.architecture.name} without the heads of LPIPS; choose a file "
                "with the state of lpips.LPIPS(net='vgg')."
            )
        self._load()
        return self.patcher.model

    @property
    def _backbone(self) -> Backbone:
        network = self.patcher.model
        return network.backbone if isinstance(network, PerceptualDistance) else network

    def _load(self) -> None:
        comfy.model_management.load_models_gpu([self.patcher], force_full_load=True)


def load_perceptual_network(name: str) -> PerceptualNetwork:
    """LPIPS, or the network alone where the file has no more. Raises ValueError as `load_weights`."""
    network = load_weights(name, lambda state: load_lpips(state) if has_heads(state) else load_backbone(state))
    offload = comfy.model_management.unet_offload_device()
    patcher = ModelPatcher(network, load_device=comfy.model_management.get_torch_device(), offload_device=offload)
    return PerceptualNetwork(patcher, name)
