"""Train a distilled editor under ComfyUI, and apply it."""

import time
from dataclasses import dataclass, replace

import comfy.model_management
import comfy.utils
import torch
from torch import Tensor

from ...distillation.checkpoint import DistilledEditor
from ...distillation.pairs import Dataset, PairFolder, as_squares, resized
from ...distillation.rng import seeded_rng
from ...distillation.storage import encode
from ...distillation.training import EditorTraining, EditorTrainingSettings
from ...evaluation.perceptual import load_lpips
from ...training.report import Report
from ..evaluation.perceptual import load_weights
from ..runtime.files import EDITORS
from ..runtime.model_runner import to_intermediate
from ..runtime.training_loop import CheckpointPolicy, in_words, run_training
from .pair_collecting import open_pairs

CHUNK = 8
"""Images that go through an editor at a time."""
PREVIEW_EVERY = 50
"""Steps."""


@dataclass(frozen=True)
class Distilled:
    """What came out. sheet: IMAGE [1, H, W, 3], rows of before, output, after. stopped: why it ended early."""

    sheet: Tensor
    editor: DistilledEditor
    reports: list[Report]
    seconds: float
    stopped: str = ""

    def __str__(self) -> str:
        speed, *lines = in_words(self.reports, self.seconds, self.stopped)
        return "\n".join([f"{self.editor}, {speed}", *lines])


def train_editor(
    name: str,
    steps: int,
    settings: EditorTrainingSettings,
    lpips: str = "",
    start: DistilledEditor | None = None,
    preview_every: int = PREVIEW_EVERY,
) -> Distilled:
    """Train on the collected pairs called `name` for `steps` steps, after those that `start` has behind it.

    lpips: name of a file with the weights of LPIPS, or empty. Where the training is interrupted or fails, the editor is
    saved as it is; the log says where. Where a loss becomes NaN, the editor from before is the result.

    Raises ValueError for a set of pairs that is empty, damaged or too small in size, and for an unfit file or `start`.
    """
    device = comfy.model_management.get_torch_device()
    with torch.inference_mode(False), torch.enable_grad():
        distance = load_weights(lpips, load_lpips).to(device) if lpips else None
        pairs = load_dataset(open_pairs(name), settings.architecture.size)
        comfy.model_management.free_memory(_room(settings), device)
        training = EditorTraining(pairs, settings, start, distance, device)
        metadata = _metadata(name, pairs, settings, lpips)
        policy = CheckpointPolicy(
            EDITORS,
            lambda: encode(_on_cpu(training.snapshot(), metadata)),
            "Load Distilled Editor",
            "Train Distilled Editor",
        )
        begun = time.perf_counter()
        reports, stopped = run_training(training, steps, preview_every, policy)
        seconds = time.perf_counter() - begun
        editor = _on_cpu(training.snapshot(), metadata)
        sheet = to_intermediate(training.output().movedim(1, -1))
    return Distilled(sheet, editor, reports, seconds, stopped)


def load_dataset(folder: PairFolder, size: int) -> Dataset:
    """All pairs of a folder, at `size` pixels. Raises ValueError where there are none."""
    if not len(folder):
        raise ValueError(
            f"There are no edit pairs called {folder.folder.name!r} in output/edit_pairs. Collect some with Edit-Pair "
            "Collector, or give the name that they were collected under."
        )
    progress = comfy.utils.ProgressBar(len(folder))
    images = []
    for pair in folder.pairs:
        comfy.model_management.throw_exception_if_processing_interrupted()
        images.append(folder.load(pair, size))
        progress.update(1)
    before, after = torch.stack(images, dim=1)
    return Dataset(before, after)


def apply_editor(editor: DistilledEditor, image: Tensor, seed: int, variation: float) -> Tensor:
    """IMAGE [B, H, W, 3] of any size -> its edit. The network sees squares of its own size; results are brought back.

    Every image gets the same noise, so that its edit does not hang on the batch.
    """
    device = comfy.model_management.get_torch_device()
    network = editor.network().to(device, torch.float32)
    size, style = editor.architecture.size, editor.architecture.style
    images = image[..., :3].movedim(-1, 1)
    progress = comfy.utils.ProgressBar(len(images))
    outputs = []
    for some in images.split(CHUNK):
        comfy.model_management.throw_exception_if_processing_interrupted()
        square_images = as_squares(some.to(device, torch.float32), size)
        with torch.no_grad(), seeded_rng(seed, device=device):
            edited = network(square_images * 2 - 1, torch.randn(1, style, device=device), variation)
        outputs.append(to_intermediate(resized((edited + 1) / 2, image.shape[1:3]).movedim(1, -1)))
        progress.update(len(some))
    return torch.cat(outputs)


def _room(settings: EditorTrainingSettings) -> int:
    """Bytes that one step takes, nearly: the activations of the finest layers, where most of them are."""
    architecture = settings.architecture
    finest = architecture.channels(architecture.levels - 1) * architecture.size**2
    return 4 * 40 * settings.batch * finest


def _metadata(name: str, pairs: Dataset, settings: EditorTrainingSettings, lpips: str) -> dict[str, str]:
    weights = settings.weights
    return {
        "pairs": f"{len(pairs)} of {name}",
        "weights": f"{weights.adversarial:g} {weights.perceptual if lpips else 0:g} {weights.pixel:g}",
        "batch": str(settings.batch),
        "learning rate": f"{settings.learning_rate:g}",
        "seed": str(settings.seed),
    }


def _on_cpu(editor: DistilledEditor, metadata: dict[str, str]) -> DistilledEditor:
    weights, memory = ({name: t.cpu() for name, t in group.items()} for group in (editor.weights, editor.memory))
    return replace(editor, weights=weights, memory=memory, metadata=metadata)
