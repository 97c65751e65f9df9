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
from .text import CLIP_VOCABULARY, LENGTH, TextEncoder, known_tokens

_SIZE = fields.whole(1, 4096)
_FIELDS = {
    "world": fields.whole(),
    "image_size": _SIZE,
    "text": fields.record(
        hidden_size=_SIZE,
        intermediate_size=fields.whole(1, 2**14),
        num_attention_heads=fields.whole(1, 64),
        num_hidden_layers=fields.whole(1, 64),
    ),
    "tokens": fields.list_of(fields.whole(0, CLIP_VOCABULARY - 1), CLIP_VOCABULARY),
    "schedule": fields.text,
}
_UNET_FIELDS = {
    "unet": fields.record(
        model_channels=_SIZE,
        channel_mult=fields.list_of(fields.whole(1, 16), 8),
        num_res_blocks=fields.whole(1, 8),
        num_heads=fields.whole(1, 64),
        context_dim=_SIZE,
        latent_channels=fields.whole(1, 64),
    ),
    "prediction": fields.one_of("eps"),
}
_TRANSFORMER_FIELDS = {
    "transformer": fields.record(
        latent_channels=fields.whole(1, 64),
        context_dim=_SIZE,
        text_tokens=fields.whole(1, LENGTH),
        hidden_size=_SIZE,
        num_heads=fields.whole(1, 64),
        depth=fields.whole(1, 64),
        depth_single_blocks=fields.whole(0, 64),
        mlp_ratio=fields.whole(1, 16),
        axes_dim=fields.list_of(fields.whole(2, 256), 3),
        theta=fields.whole(2, 2**20),
        patch_size=fields.whole(1, 8),
    ),
    "prediction": fields.one_of("velocity"),
}


def read_checkpoint(path: Path = CHECKPOINT) -> PocketCheckpoint:
    """Read a pocket checkpoint.

    Raises FileNotFoundError if there is none, ValueError if the file is damaged, is something else, is of another
    format, or does not hold every tensor of the networks that its header describes. A transformer's file has no
    autoencoder: that of the U-Net's file joins it.
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
    if "transformer" in metadata:
        tensors |= {name: value for name, value in read_checkpoint().tensors.items() if name.startswith(VAE)}
    return PocketCheckpoint(metadata, tensors)


def _metadata(text: str) -> dict[str, Any]:
    """The header. Raises ValueError for another format, and for what is missing or wrong in it."""
    metadata = bounded_json.parse(text, LARGEST_HEADER)
    if not isinstance(metadata, dict) or metadata.get("format") != FORMAT:
        found = metadata.get("format") if isinstance(metadata, dict) else None
        raise ValueError(f"it has the pocket format {str(found)[:20]!r}, this pack reads format {FORMAT}")
    fields_of_kind = _FIELDS | (_TRANSFORMER_FIELDS if "transformer" in metadata else _UNET_FIELDS)
    metadata |= fields.record(**fields_of_kind)(metadata)
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
    text, is_transformer = checkpoint.text_config, checkpoint.transformer_config is not None
    heads_fit, context_dim = _fit_of_transformer(checkpoint) if is_transformer else _fit_of_unet(checkpoint)
    if not heads_fit or text.hidden_size % text.num_attention_heads:
        raise ValueError("the widths of its networks cannot be split into their heads")
    if context_dim != text.hidden_size:
        kind = "transformer" if is_transformer else "U-Net"
        raise ValueError(f"its texts have {text.hidden_size} channels, where its {kind} wants {context_dim}")
    builders: dict[str, Callable[[], nn.Module]] = {UNET: checkpoint.network, TEXT: lambda: TextEncoder(text)}
    if not is_transformer:
        builders[VAE] = Autoencoder
    with torch.device("meta"):
        networks = {prefix: build().state_dict() for prefix, build in builders.items()}
    if not is_transformer:
        networks[VAE] |= host_tensors({})
    return {prefix + name: tensor for prefix, tensors in networks.items() for name, tensor in tensors.items()}


def _fit_of_unet(checkpoint: PocketCheckpoint) -> tuple[bool, int]:
    """Whether the heads divide every width, and how wide a text it reads."""
    unet = checkpoint.unet_config
    widths = [unet.model_channels * mult for mult in unet.channel_mult]
    return bool(widths) and not any(width % unet.num_heads for width in widths), unet.context_dim


def _fit_of_transformer(checkpoint: PocketCheckpoint) -> tuple[bool, int]:
    """The same, and whether the axes of its rotation share out the channels of a head."""
    sizes = checkpoint.transformer_config
    assert sizes is not None
    rotates = len(sizes.axes_dim) == 3 and all(width % 2 == 0 for width in sizes.axes_dim)
    return rotates and sum(sizes.axes_dim) * sizes.num_heads == sizes.hidden_size, sizes.context_dim
