"""The networks of perceptual measures from `models/lpips`, checked, and moved to and from the device by the host."""

import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TypeVar

import folder_paths
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor, nn

from .files import SUFFIX

FOLDER = "lpips"
Network = TypeVar("Network", bound=nn.Module)


def lpips_files() -> list[str]:
    """Names of the files in `models/lpips`, and where the host's extra_model_paths.yaml says that more are."""
    folder_paths.add_model_folder_path(FOLDER, os.path.join(folder_paths.models_dir, FOLDER))
    folder_paths.folder_names_and_paths[FOLDER][1].add(SUFFIX)
    return folder_paths.get_filename_list(FOLDER)


def lpips_path(name: str) -> Path:
    """The file called `name`. Raises ValueError where there is none."""
    if name not in lpips_files():
        raise ValueError(f"There is no file {name!r} in the folder models/{FOLDER}; put it there, or choose another.")
    return Path(folder_paths.get_full_path_or_raise(FOLDER, name))


def load_weights(name: str, load: Callable[[Mapping[str, Tensor]], Network]) -> Network:
    """What `load` makes of the tensors of a file. Raises ValueError for a file that is not there, damaged or unfit."""
    path = lpips_path(name)
    try:
        return load(load_file(path))
    except (SafetensorError, ValueError) as error:
        raise ValueError(f"{name!r} cannot be used. {error}") from error
