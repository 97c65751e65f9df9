"""How many forwards a transfer takes on a GPU, where what is known beforehand shares them."""

from __future__ import annotations

from collections import Counter

import pytest
from appearance_transfer.tests.pretended_gpu.machines import Machines
from appearance_transfer.tests.pretended_gpu.test_workflows import workflow

WHOLE = "21_whole_transfer"
MOST = 30


@pytest.fixture
def roomy(host):
    """A GPU that takes as many levels into a forward as ComfyUI's account of memory allows."""
    machines = Machines(host)
    yield machines
    machines.forget()


def test_of_a_transfer_at_the_defaults(roomy, monkeypatch) -> None:
    """49 evaluations in 26 forwards: the inversion in one, the two references in one each, 3 to find objects and
    matches, then 14 steps, 6 of them with an unpatched pass.
    """
    forwards, samples = count(monkeypatch)
    roomy.on_gpu(workflow(WHOLE, few=False))
    parts = ("invert_structure", "invert_appearance", "sample")
    assert [samples[node] for node in parts] == [14, 0, 14 + 6 + 12 + 3]
    assert [forwards[node] for node in parts] == [1, 0, 14 + 6 + 2 + 3]
    assert sum(forwards[node] for node in parts) <= MOST


def count(monkeypatch) -> tuple[Counter[str], Counter[str]]:
    """From now on, the forwards and the samples of the network, by the node that runs."""
    from comfy.ldm.modules.diffusionmodules.openaimodel import UNetModel
    from comfy_execution.utils import get_executing_context

    forwards: Counter[str] = Counter()
    samples: Counter[str] = Counter()
    usual = UNetModel._forward

    def counted(self, x, *args, **kwargs):
        node = get_executing_context().node_id
        forwards[node] += 1
        samples[node] += len(x)
        return usual(self, x, *args, **kwargs)

    monkeypatch.setattr(UNetModel, "_forward", counted)
    return forwards, samples
