"""Inversions as files: `.safetensors`, with everything that is not a tensor as JSON in the header."""

from __future__ import annotations

import json
import os
import tempfile
from pathlib import Path
from typing import Any

import safetensors
import safetensors.torch
from torch import Tensor

from .record import Inversion
from .schedule import Schedule

FORMAT = "appearance_transfer.inversion"
VERSION = 1
CONDITIONING = "conditioning."


def save(inversion: Inversion, path: str | os.PathLike[str]) -> None:
    """Write an inversion. The file appears complete or not at all: it is written beside its place, then renamed.

    Raises ValueError for an inversion with NaN or infinite numbers, which could not be loaded again.
    """
    if not inversion.is_finite():
        raise ValueError(
            "This inversion holds NaN or infinite numbers and was not saved; invert the image again "
            "(with the model in fp32 if it happens again)."
        )
    tensors = {"trajectory": inversion.trajectory, "noise_maps": inversion.noise_maps}
    tensors |= {CONDITIONING + name: tensor for name, tensor in inversion.conditioning.items()}
    # Clones, because the format refuses tensors that share memory, and views of one batch do.
    tensors = {name: tensor.detach().cpu().clone().contiguous() for name, tensor in tensors.items()}
    data = safetensors.torch.save(tensors, {FORMAT: json.dumps(_header(inversion))})
    path = Path(path)
    with tempfile.NamedTemporaryFile(dir=path.parent, prefix=path.name, suffix=".part", delete=False) as file:
        beside = Path(file.name)
    try:
        beside.write_bytes(data)
        os.replace(beside, path)
    finally:
        beside.unlink(missing_ok=True)


def load(path: str | os.PathLike[str]) -> Inversion:
    """Read an inversion, bit by bit what was saved, on the CPU.

    Raises ValueError with what was found, what is needed and what to do for a missing, damaged or foreign file.
    """
    name = Path(path).name
    if not Path(path).is_file():
        raise ValueError(f"There is no inversion file {name!r}; save one with Save Inversion, or choose another.")
    try:
        with safetensors.safe_open(path, framework="pt") as file:
            header = _read_header(file.metadata() or {}, name)
            tensors = {key: file.get_tensor(key) for key in file.keys()}  # noqa: SIM118 (the file is no mapping)
    except safetensors.SafetensorError as error:
        raise ValueError(
            f"{name!r} is damaged or no safetensors file ({error}); save the inversion again, or choose another file."
        ) from error
    try:
        inversion = _assemble(header, tensors)
    except KeyError as error:
        raise ValueError(
            f"{name!r} lacks the part {error.args[0]!r} of an inversion; save the inversion again."
        ) from error
    except (TypeError, ValueError) as error:
        raise ValueError(f"{name!r} does not hold a usable inversion: {error}") from error
    if not inversion.is_finite():
        raise ValueError(f"{name!r} holds NaN or infinite numbers; invert the image again and save it anew.")
    return inversion


def _header(inversion: Inversion) -> dict[str, Any]:
    return {
        "version": VERSION,
        "method": inversion.method,
        "sigmas": list(inversion.schedule.sigmas),
        "flow": inversion.schedule.flow,
        "finest": inversion.schedule.finest,
        "eta": inversion.eta,
        "guidance": inversion.guidance,
        "seed": inversion.seed,
        "fingerprint": dict(inversion.fingerprint),
    }


def _read_header(metadata: dict[str, str], name: str) -> dict[str, Any]:
    if FORMAT not in metadata:
        raise ValueError(
            f"{name!r} is a safetensors file, but not an inversion; choose a file written by Save Inversion."
        )
    try:
        header = json.loads(metadata[FORMAT])
    except json.JSONDecodeError as error:
        raise ValueError(f"The header of {name!r} is damaged ({error}); save the inversion again.") from error
    if not isinstance(header, dict) or header.get("version") != VERSION:
        found = header.get("version") if isinstance(header, dict) else None
        raise ValueError(
            f"{name!r} is an inversion file of version {found}, but this pack reads version {VERSION}; "
            "update the pack, or save the inversion again."
        )
    return header


def _assemble(header: dict[str, Any], tensors: dict[str, Tensor]) -> Inversion:
    """Raises KeyError for a missing part, TypeError or ValueError for one that does not fit."""
    conditioning = {
        key.removeprefix(CONDITIONING): tensor for key, tensor in tensors.items() if key.startswith(CONDITIONING)
    }
    return Inversion(
        trajectory=tensors["trajectory"],
        noise_maps=tensors["noise_maps"],
        schedule=Schedule(tuple(header["sigmas"]), bool(header["flow"]), float(header["finest"])),
        eta=float(header["eta"]),
        guidance=float(header["guidance"]),
        seed=int(header["seed"]),
        method=header["method"],
        fingerprint={str(key): str(value) for key, value in dict(header["fingerprint"]).items()},
        conditioning=conditioning,
    )
