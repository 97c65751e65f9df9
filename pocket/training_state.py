"""A training run that can be stopped and resumed: model, moving average, optimizer, and how much it has seen."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import torch
from safetensors import safe_open
from safetensors.torch import load_file, save_file
from torch import nn

from .workers import to_cpu

_AVERAGE_EVERY = 4
_ADAM, _MUON = ("exp_avg", "exp_avg_sq"), ("momentum_buffer",)


class TrainingState:
    """Parameters of `model` under AdamW, with their exponential moving average in fp32.

    muon: parameters, matrices all, that Muon moves in its place (Jordan et al., 2024, with the step size of AdamW,
        arXiv 2502.16982). betas: of AdamW.
    """

    def __init__(
        self,
        model: nn.Module,
        peak_rate: float,
        weight_decay: float,
        average_decay: float,
        *,
        muon: Sequence[nn.Parameter] = (),
        betas: tuple[float, float] = (0.9, 0.99),
    ) -> None:
        self.model, self.peak_rate, self.average_decay = model, peak_rate, average_decay
        self.average = {name: value.detach().clone() for name, value in model.named_parameters()}
        by_muon = {id(parameter) for parameter in muon}
        trained = [parameter for parameter in model.parameters() if parameter.requires_grad]
        others = [parameter for parameter in trained if id(parameter) not in by_muon]
        self.optimizers: list[torch.optim.Optimizer] = [
            torch.optim.AdamW(others, lr=peak_rate, betas=betas, weight_decay=weight_decay, fused=True)
        ]
        if muon:
            self.optimizers.append(
                torch.optim.Muon(muon, lr=peak_rate, weight_decay=0.01, adjust_lr_fn="match_rms_adamw")
            )
        self.step, self.samples, self.seconds = 0, 0, 0.0

    def set_rate(self, unit: float) -> None:
        """The learning rate, in units of its peak."""
        for optimizer in self.optimizers:
            for group in optimizer.param_groups:
                group["lr"] = self.peak_rate * unit

    def advance(self, samples: int) -> None:
        """Apply the gradients that the model holds (clipped to norm 1), move the average and count the step."""
        nn.utils.clip_grad_norm_(self.model.parameters(), 1.0)
        for optimizer in self.optimizers:
            optimizer.step()
            optimizer.zero_grad(set_to_none=True)
        self.step += 1
        self.samples += samples
        if self.step % _AVERAGE_EVERY == 0:
            self._move_average()

    def begin_from(self, weights: Mapping[str, torch.Tensor]) -> None:
        """Start from trained weights, by the names of the parameters, with an optimizer that has seen nothing."""
        with torch.no_grad():
            for name, parameter in self.model.named_parameters():
                parameter.copy_(weights[name])
                self.average[name].copy_(weights[name])

    def save(self, path: Path) -> None:
        """Write everything needed to go on; a half-written file never takes the place of a whole one."""
        tensors = {f"average.{name}": value for name, value in to_cpu(self.average).items()}
        for name, parameter in self.model.named_parameters():
            tensors[f"model.{name}"] = parameter.detach().cpu().contiguous()
            for moment, value in self._moments(parameter).items():
                tensors[f"{moment}.{name}"] = value.cpu().contiguous()
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
                optimizer, moments = self._optimizer_of(parameter)
                state = {moment: tensors[f"{moment}.{name}"].to(parameter) for moment in moments}
                if moments == _ADAM:
                    state["step"] = torch.tensor(float(self.step))
                if optimizer is not None:
                    optimizer.state[parameter] = state

    def _optimizer_of(self, parameter: nn.Parameter) -> tuple[torch.optim.Optimizer | None, tuple[str, ...]]:
        """Which of the optimizers moves a parameter, and what it remembers; none of them where it is frozen."""
        for optimizer, moments in zip(self.optimizers, (_ADAM, _MUON), strict=False):
            if any(parameter is known for group in optimizer.param_groups for known in group["params"]):
                return optimizer, moments
        return None, ()

    def _moments(self, parameter: nn.Parameter) -> dict[str, torch.Tensor]:
        optimizer, moments = self._optimizer_of(parameter)
        return {} if optimizer is None else {moment: optimizer.state[parameter][moment] for moment in moments}

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
