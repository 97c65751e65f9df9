"""Train the pocket checkpoint from nothing: `python -m pocket.train` in the repository, resumable at any point.

Phases: autoencoder, latents, denoiser, decoder, segmenter, export. Each does only what is not done yet in pocket/runs/;
`decoder` sharpens a finished autoencoder and runs when it is named, as do `transformer` and `export-transformer`, the
second network (train_transformer.py), on latents at 256 px.
"""

from __future__ import annotations

import argparse
import dataclasses
from collections.abc import Sequence
from pathlib import Path

from safetensors.torch import load_file

from .checkpoint import CHECKPOINT, write_checkpoint
from .latents import BLOCK, LatentPlan, encode_scenes
from .train_autoencoder import AUTOENCODER_STATE, DECODER_STATE, AutoencoderPlan, refine_decoder, train_autoencoder
from .train_denoiser import DENOISER_STATE, DenoiserPlan, train_denoiser
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
    """Everything that is trained, for one kind of machine."""

    autoencoder: AutoencoderPlan
    decoder: AutoencoderPlan
    denoiser: DenoiserPlan
    segmenter: SegmenterPlan
    transformer: TransformerPlan = dataclasses.field(default_factory=TransformerPlan)


_CPU = TrainingPlan(AutoencoderPlan(), AutoencoderPlan(peak_rate=6e-4, seed=2), DenoiserPlan(), SegmenterPlan())
_GPU_LATENTS = LatentPlan(scenes=60_000, size=256)
_GPU = TrainingPlan(
    AutoencoderPlan(samples=600_000, batch=64, crop=128, scenes=10_000, size=256),
    AutoencoderPlan(samples=200_000, batch=64, crop=128, scenes=10_000, size=256, peak_rate=6e-4, seed=2),
    DenoiserPlan(samples=4_000_000, batch=256, warmup=500, ema=0.9995, sheet_every=2_000, latents=_GPU_LATENTS),
    SegmenterPlan(),
)
PLANS = {"cpu": _CPU, "gpu": _GPU}
"""cpu: 128 px images, some hours on two cores. gpu: 256 px images, about half an hour on one H200."""


def export(plan: TrainingPlan, runs: Path, path: Path = CHECKPOINT) -> None:
    """Write the checkpoint from the averaged weights of the run as it stands."""
    counts = saved_counts(runs / DENOISER_STATE)
    denoiser = plan.denoiser
    training: dict[str, object] = {
        "samples_seen": int(counts["samples"]),
        "steps": int(counts["step"]),
        "batch": denoiser.batch,
        "scenes": len(list(denoiser.latents.folder(runs).glob("*.safetensors"))) * BLOCK,
        "first_seed": denoiser.latents.first_seed,
        "autoencoder_samples_seen": int(saved_counts(runs / AUTOENCODER_STATE)["samples"]),
    }
    if (runs / DECODER_STATE).exists():
        training["decoder_samples_seen_besides"] = int(saved_counts(runs / DECODER_STATE)["samples"])
    write_checkpoint(
        path,
        load_average(runs / DENOISER_STATE),
        load_file(runs / "autoencoder.safetensors"),
        denoiser.unet,
        denoiser.text,
        denoiser.latents.size,
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
    phases = options.phases or [phase for phase in _PHASES if phase not in _WHEN_NAMED]
    run_phases(phases, plan, options.workers, options.runs)


def run_phases(phases: Sequence[str], plan: TrainingPlan, workers: int, runs: Path) -> None:
    """Run the named phases in their order."""
    runs.mkdir(parents=True, exist_ok=True)
    log, sheet = TrainingLog(_HERE / "training_log.csv"), _HERE / "training_sheet.png"
    for phase in (known for known in _PHASES if known in phases):
        if phase == "autoencoder":
            launch(train_autoencoder, workers, plan.autoencoder, runs, log)
        elif phase == "latents":
            launch(encode_scenes, workers, plan.denoiser.latents, runs)
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
    return TrainingLog(_HERE / "training_log_transformer.csv"), _HERE / "training_sheet_transformer.png"


def _with_options(plan: TrainingPlan, samples: int | None, scenes: int | None, minutes: float | None) -> TrainingPlan:
    denoiser = dataclasses.replace(plan.denoiser, minutes=minutes)
    transformer = dataclasses.replace(plan.transformer, minutes=minutes)
    if scenes is not None:
        denoiser = dataclasses.replace(denoiser, latents=dataclasses.replace(denoiser.latents, scenes=scenes))
        latents = dataclasses.replace(transformer.latents, scenes=scenes)
        transformer = dataclasses.replace(transformer, latents=latents)
    if samples is not None:
        denoiser = dataclasses.replace(denoiser, samples=samples)
        transformer = dataclasses.replace(transformer, samples=samples)
    return dataclasses.replace(plan, denoiser=denoiser, transformer=transformer)


if __name__ == "__main__":
    main()
