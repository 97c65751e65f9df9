"""Inversions as files: `.safetensors`, with everything that is not a tensor as JSON in the header."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any, Literal, TypedDict

from torch import Tensor

from ..storage import tensor_file
from ..storage.fit import named
from ..storage.tensor_file import Kind, damage_told, misfit_told
from .conditioning import Entry, from_file, to_file
from .record import Inversion
from .schedule import Schedule

KIND = Kind("inversion", "Save Inversion", "appearance_transfer.inversion", version=2)
CONDITIONING = "conditioning."


def save(inversion: Inversion, path: str | os.PathLike[str]) -> None:
    """Write an inversion. The file appears complete or not at all.

    Raises ValueError for an inversion with NaN or infinite numbers, which could not be loaded again.
    """
    if not inversion.is_finite():
        raise ValueError(
            "This inversion holds NaN or infinite numbers and was not saved; invert the image again "
            "(with the model in fp32 if it happens again)."
        )
    tensors = {"trajectory": inversion.trajectory, "noise_maps": inversion.noise_maps}
    texts, others = to_file(inversion.conditioning)
    tensors |= {CONDITIONING + name: tensor for name, tensor in texts.items()}
    if inversion.null_text is not None and inversion.null_text_losses is not None:
        tensors |= {"null_text": inversion.null_text, "null_text_losses": inversion.null_text_losses}
    tensor_file.write(path, KIND, _header(inversion, others), tensors)


def load(path: str | os.PathLike[str]) -> Inversion:
    """Read an inversion, bit by bit what was saved, on the CPU.

    Raises ValueError with what was found, what is needed and what to do for a missing, damaged or foreign file.
    """
    name = Path(path).name
    found, tensors = tensor_file.read(path, KIND)
    with damage_told(name, KIND):
        header = _parse(found)
        conditioning = from_file(named(tensors, CONDITIONING), header["conditioning"])
    for part in ("trajectory", "noise_maps"):
        if part not in tensors:
            raise ValueError(f"{name!r} lacks the {part} of an inversion; save the inversion again.")
    with misfit_told(name, KIND):
        inversion = _assemble(header, tensors, conditioning)
    if not inversion.is_finite():
        raise ValueError(f"{name!r} holds NaN or infinite numbers; invert the image again and save it anew.")
    return inversion


class Header(TypedDict):
    """Everything of an inversion that is not a tensor."""

    method: Literal["ddpm", "ddim"]
    sigmas: list[float]
    flow: bool
    finest: float
    eta: float
    guidance: float
    seed: int
    fingerprint: dict[str, str]
    conditioning: dict[str, Any]
    """Entries of the texts that are no tensors: numbers, texts, booleans, null, lists of these; and for an entry that
    is a list of tensors their number, {"tensors": 2}."""


def _header(inversion: Inversion, conditioning: dict[str, Any]) -> Header:
    return {
        "method": inversion.method,
        "sigmas": list(inversion.schedule.sigmas),
        "flow": inversion.schedule.flow,
        "finest": inversion.schedule.finest,
        "eta": inversion.eta,
        "guidance": inversion.guidance,
        "seed": inversion.seed,
        "fingerprint": dict(inversion.fingerprint),
        "conditioning": conditioning,
    }


def _parse(found: dict[str, Any]) -> Header:
    """The header from its JSON, every value of its kind. Whether the values make sense is for Inversion to say."""
    return {
        "method": found["method"],
        "sigmas": [float(sigma) for sigma in found["sigmas"]],
        "flow": bool(found["flow"]),
        "finest": float(found["finest"]),
        "eta": float(found["eta"]),
        "guidance": float(found["guidance"]),
        "seed": int(found["seed"]),
        "fingerprint": {str(key): str(value) for key, value in dict(found["fingerprint"]).items()},
        "conditioning": dict(found["conditioning"]),
    }


def _assemble(header: Header, tensors: dict[str, Tensor], conditioning: dict[str, Entry]) -> Inversion:
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
        null_text=tensors.get("null_text"),
        null_text_losses=tensors.get("null_text_losses"),
    )
