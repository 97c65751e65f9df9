"""Inversions as files: `.safetensors`, with everything that is not a tensor as JSON in the header."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from torch import Tensor

from ..storage import fields, tensor_file
from ..storage.atomic_write import atomic_write
from ..storage.schema import ANY_NUMBERS, TensorRule
from ..storage.state_dict import strip_prefix
from ..storage.tensor_file import FileFormat
from .conditioning import LIST_OF_TENSORS, from_file, to_file
from .part_checks import METHODS
from .schedule import Schedule
from .types import Inversion

MOST_LEVELS = 10_000
MOST_IMAGES = 10_000
CONDITIONING = "conditioning."
KIND = FileFormat(
    "inversion",
    "Save Inversion",
    "appearance_transfer.inversion",
    version=2,
    header={
        "method": fields.one_of(*METHODS),
        "sigmas": fields.list_of(fields.number(), MOST_LEVELS),
        "flow": fields.flag,
        "finest": fields.number(),
        "eta": fields.number(),
        "guidance": fields.number(),
        "seed": fields.whole(),
        "fingerprint": fields.texts,
        "prompts": fields.list_of(fields.text, MOST_IMAGES),
        "conditioning": fields.objects_of(
            fields.any_of(
                fields.scalar,
                fields.list_of(fields.scalar, fields.LONGEST),
                fields.record(**{LIST_OF_TENSORS: fields.whole(1)}),
            )
        ),
    },
    tensors={
        "trajectory": TensorRule(rank=5, needed=True),
        "noise_maps": TensorRule(needed=True),
        CONDITIONING + "positive": TensorRule(rank=3, needed=True),
        CONDITIONING + "negative": TensorRule(rank=3, needed=True),
        CONDITIONING + "positive.": TensorRule(dtypes=ANY_NUMBERS),
        CONDITIONING + "negative.": TensorRule(dtypes=ANY_NUMBERS),
        "null_text": TensorRule(rank=4),
        "null_text_losses": TensorRule(rank=3, gaps=True),
        "thumbnail": TensorRule(rank=4),
    },
)


def encode(inversion: Inversion) -> bytes:
    """An inversion as the content of a file.

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
    if inversion.thumbnail is not None:
        tensors["thumbnail"] = inversion.thumbnail
    return tensor_file.encode(KIND, _header(inversion, others), tensors)


def save(inversion: Inversion, path: str | os.PathLike[str]) -> None:
    """Write an inversion. The file appears complete or not at all. Raises ValueError as `encode`."""
    atomic_write(Path(path), encode(inversion))


def load(path: str | os.PathLike[str]) -> Inversion:
    """Read an inversion, bit by bit what was saved, on the CPU.

    Raises ValueError with what was found, what is needed and what to do for a missing, damaged or foreign file.
    """
    return tensor_file.load(path, KIND, _assemble)


def _header(inversion: Inversion, conditioning: dict[str, Any]) -> dict[str, Any]:
    """Everything of an inversion that is not a tensor.

    conditioning: entries of the texts that are no tensors: numbers, texts, booleans, null, lists of these; and for an
        entry that is a list of tensors their number, {"tensors": 2}.
    """
    return {
        "method": inversion.method,
        "sigmas": list(inversion.schedule.sigmas),
        "flow": inversion.schedule.flow,
        "finest": inversion.schedule.finest,
        "eta": inversion.eta,
        "guidance": inversion.guidance,
        "seed": inversion.seed,
        "fingerprint": dict(inversion.fingerprint),
        "prompts": list(inversion.prompts),
        "conditioning": conditioning,
    }


def _assemble(header: dict[str, Any], tensors: dict[str, Tensor]) -> Inversion:
    return Inversion(
        trajectory=tensors["trajectory"],
        noise_maps=tensors["noise_maps"],
        schedule=Schedule(tuple(header["sigmas"]), header["flow"], header["finest"]),
        eta=header["eta"],
        guidance=header["guidance"],
        seed=header["seed"],
        method=header["method"],
        fingerprint=header["fingerprint"],
        conditioning=from_file(strip_prefix(tensors, CONDITIONING), header["conditioning"]),
        prompts=tuple(header["prompts"]),
        null_text=tensors.get("null_text"),
        null_text_losses=tensors.get("null_text_losses"),
        thumbnail=tensors.get("thumbnail"),
    )
