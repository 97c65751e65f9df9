"""Collecting, training and applying a distilled editor by nodes, on renderings of the pocket world."""

import torch

COLLECT = "AppearanceTransfer_EditPairCollector"
TRAIN, APPLY = "AppearanceTransfer_TrainDistilledEditor", "AppearanceTransfer_ApplyDistilledEditor"
SAVE, LOAD = "AppearanceTransfer_SaveDistilledEditor", "AppearanceTransfer_LoadDistilledEditor"


def collect(host, pairs, name: str, **changed):
    inputs = {"before": pairs.before, "after": pairs.after, "name": name, "text": "", "overlap": 0.7, "gain": 0.1}
    with torch.inference_mode():
        return host.nodes[COLLECT].execute(**inputs | changed).args


def train(host, name: str, steps: int = 2, **changed):
    """What the node returns, as users get it: inside inference mode."""
    inputs = {
        "name": name,
        "size": "64",
        "steps": steps,
        "batch": 4,
        "width": 0.03125,
        "seed": 3,
        "lpips": "(none)",
        "learning_rate": 0.001,
        "gan_weight": 0.5,
        "lpips_weight": 5.0,
        "l1_weight": 1.0,
        "preview_every": 0,
    }
    with torch.inference_mode():
        return host.nodes[TRAIN].execute(**inputs | changed).args


def apply(host, editor, image, seed=0, variation=1.0):
    with torch.inference_mode():
        return host.nodes[APPLY].execute(editor, image, seed, variation).args[0]


def assert_same(a, b) -> None:
    assert a.steps == b.steps
    for x, y in ((a.weights, b.weights), (a.memory, b.memory)):
        assert all(torch.equal(x[name], y[name]) for name in x)


class stopping_after:  # noqa: N801  (reads as a sentence)
    """Presses the page's stop button when so much is done."""

    def __init__(self, done: int) -> None:
        self.done = done

    def __enter__(self) -> None:
        import comfy.model_management
        import comfy.utils

        def stop(done, total, preview, node_id=None):
            comfy.model_management.interrupt_current_processing(done == self.done)

        self.before = comfy.utils.PROGRESS_BAR_HOOK
        comfy.utils.set_progress_bar_global_hook(stop)

    def __exit__(self, *failure) -> None:
        import comfy.utils

        comfy.utils.set_progress_bar_global_hook(self.before)
