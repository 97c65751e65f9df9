"""Train Splice's generator under ComfyUI, and apply it."""

import time
from dataclasses import dataclass, replace

import comfy.model_management
import comfy.utils
import torch
from torch import Tensor

from ...splice.checkpoint import TrainedGenerator
from ...splice.generator import check_side
from ...splice.storage import encode
from ...splice.training import SpliceSettings, SpliceTraining
from ...training.report import Report
from ...vit.features import ViTExtractor
from ...vit.preprocess import pillow_resized
from ...vit.vit import VisionTransformer
from ..runtime.files import GENERATORS
from ..runtime.gradients import autograd_inside
from ..runtime.model_runner import to_intermediate
from ..runtime.training_loop import CheckpointPolicy, in_words, run_training
from .dino import ManagedVit

PREVIEW_EVERY = 10
"""Steps."""


@dataclass(frozen=True)
class View:
    """How the images are looked at."""

    resolution: int = 512
    """Their shorter side in pixels; 0 leaves them as they are."""
    layer: int = -1
    antialias: bool = False
    checkpointing: bool = False


@dataclass(frozen=True)
class Trained:
    """What came out. image: IMAGE [1, H, W, 3]. stopped: why the training ended early, or empty."""

    image: Tensor
    generator: TrainedGenerator
    reports: list[Report]
    seconds: float
    stopped: str = ""

    def __str__(self) -> str:
        speed, *lines = in_words(self.reports, self.seconds, self.stopped)
        return "\n".join([f"{self.generator}, {speed}", *lines])


def train_splice(
    vit: ManagedVit,
    structure: Tensor,
    appearance: Tensor,
    steps: int,
    settings: SpliceSettings,
    view: View,
    start: TrainedGenerator | None = None,
    preview_every: int = PREVIEW_EVERY,
) -> Trained:
    """Train on one pair of IMAGEs [1, H, W, 3] for `steps` steps, after those that `start` has behind it.

    Where the training is interrupted or fails, the generator is saved as it is; the log says where. Where the loss
    becomes NaN, the last sound generator is the result. Raises ValueError for more than one image or too small ones.
    """
    images = [_single(vit, batch, name) for batch, name in ((structure, "structure"), (appearance, "appearance"))]
    if view.resolution:
        images = [pillow_resized(image, view.resolution) for image in images]
    comfy.model_management.free_memory(_room(vit.patcher.model, *images), vit.patcher.load_device)
    network = vit.on_device()
    with autograd_inside(network), torch.enable_grad():
        extractor = ViTExtractor(network, view.layer, view.antialias, view.checkpointing)
        training = SpliceTraining(extractor, *(image.clone() for image in images), settings, start)
        metadata = _metadata(vit, training, images, view)
        begun = time.perf_counter()
        reports, stopped = run_training(training, steps, preview_every, _policy(training, metadata))
        seconds = time.perf_counter() - begun
        generator = _on_cpu(training.snapshot(), metadata)
        image = to_intermediate(training.output().movedim(1, -1))
    return Trained(image, generator, reports, seconds, stopped)


def apply_generator(generator: TrainedGenerator, image: Tensor) -> Tensor:
    """IMAGE [B, H, W, 3] of any size from 64 px -> the same in the learned appearance, single by single."""
    images = image[..., :3].movedim(-1, 1)
    check_side(images, "image")
    device = comfy.model_management.get_torch_device()
    network = generator.network().to(device, torch.float32)
    progress = comfy.utils.ProgressBar(len(images))
    outputs = []
    with torch.no_grad():
        for single in images.split(1):
            comfy.model_management.throw_exception_if_processing_interrupted()
            outputs.append(to_intermediate(network(single.to(device, torch.float32)).movedim(1, -1)))
            progress.update(1)
    return torch.cat(outputs)


def _policy(training: SpliceTraining, metadata: dict[str, str]) -> CheckpointPolicy:
    return CheckpointPolicy(
        GENERATORS,
        lambda: encode(_on_cpu(training.snapshot(), metadata)),
        "Load Splice Generator",
        "Train Splice",
    )


def _single(vit: ManagedVit, image: Tensor, name: str) -> Tensor:
    if len(image) != 1:
        raise ValueError(
            f"Splice learns from one {name} image, but {len(image)} are connected; choose one with ImageFromBatch."
        )
    return vit.images(image)


def _room(vit: VisionTransformer, *images: Tensor) -> int:
    """Bytes that the graphs of one step take: two crops and the whole structure image, through both networks."""
    architecture = vit.architecture
    tokens = (224 // architecture.patch) ** 2
    per_token = 20 * architecture.width * architecture.depth * vit.cls_token.element_size()
    pixels = sum(image[0, 0].numel() for image in images) + images[0][0, 0].numel()
    return 3 * tokens * per_token + pixels * 1000


def _metadata(vit: ManagedVit, training: SpliceTraining, images: list[Tensor], view: View) -> dict[str, str]:
    sizes = (f"{image.shape[-1]}x{image.shape[-2]}" for image in images)
    weights = training.settings.weights
    return {
        "structure": next(sizes),
        "appearance": next(sizes),
        "weights": f"{weights.appearance:g} {weights.structure:g} {weights.identity:g}",
        "learning rate": f"{training.settings.learning_rate:g}",
        "seed": str(training.settings.seed),
        "vit": vit.weights,
        "layer": str(view.layer),
    }


def _on_cpu(generator: TrainedGenerator, metadata: dict[str, str]) -> TrainedGenerator:
    return replace(
        generator,
        weights={name: tensor.cpu() for name, tensor in generator.weights.items()},
        second_moments={name: tensor.cpu() for name, tensor in generator.second_moments.items()},
        metadata=metadata,
    )
