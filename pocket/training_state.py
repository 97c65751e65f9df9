"""A training run that can be stopped and resumed: model, moving average, optimizer, and how much it has seen."""

from __future__ import annotations

from pathlib import Path

import torch
from safetensors import safe_open
from safetensors.torch import load_file, save_file
from torch import nn

from .workers import to_cpu

_AVERAGE_EVERY = 4
_MOMENTS = ("exp_avg", "exp_avg_sq")


class TrainingState:
    """Parameters of `model` under AdamW, with their exponential moving average in fp32."""

    def __init__(self, model: nn.Module, peak_rate: float, weight_decay: float, average_decay: float) -> None:
        self.model, self.peak_rate, self.average_decay = model, peak_rate, average_decay
        self.average = {name: value.detach().clone() for name, value in model.named_parameters()}
        self.optimizer = torch.optim.AdamW(
            model.parameters(), lr=peak_rate, betas=(0.9, 0.99), weight_decay=weight_decay, fused=True
        )
        self.step, self.samples, self.seconds = 0, 0, 0.0

    def set_rate(self, unit: float) -> None:
        """The learning rate, in units of its peak."""
        for group in self.optimizer.param_groups:
            group["lr"] = self.peak_rate * unit

    def advance(self, samples: int) -> None:
        """Apply the gradients that the model holds (clipped to norm 1), move the average and count the step."""
        nn.utils.clip_grad_norm_(self.model.parameters(), 1.0)
        self.optimizer.step()
        self.optimizer.zero_grad(set_to_none=True)
        self.step += 1
        self.samples += samples
        if self.step % _AVERAGE_EVERY == 0:
            self._move_average()

    def save(self, path: Path) -> None:
        """Write everything needed to go on; a half-written file never takes the place of a whole one."""
        tensors = {f"average.{name}": value for name, value in to_cpu(self.average).items()}
        for name, parameter in self.model.named_parameters():
            tensors[f"model.{name}"] = parameter.detach().cpu().contiguous()
            for moment in _MOMENTS:
                tensors[f"{moment}.{name}"] = self.optimizer.state[parameter][moment].cpu().contiguous()
        counts = {"step": str(self.step), "samples": str(self.samples), "seconds": str(self.seconds)}
        unfinished = path.with_suffix(".part")
        save_file(tensors, unfinished, metadata=counts)
        unfinished.replace(path)

    def load(self, path: Path) -> None:
        """Go on where the saved run stopped."""
        tensors = load_file(path)
        with safe_open(path, "pt") as file:
            counts = file.metadata()
        self.step, self.samples, self.seconds = int(counts["step"]), int(counts["samples"]), float(counts["seconds"])
        with torch.no_grad():
            for name, parameter in self.model.named_parameters():
                parameter.copy_(tensors[f"model.{name}"])
                self.average[name].copy_(tensors[f"average.{name}"])
                moments = {moment: tensors[f"{moment}.{name}"].to(parameter) for moment in _MOMENTS}
                self.optimizer.state[parameter] = {"step": torch.tensor(float(self.step)), **moments}

    def _move_average(self) -> None:
        """Slow once the run is long, quick at its start, when the weights still change much."""
        moves = self.step / _AVERAGE_EVERY
        keep = min(self.average_decay**_AVERAGE_EVERY, (1.0 + moves) / (10.0 + moves))
        values = [parameter.detach() for parameter in self.model.parameters()]
        torch._foreach_lerp_(list(self.average.values()), values, 1.0 - keep)


def load_average(path: Path) -> dict[str, torch.Tensor]:
    """Only the averaged weights of a saved run."""
    with safe_open(path, "pt") as file:
        names = [name for name in file.keys() if name.startswith("average.")]  # noqa: SIM118 - not a dict
        return {name.removeprefix("average."): file.get_tensor(name) for name in names}


def saved_counts(path: Path) -> dict[str, float]:
    """How far a saved run is: step, samples, seconds."""
    with safe_open(path, "pt") as file:
        return {name: float(value) for name, value in file.metadata().items()}
