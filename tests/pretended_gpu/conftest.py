"""The tests here run in a process of their own, on a pretended GPU (see device.py for what that proves)."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any
from unittest import mock

import pytest
from appearance_transfer.tests.pretended_gpu import own_process
from appearance_transfer.tests.pretended_gpu.device import PretendedTensor
from appearance_transfer.tests.pretended_gpu.machines import Machines

HERE = Path(__file__).parent


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_protocol(item: pytest.Item) -> bool | None:
    if own_process.is_this() or item.path.parent != HERE:
        return None
    item.ihook.pytest_runtest_logstart(nodeid=item.nodeid, location=item.location)
    for report in own_process.reports_of(item):
        item.ihook.pytest_runtest_logreport(report=report)
    item.ihook.pytest_runtest_logfinish(nodeid=item.nodeid, location=item.location)
    return True


@pytest.fixture(scope="session", autouse=True)
def gpu() -> Iterator:
    """The pretended GPU, on for all tests."""
    from appearance_transfer.tests.pretended_gpu.driver import switched_on

    with switched_on() as gpu:
        yield gpu


@pytest.fixture(scope="session")
def host(comfyui: Path, tmp_path_factory: pytest.TempPathFactory, gpu):
    """the real ComfyUI, which takes the pretended GPU for its own; everything in fp32 unless a model says otherwise.

    Its models are a tiny random ViT in `dino` and random networks with the heads of LPIPS in `lpips`.
    """
    from appearance_transfer.developer import in_process
    from appearance_transfer.tests.evaluation.perceptual_weights import keep_random_lpips
    from appearance_transfer.tests.splice.vits import keep_tiny_vit

    home = tmp_path_factory.mktemp("host")
    keep_tiny_vit(home / "models" / "dino")
    keep_random_lpips(home / "models" / "lpips")
    with mock.patch.object(in_process, "has_accelerator", lambda: True):
        host = in_process.Host(comfyui, home)
    from appearance_transfer.host.runtime.gradients import PLAIN_TENSORS
    from comfy.cli_args import args

    args.fp32_vae = args.fp32_text_enc = True
    PLAIN_TENSORS.add(PretendedTensor)
    return host


@pytest.fixture
def machines(host, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch) -> Iterator[Machines]:
    """A GPU and a CPU to run the same graph on. What runs in one forward on the GPU does so on the CPU: up to three
    noise levels, as ours.
    """
    for user in ("host.transfer.reference_forwards", "host.inversion.ddpm_and_ddim"):
        monkeypatch.setattr(f"appearance_transfer.{user}.batches_per_forward", three_at_most)
    machines = Machines(host)
    yield machines
    machines.forget()
    assert "not on same device" not in caplog.text  # ComfyUI's warning that it runs texts one by one


def three_at_most(model: Any, device: Any, batch: Any, requested: int, *, kept_bytes: int = 0) -> int:
    """In place of `batches_per_forward`, which goes by the device."""
    return min(requested, 3)


def pytest_runtest_logreport(report: pytest.TestReport) -> None:
    if own_process.is_this():
        own_process.write(report)
