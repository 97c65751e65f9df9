"""A pocket checkpoint: one small safetensors file in ComfyUI's key names, with what made it in its header.

Keys: model.diffusion_model.* (U-Net or transformer), cond_stage_model.transformer.text_model.* (text encoder, with only
the token rows that captions use), first_stage_model.* (autoencoder; the transformer's file has none, it shares the one
of the U-Net's file). Header entry "pocket": JSON, see checkpoint_file.py.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import torch
from safetensors import safe_open
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from .autoencoder import Autoencoder, host_tensors
from .scene import WORLD_VERSION
from .text import TextConfig, TextEncoder, expand_vocabulary, known_tokens
from .transformer import Transformer, TransformerConfig
from .unet import UNet, UNetConfig

_HERE = Path(__file__).parent
TRANSFORMER_NETWORK = "transformer 256 px"
NETWORKS = {
    "U-Net 128 px": _HERE / "pocket.safetensors",
    "U-Net 256 px": _HERE / "pocket_256.safetensors",
    TRANSFORMER_NETWORK: _HERE / "pocket_transformer.safetensors",
}
"""The committed checkpoints by the choice on the node; the pixels are what each was trained for last."""
DEFAULT_NETWORK = "U-Net 128 px"
LARGE_NETWORK = "U-Net 256 px"
CHECKPOINT = NETWORKS[DEFAULT_NETWORK]
TRANSFORMER_CHECKPOINT = NETWORKS[TRANSFORMER_NETWORK]
FORMAT = 1
HEADER = "pocket"
UNET, TEXT, VAE = "model.diffusion_model.", "cond_stage_model.transformer.", "first_stage_model."
TOKENS = TEXT + "text_model.embeddings.token_embedding.weight"


@dataclass(frozen=True)
class PocketCheckpoint:
    """`metadata` is the header: format, world (version), image_size, unet or transformer, and text (sizes), tokens
    (CLIP ids of the embedding rows), schedule, prediction, training (what it has seen). `tensors` are as stored, fp16.
    """

    metadata: dict
    tensors: dict[str, Tensor]

    @property
    def unet_config(self) -> UNetConfig:
        """Sizes of the U-Net."""
        sizes = dict(self.metadata["unet"])
        return UNetConfig(**{**sizes, "channel_mult": tuple(sizes["channel_mult"])})

    @property
    def transformer_config(self) -> TransformerConfig | None:
        """Sizes of the transformer; None for a U-Net."""
        if "transformer" not in self.metadata:
            return None
        sizes = dict(self.metadata["transformer"])
        return TransformerConfig(**{**sizes, "axes_dim": tuple(sizes["axes_dim"])})

    @property
    def text_config(self) -> TextConfig:
        """Sizes of the text encoder."""
        return TextConfig(**self.metadata["text"])

    def host_state(self) -> dict[str, Tensor]:
        """The tensors with the token table of full CLIP height: a checkpoint as stock loaders read it.

        The scale of latents is the exact one: the file's half precision is off by 1e-4 of it.
        """
        table = expand_vocabulary(self.tensors[TOKENS], tuple(self.metadata["tokens"]))
        scale = {VAE + name: value for name, value in host_tensors({}).items()}
        return {**self.tensors, **scale, TOKENS: table}

    def network(self) -> nn.Module:
        """The denoising network, with fresh weights: a `UNet` or a `Transformer`."""
        transformer = self.transformer_config
        return UNet(self.unet_config) if transformer is None else Transformer(transformer)

    def models(self) -> tuple[nn.Module, TextEncoder, Autoencoder]:
        """The three networks without ComfyUI, in fp32, frozen."""
        built = (self.network(), TextEncoder(self.text_config), Autoencoder())
        for model, prefix in zip(built, (UNET, TEXT, VAE), strict=True):
            own = {k.removeprefix(prefix): v.float() for k, v in self.tensors.items() if k.startswith(prefix)}
            model.load_state_dict({k: v for k, v in own.items() if not k.startswith("vae_")})
            model.requires_grad_(False).eval()
        return built


def trusted_checkpoint(path: Path) -> PocketCheckpoint:
    """A checkpoint of the trainer's own, read without the checks of checkpoint_file.py, which a bare machine lacks."""
    with safe_open(path, "pt") as file:
        metadata = json.loads(file.metadata()[HEADER])
    return PocketCheckpoint(metadata, load_file(path))


def write_checkpoint(
    path: Path,
    denoiser: dict[str, Tensor],
    autoencoder: dict[str, Tensor],
    unet: UNetConfig,
    text: TextConfig,
    image_size: int,
    training: dict[str, object],
) -> None:
    """Write averaged weights (keys unet.*, text.*) and the autoencoder's in fp16. `training` says what they have
    seen.
    """
    tensors = {VAE + name: value for name, value in host_tensors(autoencoder).items()}
    about = {
        "unet": unet.as_dict(),
        "schedule": "scaled linear, beta 0.00085 to 0.012, 1000 steps",
        "prediction": "eps",
    }
    _write(path, _host_names(denoiser) | tensors, about, text, image_size, training)


def write_transformer(
    path: Path,
    denoiser: dict[str, Tensor],
    transformer: TransformerConfig,
    text: TextConfig,
    image_size: int,
    training: dict[str, object],
) -> None:
    """The same for averaged weights of a transformer (keys network.*, text.*), without an autoencoder."""
    about = {
        "transformer": transformer.as_dict(),
        "schedule": "x = (1 - sigma) * latent + sigma * noise",
        "prediction": "velocity",
    }
    _write(path, _host_names(denoiser), about, text, image_size, training)


def _host_names(denoiser: dict[str, Tensor]) -> dict[str, Tensor]:
    named = {}
    for name, value in denoiser.items():
        kind, rest = name.split(".", 1)
        named[(TEXT if kind == "text" else UNET) + rest] = value
    return named


def _write(
    path: Path,
    tensors: dict[str, Tensor],
    about: Mapping[str, object],
    text: TextConfig,
    image_size: int,
    training: dict[str, object],
) -> None:
    metadata = {
        "format": FORMAT,
        "world": WORLD_VERSION,
        "image_size": image_size,
        "text": text.as_dict(),
        "tokens": list(known_tokens()),
        "training": training,
        **about,
    }
    unfinished = path.with_suffix(".part")
    halves = {name: value.to(torch.float16).contiguous() for name, value in tensors.items()}
    save_file(halves, unfinished, metadata={HEADER: json.dumps(metadata)})
    unfinished.replace(path)
