"""The user's own checkpoint, looked at once before anything long begins: a wrong file is named as the user named it.

Only the header of a .safetensors file is read; of other kinds no more than that there is something in them, since they
are pickles.
"""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from .cli_output import CliError

ENDINGS = (".safetensors", ".sft", ".ckpt", ".pt", ".pth", ".bin")  # of what ComfyUI lists as checkpoints
WITH_HEADER = (".safetensors", ".sft")
LONGEST_HEADER = 100 * 2**20  # bytes, as the format has it
PARTS = {  # how the names of a whole checkpoint's tensors begin
    "diffusion network": ("model.diffusion_model.",),
    "autoencoder (VAE)": ("first_stage_model.", "vae."),
    "text encoder": ("cond_stage_model.", "conditioner.", "text_encoders."),
}


def check_checkpoint(file: str | Path) -> None:
    """Raises `CliError`, with the file's name, where it is not there or no whole checkpoint."""
    path = Path(file)
    if not path.is_file():
        raise CliError(f"There is no checkpoint {file}.")
    if path.suffix.lower() not in ENDINGS:
        raise CliError(f"{file} is no checkpoint that ComfyUI lists: its name must end with {', '.join(ENDINGS)}.")
    if path.suffix.lower() in WITH_HEADER:
        _check_parts(file, _header(file, path))
    elif path.stat().st_size == 0:
        raise CliError(f"{file} is empty: download it again.")


def _header(file: str | Path, path: Path) -> Mapping[str, Any]:
    """Names of the tensors, with where they lie."""
    damaged = CliError(f"{file} is no .safetensors file, or it is damaged: download it again.")
    try:
        with open(path, "rb") as opened:
            length = int.from_bytes(opened.read(8), "little")
            if not 2 <= length <= LONGEST_HEADER:
                raise damaged
            text = opened.read(length)
            header = dict(json.loads(text))
        ends = [about["data_offsets"][1] for name, about in header.items() if name != "__metadata__"]
    except PermissionError:
        raise CliError(f"{file} may not be read: permission denied.") from None
    except (ValueError, KeyError, TypeError, IndexError):
        raise damaged from None
    if path.stat().st_size < 8 + length + max(ends, default=0):
        raise CliError(f"{file} ends early, as a download that was broken off does: download it again.")
    return header


def _check_parts(file: str | Path, header: Mapping[str, Any]) -> None:
    missing = [part for part, begins in PARTS.items() if not any(name.startswith(begins) for name in header)]
    if missing:
        raise CliError(
            f"{file} holds no {' and no '.join(missing)}: give a whole checkpoint, as Load Checkpoint takes it, not a "
            "LoRA, a VAE or a network alone."
        )
