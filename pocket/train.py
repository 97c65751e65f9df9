"""Train the pocket checkpoint from nothing: `python -m pocket.train` in the repository, resumable at any point.

Phases: autoencoder, latents, denoiser, decoder, segmenter, export. Each does only what is not done yet in pocket/runs/;
`decoder` sharpens a finished autoencoder and runs when it is named, as do `transformer` and `export-transformer`, the
second network (train_transformer.py), on latents at 256 px.
"""

from __future__ import annotations

import argparse
import dataclasses
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from safetensors.torch import load_file

from .checkpoint import CHECKPOINT, LARGE_NETWORK, NETWORKS, trusted_checkpoint, write_checkpoint
from .latents import BLOCK, LatentPlan, encode_scenes
from .train_autoencoder import (
    AUTOENCODER_STATE,
    DECODER_STATE,
    AutoencoderPlan,
    keep_autoencoder,
    refine_decoder,
    train_autoencoder,
)
from .train_denoiser import DenoiserPlan, Portion, train_denoiser
from .train_segmenter import SegmenterPlan, train_segmenter
from .train_transformer import TransformerPlan, export_transformer, train_transformer
from .training_files import TrainingLog
from .training_state import load_average, saved_counts
from .workers import launch

_HERE = Path(__file__).parent
_PHASES = ("autoencoder", "latents", "denoiser", "decoder", "segmenter", "export", "transformer", "export-transformer")
_WHEN_NAMED = {"decoder", "transformer", "export-transformer"}


@dataclasses.dataclass(frozen=True)
class TrainingPlan:
    """Everything that is trained, for one kind of machine, and the checkpoint that comes of it.

    Where the denoiser starts from another checkpoint, that one's autoencoder is taken as it is.
    """

    autoencoder: AutoencoderPlan
    decoder: AutoencoderPlan
    denoiser: DenoiserPlan
    segmenter: SegmenterPlan
    transformer: TransformerPlan = dataclasses.field(default_factory=TransformerPlan)
    checkpoint: Path = CHECKPOINT
    log: str = "training_log.csv"
    sheet: str = "training_sheet.png"

    @property
    def phases(self) -> list[str]:
        """Those that run where none is named."""
        existing = {"autoencoder", "segmenter"} if self.denoiser.start else set()
        return [phase for phase in _PHASES if phase not in _WHEN_NAMED | existing]


_CPU = TrainingPlan(AutoencoderPlan(), AutoencoderPlan(peak_rate=6e-4, seed=2), DenoiserPlan(), SegmenterPlan())
_MIXED_DENOISER = DenoiserPlan(
    samples=42_000,
    start=CHECKPOINT,
    state="denoiser_256.safetensors",
    peak_rate=4e-4,
    warmup=100,
    decay=0.6,
    ema=0.998,
    save_every=25,
    sheet_every=400,
    seed=11,
    portions=(
        Portion(LatentPlan(scenes=5_000, size=256), batch=32, steps=3),
        Portion(LatentPlan(scenes=5_000, size=128), batch=48, steps=1),
    ),
)
_MIXED = dataclasses.replace(
    _CPU,
    denoiser=_MIXED_DENOISER,
    checkpoint=NETWORKS[LARGE_NETWORK],
    log="training_log_256.csv",
    sheet="training_sheet_256.jpg",
)
_LARGE = dataclasses.replace(
    _MIXED,
    denoiser=dataclasses.replace(
        _MIXED_DENOISER,
        samples=24_000,
        start=NETWORKS[LARGE_NETWORK],
        state="denoiser_large.safetensors",
        decay=0.75,
        ema=0.995,
        seed=29,
        portions=(Portion(LatentPlan(scenes=6_000, size=256), batch=32),),
    ),
)
_GPU_LATENTS = LatentPlan(scenes=60_000, size=256)
_GPU = TrainingPlan(
    AutoencoderPlan(samples=600_000, batch=64, crop=128, scenes=10_000, size=256),
    AutoencoderPlan(samples=200_000, batch=64, crop=128, scenes=10_000, size=256, peak_rate=6e-4, seed=2),
    DenoiserPlan(
        samples=4_000_000,
        warmup=500,
        ema=0.9995,
        sheet_every=2_000,
        portions=(Portion(_GPU_LATENTS, batch=256),),
    ),
    SegmenterPlan(),
)
PLANS = {"cpu": _CPU, "mixed": _MIXED, "large": _LARGE, "gpu": _GPU}
"""cpu: 128 px images, some hours on two cores. mixed: from there on, 256 and 128 px images in turns, an hour on two
cores that do nothing else. large: from there on, 256 px images alone, as long again. gpu: 256 px images, about half an
hour on one H200.
"""


def seen_before(denoiser: DenoiserPlan, runs: Path) -> dict[str, Any]:
    """What the network that the run starts from has seen, as its header says. It is kept with the run from the first
    call on, since the checkpoint that the run writes may take that network's place.
    """
    if denoiser.start is None:
        return {}
    path = (runs / denoiser.state).with_suffix(".start.json")
    if not path.exists():
        path.write_text(json.dumps(trusted_checkpoint(denoiser.start).metadata["training"]), encoding="ascii")
    return json.loads(path.read_text(encoding="ascii"))


def export(plan: TrainingPlan, runs: Path) -> None:
    """Write the checkpoint from the averaged weights of the run as it stands."""
    denoiser, first = plan.denoiser, plan.denoiser.portions[0]
    counts = saved_counts(runs / denoiser.state)
    before = seen_before(denoiser, runs)
    training: dict[str, object] = {
        "samples_seen": int(counts["samples"]) + before.get("samples_seen", 0),
        "steps": int(counts["step"]) + before.get("steps", 0),
        "batch": first.batch,
        "scenes": len(list(first.latents.folder(runs).glob("*.safetensors"))) * BLOCK,
        "first_seed": first.latents.first_seed,
    }
    seen = {"autoencoder_samples_seen": AUTOENCODER_STATE, "decoder_samples_seen_besides": DECODER_STATE}
    for name, state in seen.items():
        if name in before:
            training[name] = before[name]
        elif (runs / state).exists():
            training[name] = int(saved_counts(runs / state)["samples"])
    write_checkpoint(
        plan.checkpoint,
        load_average(runs / denoiser.state),
        load_file(runs / "autoencoder.safetensors"),
        denoiser.unet,
        denoiser.text,
        first.latents.size,
        training,
    )


def main() -> None:
    """Parse the command line and run the phases it names."""
    parser = argparse.ArgumentParser(prog="python -m pocket.train", description=__doc__)
    parser.add_argument("phases", nargs="*", metavar="PHASE", help=f"some of {', '.join(_PHASES)}")
    parser.add_argument("--plan", choices=PLANS, default="cpu", help="sizes and lengths for a kind of machine")
    parser.add_argument("--workers", type=int, default=2, help="processes of one thread each; ignored with a GPU")
    parser.add_argument("--samples", type=int, help="train the denoiser or transformer until it has seen this many")
    parser.add_argument("--scenes", type=int, help="how many scenes to encode")
    parser.add_argument("--minutes", type=float, help="save and stop training after this long; run again to go on")
    parser.add_argument("--runs", type=Path, default=_HERE / "runs", help="where unfinished work is kept")
    options = parser.parse_args()
    unknown = set(options.phases) - set(_PHASES)
    if unknown:
        parser.error(f"there is no phase {', '.join(sorted(unknown))}; choose from {', '.join(_PHASES)}")
    plan = _with_options(PLANS[options.plan], options.samples, options.scenes, options.minutes)
    run_phases(options.phases or plan.phases, plan, options.workers, options.runs)


def run_phases(phases: Sequence[str], plan: TrainingPlan, workers: int, runs: Path) -> None:
    """Run the named phases in their order."""
    runs.mkdir(parents=True, exist_ok=True)
    log, sheet = TrainingLog(_HERE / plan.log), _HERE / plan.sheet
    if plan.denoiser.start:
        *_, autoencoder = trusted_checkpoint(plan.denoiser.start).models()
        keep_autoencoder(runs, autoencoder.state_dict())
        seen_before(plan.denoiser, runs)
    for phase in (known for known in _PHASES if known in phases):
        if phase == "autoencoder":
            launch(train_autoencoder, workers, plan.autoencoder, runs, log)
        elif phase == "latents":
            for portion in plan.denoiser.portions:
                launch(encode_scenes, workers, portion.latents, runs)
        elif phase == "denoiser":
            launch(train_denoiser, workers, plan.denoiser, runs, log, sheet)
        elif phase == "decoder":
            launch(refine_decoder, workers, plan.decoder, runs, log)
        elif phase == "segmenter":
            launch(train_segmenter, 1, plan.segmenter, runs, log)
        elif phase == "transformer":
            launch(encode_scenes, workers, plan.transformer.latents, runs)
            launch(train_transformer, workers, plan.transformer, runs, *_transformer_files())
        elif phase == "export-transformer":
            export_transformer(plan.transformer, runs)
        else:
            export(plan, runs)


def _transformer_files() -> tuple[TrainingLog, Path]:
    """Its log and sheet, beside those of the other phases."""
    return TrainingLog(_HERE / "training_log_transformer.csv"), _HERE / "training_sheet_transformer.jpg"


def _with_options(plan: TrainingPlan, samples: int | None, scenes: int | None, minutes: float | None) -> TrainingPlan:
    denoiser = dataclasses.replace(plan.denoiser, minutes=minutes)
    transformer = dataclasses.replace(plan.transformer, minutes=minutes)
    if scenes is not None:
        portions = [
            dataclasses.replace(one, latents=dataclasses.replace(one.latents, scenes=scenes))
            for one in denoiser.portions
        ]
        denoiser = dataclasses.replace(denoiser, portions=tuple(portions))
        transformer = dataclasses.replace(transformer, latents=dataclasses.replace(transformer.latents, scenes=scenes))
    if samples is not None:
        denoiser = dataclasses.replace(denoiser, samples=samples)
        transformer = dataclasses.replace(transformer, samples=samples)
    return dataclasses.replace(plan, denoiser=denoiser, transformer=transformer)


if __name__ == "__main__":
    main()
