"""The judge of edits: a small network that says which species a pocket image shows, and in which coat.

It learns from renderings, a part of them after a round trip through the pocket autoencoder with noise on the latents,
as sampled images are. No method uses it. The first run trains it, in minutes, and keeps it in .cache/edits.
"""

from __future__ import annotations

import json
from collections.abc import Sequence

import torch
import torch.nn.functional as F
from safetensors import safe_open
from safetensors.torch import load_file, save_file
from torch import Tensor, nn
from tqdm import tqdm

from ...developer.paths import CACHE
from ...pocket.checkpoint_file import read_checkpoint
from ...pocket.render import render
from ...pocket.scene import COATS, SPECIES, Scene, random_scene

WEIGHTS = CACHE / "edits" / "judge.safetensors"
TRAITS = {"species": SPECIES, "coat": COATS}
SIZE = 128
FIRST_SEED = 4_000_000
LEARNED, DECODED, HELD_OUT = 3000, 400, 200
SAMPLES, BATCH, PEAK_RATE = 20_000, 32, 4e-3
LATENT_NOISE = 0.15
CHUNK = 20


def _layer(inputs: int, outputs: int, stride: int) -> nn.Sequential:
    conv = nn.Conv2d(inputs, outputs, 3, stride=stride, padding=1, bias=False)
    return nn.Sequential(conv, nn.BatchNorm2d(outputs), nn.ReLU())


class SceneClassifier(nn.Module):
    """From half to a sixteenth of the image's size, then the mean and the largest of every feature."""

    def __init__(self) -> None:
        super().__init__()
        widths = ((12, 16, 1), (16, 32, 2), (32, 64, 2), (64, 64, 1), (64, 96, 2), (96, 96, 1))
        self.see = nn.Sequential(*(_layer(*width) for width in widths))
        self.say = nn.Linear(2 * 96, sum(map(len, TRAITS.values())))

    def forward(self, images: Tensor) -> dict[str, Tensor]:
        """images [B, 3, 128, 128] in 0..1 -> logits [B, n] over the words of every trait."""
        seen = self.see(F.pixel_unshuffle(images * 2 - 1, 2))
        logits = self.say(torch.cat([seen.mean((2, 3)), seen.amax((2, 3))], dim=1))
        return dict(zip(TRAITS, logits.split([len(words) for words in TRAITS.values()], dim=1), strict=True))

    @torch.no_grad()
    def predictions(self, images: Tensor) -> dict[str, list[str]]:
        """The likeliest word of every trait for images [B, H, W, 3] in 0..1, which are judged at 128 px."""
        logits = [self(_fitted(some.movedim(-1, 1))) for some in images.split(CHUNK)]
        found = {trait: torch.cat([of_some[trait] for of_some in logits]).argmax(1).tolist() for trait in TRAITS}
        return {trait: [TRAITS[trait][index] for index in indexes] for trait, indexes in found.items()}


def _fitted(images: Tensor) -> Tensor:
    """[B, 3, H, W] at the size that the classifier has learned from."""
    if images.shape[2:] == (SIZE, SIZE):
        return images
    return F.interpolate(images, (SIZE, SIZE), mode="bilinear", antialias=True).clamp(0.0, 1.0)


def load_classifier() -> SceneClassifier:
    """The trained judge; trains it where that has not been done yet."""
    if not WEIGHTS.is_file():
        classifier = trained()
        WEIGHTS.parent.mkdir(parents=True, exist_ok=True)
        save_file(classifier.state_dict(), WEIGHTS, metadata={"right": json.dumps(accuracy(classifier))})
    classifier = SceneClassifier()
    classifier.load_state_dict(load_file(WEIGHTS))
    return classifier.requires_grad_(False).eval()


def classifier_metadata() -> dict[str, dict[str, list[float]]]:
    """Of every held-out image, rendered and decoded, whether the judge was right (1 or 0) about each trait."""
    with safe_open(WEIGHTS, "pt") as file:
        return json.loads(file.metadata()["right"])


def trained() -> SceneClassifier:
    """A judge after SAMPLES images of LEARNED scenes."""
    scenes = _scenes(0, LEARNED)
    images = _rendered(scenes)
    images = torch.cat([images, decoded(images[:DECODED])])
    truth = labels([*scenes, *scenes[:DECODED]])
    steps = SAMPLES // BATCH
    with torch.random.fork_rng():
        torch.manual_seed(0)
        classifier = SceneClassifier()
        adam = torch.optim.AdamW(classifier.parameters(), PEAK_RATE, weight_decay=0.01)
        rate = torch.optim.lr_scheduler.OneCycleLR(adam, PEAK_RATE, total_steps=steps)
        for _ in tqdm(range(steps), desc="training the judge", mininterval=10):
            chosen = torch.randint(len(images), (BATCH,))
            logits = classifier(worsened(images[chosen]))
            loss = sum(F.cross_entropy(logits[trait], truth[trait][chosen]) for trait in TRAITS)
            adam.zero_grad()
            loss.backward()
            adam.step()
            rate.step()
    return classifier.eval()


def accuracy(classifier: SceneClassifier) -> dict[str, dict[str, list[float]]]:
    """By kind of image and trait: 1 for every held-out scene of which the judge is right, 0 for the others."""
    scenes = _scenes(LEARNED, HELD_OUT)
    images = _rendered(scenes)
    right: dict[str, dict[str, list[float]]] = {}
    for kind, version in (("rendered", images), ("decoded", decoded(images))):
        predictions = classifier.predictions(version.movedim(1, -1))
        right[kind] = {
            trait: [float(word == getattr(scene, trait)) for word, scene in zip(words, scenes, strict=True)]
            for trait, words in predictions.items()
        }
    return right


@torch.no_grad()
def decoded(images: Tensor) -> Tensor:
    """Images [N, 3, H, W] through the pocket autoencoder, with noise of a fixed seed on the latents."""
    *_, autoencoder = read_checkpoint().models()
    noise = torch.Generator().manual_seed(1)
    pieces = []
    for some in images.split(CHUNK):
        latents = autoencoder.encode(some)
        latents = latents + LATENT_NOISE * torch.randn(latents.shape, generator=noise)
        pieces.append(autoencoder.decode(latents).clamp(0, 1))
    return torch.cat(pieces)


def _scenes(first: int, count: int) -> list[Scene]:
    return [random_scene(FIRST_SEED + number) for number in range(first, first + count)]


def _rendered(scenes: list[Scene]) -> Tensor:
    chunks = [scenes[i : i + CHUNK] for i in range(0, len(scenes), CHUNK)]
    return torch.cat([render(some, SIZE).image for some in tqdm(chunks, desc="rendering", mininterval=10)]).movedim(
        -1, 1
    )


def labels(scenes: Sequence[Scene]) -> dict[str, Tensor]:
    return {
        trait: torch.tensor([words.index(getattr(scene, trait)) for scene in scenes]) for trait, words in TRAITS.items()
    }


def worsened(images: Tensor) -> Tensor:
    """Mirrored, tinted, blurred and made noisy, each to a degree of its own."""
    count = len(images)
    mirrored = torch.rand(count, 1, 1, 1) < 0.5
    images = images.flip(-1).where(mirrored, images)
    images = images * (0.9 + 0.2 * torch.rand(count, 3, 1, 1)) + 0.1 * (torch.rand(count, 3, 1, 1) - 0.5)
    blurred = F.avg_pool2d(F.pad(images, (1, 1, 1, 1), mode="replicate"), 3, stride=1)
    images = torch.lerp(images, blurred, torch.rand(count, 1, 1, 1))
    return (images + 0.05 * torch.rand(count, 1, 1, 1) * torch.randn_like(images)).clamp(0, 1)
