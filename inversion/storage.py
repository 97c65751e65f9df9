"""Inversions as files: `.safetensors`, with everything that is not a tensor as JSON in the header."""

from __future__ import annotations

import json
import os
import uuid
from pathlib import Path
from typing import Literal, TypedDict

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
    beside = path.with_name(f".{path.name}.{uuid.uuid4().hex}.part")
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
            metadata = file.metadata() or {}
            # Clones, so that nothing stays mapped to a file that somebody may overwrite.
            tensors = {key: file.get_tensor(key).clone() for key in file.keys()}  # noqa: SIM118 (it is no mapping)
    except safetensors.SafetensorError as error:
        raise ValueError(
            f"{name!r} is damaged or no safetensors file ({error}); save the inversion again, or choose another file."
        ) from error
    if FORMAT not in metadata:
        raise ValueError(
            f"{name!r} is a safetensors file, but not an inversion; choose a file written by Save Inversion."
        )
    header = _parse(metadata[FORMAT], name)
    for part in ("trajectory", "noise_maps"):
        if part not in tensors:
            raise ValueError(f"{name!r} lacks the {part} of an inversion; save the inversion again.")
    try:
        inversion = _assemble(header, tensors)
    except ValueError as error:
        raise ValueError(f"{name!r} does not hold a usable inversion: {error}") from error
    if not inversion.is_finite():
        raise ValueError(f"{name!r} holds NaN or infinite numbers; invert the image again and save it anew.")
    return inversion


class Header(TypedDict):
    """Everything of an inversion that is not a tensor."""

    version: int
    method: Literal["ddpm", "ddim"]
    sigmas: list[float]
    flow: bool
    finest: float
    eta: float
    guidance: float
    seed: int
    fingerprint: dict[str, str]


def _header(inversion: Inversion) -> Header:
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


def _parse(text: str, name: str) -> Header:
    """The header from its JSON, every value of its kind. Whether the values make sense is for Inversion to say."""
    try:
        found = dict(json.loads(text))
        version = int(found["version"])
        if version == VERSION:
            return {
                "version": version,
                "method": found["method"],
                "sigmas": [float(sigma) for sigma in found["sigmas"]],
                "flow": bool(found["flow"]),
                "finest": float(found["finest"]),
                "eta": float(found["eta"]),
                "guidance": float(found["guidance"]),
                "seed": int(found["seed"]),
                "fingerprint": {str(key): str(value) for key, value in dict(found["fingerprint"]).items()},
            }
    except KeyError as error:
        raise ValueError(f"The header of {name!r} lacks {error.args[0]!r}; save the inversion again.") from error
    except (TypeError, ValueError) as error:
        raise ValueError(f"The header of {name!r} is damaged ({error}); save the inversion again.") from error
    raise ValueError(
        f"{name!r} is an inversion file of version {version}, but this pack reads version {VERSION}; "
        "update the pack, or save the inversion again."
    )


def _assemble(header: Header, tensors: dict[str, Tensor]) -> Inversion:
    conditioning = {
        key.removeprefix(CONDITIONING): tensor for key, tensor in tensors.items() if key.startswith(CONDITIONING)
    }
    return Inversion(
        trajectory=tensors["trajectory"],
        noise_maps=tensors["noise_maps"],
        schedule=Schedule(tuple(header["sigmas"]), header["flow"], header["finest"]),
        eta=header["eta"],
        guidance=header["guidance"],
        seed=header["seed"],
        method=header["method"],
        fingerprint=header["fingerprint"],
        conditioning=conditioning,
    )
