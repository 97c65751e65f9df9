"""Train Splice's generator under the host, and apply it."""

import time
from dataclasses import dataclass, replace

import comfy.model_management
import comfy.utils
import torch
from torch import Tensor

from ..splice.generator import check_side
from ..splice.preprocess import pillow_resized
from ..splice.record import TrainedGenerator
from ..splice.sight import Eye
from ..splice.storage import encode
from ..splice.training import Settings, Training
from ..splice.vit import VisionTransformer
from ..training.report import Report
from .container import to_intermediate
from .dino import ManagedVit
from .files import GENERATORS
from .gradients import autograd_inside
from .training_run import Keeping, in_words, run_training


@dataclass(frozen=True)
class View:
    """How the pictures are looked at."""

    resolution: int = 0
    """Their shorter side in pixels; 0 leaves them as they are."""
    layer: int = -1
    antialias: bool = False
    checkpointing: bool = False


@dataclass(frozen=True)
class Trained:
    """What came out. picture: IMAGE [1, H, W, 3]. stopped: why the training ended early, or empty."""

    picture: Tensor
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
    settings: Settings,
    view: View,
    start: TrainedGenerator | None = None,
    preview_every: int = 10,
) -> Trained:
    """Train on one pair of IMAGEs [1, H, W, 3] for `steps` steps, after those that `start` has behind it.

    Where the training is interrupted or fails, the generator is saved as it is; the log says where. Where the loss
    becomes NaN, the last sound generator is the result. Raises ValueError for more than one picture or too small ones.
    """
    pictures = [_single(vit, image, name) for image, name in ((structure, "structure"), (appearance, "appearance"))]
    if view.resolution:
        pictures = [pillow_resized(picture, view.resolution) for picture in pictures]
    comfy.model_management.free_memory(_room(vit.patcher.model, *pictures), vit.patcher.load_device)
    network = vit.on_device()
    with autograd_inside(network), torch.enable_grad():
        eye = Eye(network, view.layer, view.antialias, view.checkpointing)
        training = Training(eye, *(picture.clone() for picture in pictures), settings, start)
        facts = _facts(vit, training, pictures, view)
        begun = time.perf_counter()
        reports, stopped = run_training(training, steps, preview_every, _keeping(training, facts))
        seconds = time.perf_counter() - begun
        generator = _on_cpu(training.snapshot(), facts)
        picture = to_intermediate(training.output().movedim(1, -1))
    return Trained(picture, generator, reports, seconds, stopped)


def apply_generator(generator: TrainedGenerator, image: Tensor) -> Tensor:
    """IMAGE [B, H, W, 3] of any size from 64 px -> the same in the learned appearance, picture by picture."""
    pictures = image[..., :3].movedim(-1, 1)
    check_side(pictures, "image")
    device = comfy.model_management.get_torch_device()
    network = generator.network().to(device, torch.float32)
    progress = comfy.utils.ProgressBar(len(pictures))
    outputs = []
    with torch.no_grad():
        for picture in pictures.split(1):
            comfy.model_management.throw_exception_if_processing_interrupted()
            outputs.append(to_intermediate(network(picture.to(device, torch.float32)).movedim(1, -1)))
            progress.update(1)
    return torch.cat(outputs)


def _keeping(training: Training, facts: dict[str, str]) -> Keeping:
    return Keeping(
        GENERATORS,
        lambda: encode(_on_cpu(training.snapshot(), facts)),
        "Load Splice Generator",
        "Train Splice",
    )


def _single(vit: ManagedVit, image: Tensor, name: str) -> Tensor:
    if len(image) != 1:
        raise ValueError(
            f"Splice learns from one {name} picture, but {len(image)} are connected; choose one with ImageFromBatch."
        )
    return vit.pictures(image)


def _room(vit: VisionTransformer, *pictures: Tensor) -> int:
    """Bytes that the graphs of one step take: two crops and the whole structure picture, through both networks."""
    architecture = vit.architecture
    tokens = (224 // architecture.patch) ** 2
    per_token = 20 * architecture.width * architecture.depth * vit.cls_token.element_size()
    pixels = sum(picture[0, 0].numel() for picture in pictures) + pictures[0][0, 0].numel()
    return 3 * tokens * per_token + pixels * 1000


def _facts(vit: ManagedVit, training: Training, pictures: list[Tensor], view: View) -> dict[str, str]:
    sizes = (f"{picture.shape[-1]}x{picture.shape[-2]}" for picture in pictures)
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


def _on_cpu(generator: TrainedGenerator, facts: dict[str, str]) -> TrainedGenerator:
    return replace(
        generator,
        weights={name: tensor.cpu() for name, tensor in generator.weights.items()},
        squares={name: tensor.cpu() for name, tensor in generator.squares.items()},
        facts=facts,
    )
