"""Reading a pocket checkpoint: its header, and types and shapes of its tensors, are judged before the numbers."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from ..storage import bounded_json, fields
from ..storage.regular_file import open_regular
from ..storage.safetensors_table import LARGEST_HEADER, read_table
from ..storage.state_dict import are_finite
from ..storage.tensor_table import FLOATS
from .autoencoder import Autoencoder, host_tensors
from .checkpoint import CHECKPOINT, FORMAT, HEADER, TEXT, UNET, VAE, PocketCheckpoint
from .text import CLIP_VOCABULARY, TextEncoder, known_tokens
from .unet import UNet

_SIZE = fields.whole(1, 4096)
_FACTS = {
    "world": fields.whole(),
    "image_size": _SIZE,
    "unet": fields.record(
        model_channels=_SIZE,
        channel_mult=fields.list_of(fields.whole(1, 16), 8),
        num_res_blocks=fields.whole(1, 8),
        num_heads=fields.whole(1, 64),
        context_dim=_SIZE,
        latent_channels=fields.whole(1, 64),
    ),
    "text": fields.record(
        hidden_size=_SIZE,
        intermediate_size=fields.whole(1, 2**14),
        num_attention_heads=fields.whole(1, 64),
        num_hidden_layers=fields.whole(1, 64),
    ),
    "tokens": fields.list_of(fields.whole(0, CLIP_VOCABULARY - 1), CLIP_VOCABULARY),
    "schedule": fields.text,
    "prediction": fields.one_of("eps"),
}


def read_checkpoint(path: Path = CHECKPOINT) -> PocketCheckpoint:
    """Read a pocket checkpoint.

    Raises FileNotFoundError if there is none, ValueError if the file is damaged, is something else, is of another
    format, or does not hold every tensor of the three networks that its header describes.
    """
    if not path.is_file():
        raise FileNotFoundError(f"There is no pocket checkpoint {path.name!r}; get the pack anew.")
    with open_regular(path) as file:
        try:
            table = read_table(file)
        except ValueError as error:
            raise ValueError(f"{path.name} is damaged or no safetensors file ({error}).") from error
        if HEADER not in table.metadata:
            raise ValueError(f"{path.name} is no pocket checkpoint: its header has no {HEADER!r} entry.")
        try:
            metadata = _metadata(table.metadata[HEADER])
            _check_tensors(PocketCheckpoint(metadata, table.on_meta()))
            tensors = table.read(table.tensors)
            if broken := [name for name, tensor in tensors.items() if not are_finite({name: tensor})]:
                raise ValueError(f"{broken[0]} holds NaN or infinite numbers")
        except ValueError as error:
            raise ValueError(f"{path.name} is no pocket checkpoint that can be used: {error}. Get it anew.") from error
    return PocketCheckpoint(metadata, tensors)


def _metadata(text: str) -> dict[str, Any]:
    """The header. Raises ValueError for another format, and for what is missing or wrong in it."""
    metadata = bounded_json.parse(text, LARGEST_HEADER)
    if not isinstance(metadata, dict) or metadata.get("format") != FORMAT:
        found = metadata.get("format") if isinstance(metadata, dict) else None
        raise ValueError(f"it has the pocket format {str(found)[:20]!r}, this pack reads format {FORMAT}")
    metadata |= fields.record(**_FACTS)(metadata)
    if tuple(metadata["tokens"]) != known_tokens():
        raise ValueError("it knows other words than this pack")
    return metadata


def _check_tensors(checkpoint: PocketCheckpoint) -> None:
    """Compare the tensors, on "meta", with those of the networks. Raises ValueError for the first that does not fit."""
    needed = _needed(checkpoint)
    for name in sorted(needed.keys() ^ checkpoint.tensors.keys()):
        raise ValueError(f"{name[:80]} is {'missing' if name in needed else 'nothing of it'}")
    for name, tensor in checkpoint.tensors.items():
        if tensor.shape != needed[name].shape or tensor.dtype not in FLOATS:
            raise ValueError(
                f"{name} has the shape {list(tensor.shape)} and the type {tensor.dtype}, where "
                f"{list(needed[name].shape)} and floating-point numbers are needed"
            )


def _needed(checkpoint: PocketCheckpoint) -> Mapping[str, Tensor]:
    unet, text = checkpoint.unet_config, checkpoint.text_config
    widths = [unet.model_channels * mult for mult in unet.channel_mult]
    if not widths or any(width % unet.num_heads for width in widths) or text.hidden_size % text.num_attention_heads:
        raise ValueError("the widths of its networks cannot be split into their heads")
    if unet.context_dim != text.hidden_size:
        raise ValueError(f"its texts have {text.hidden_size} channels, where its U-Net wants {unet.context_dim}")
    builders: dict[str, Callable[[], nn.Module]] = {
        UNET: lambda: UNet(unet), TEXT: lambda: TextEncoder(text), VAE: Autoencoder,
    }  # fmt: skip
    with torch.device("meta"):
        networks = {prefix: build().state_dict() for prefix, build in builders.items()}
    networks[VAE] |= host_tensors({})
    return {prefix + name: tensor for prefix, tensors in networks.items() for name, tensor in tensors.items()}
