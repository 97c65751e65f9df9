"""Collecting, training, applying and keeping a distilled editor by nodes, on renderings of the pocket world."""

import json
import logging
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch
from appearance_transfer.pocket.render import render
from appearance_transfer.pocket.scene import random_scene
from appearance_transfer.tests.host.clips import FakeClip, FakeVision, redness

COLLECT = "AppearanceTransfer_EditPairCollector"
TRAIN, APPLY = "AppearanceTransfer_TrainDistilledEditor", "AppearanceTransfer_ApplyDistilledEditor"
SAVE, LOAD = "AppearanceTransfer_SaveDistilledEditor", "AppearanceTransfer_LoadDistilledEditor"


@pytest.fixture(scope="module")
def pairs():
    """Plain animals and the same ones striped: IMAGEs, and the MASK of both."""
    plain, striped = (render([random_scene(seed, coat=coat) for seed in range(6)], 64) for coat in ("plain", "striped"))
    return SimpleNamespace(before=plain.image, after=striped.image, mask=plain.mask)


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


@pytest.fixture(scope="module")
def collection(host, pairs) -> str:
    return collect(host, pairs, "stripes")[0]


@pytest.fixture(scope="module")
def editor(host, collection):
    return train(host, collection)[0]


@pytest.fixture
def unfinished(host):
    """Names of what interrupted trainings have left since the test began."""
    from appearance_transfer.host.runtime.files import EDITORS

    before = set(EDITORS.names())
    return lambda: sorted(set(EDITORS.names()) - before)


def assert_same(a, b) -> None:
    assert a.steps == b.steps
    for x, y in ((a.weights, b.weights), (a.memory, b.memory)):
        assert all(torch.equal(x[name], y[name]) for name in x)


class TestCollecting:
    def test_more_at_every_queue_and_no_image_twice(self, host, pairs) -> None:
        some = {"before": pairs.before[:4], "after": pairs.after[:4]}
        assert collect(host, pairs, "often", **some)[:2] == ("often", 4)
        _, total, report = collect(host, pairs, "often")
        assert total == 6
        assert "2 pairs kept, 4 known already, 0 refused" in report

    def test_masks_decide(self, host, pairs) -> None:
        moved = pairs.mask.clone()
        moved[1] = moved[1].roll(20, dims=1)
        moved[2] = 0
        _, total, report = collect(host, pairs, "masked", before_mask=pairs.mask, after_mask=moved)
        assert total == 4
        assert "2 refused (2 by overlap, 0 by gain)" in report
        from appearance_transfer.host.runtime.files import pair_folder

        lines = (pair_folder("masked") / "pairs.jsonl").read_text().splitlines()
        assert [json.loads(line)["overlap"] for line in lines] == [1.0] * 4

    def test_one_mask_serves_all_at_any_size(self, host, pairs) -> None:
        whole = torch.ones(1, 32, 32)
        assert collect(host, pairs, "one mask", before_mask=whole, after_mask=whole)[1] == 6

    def test_clip_decides(self, host, pairs) -> None:
        classifier = {"clip_vision": FakeVision(), "clip": FakeClip(), "text": "striped"}
        _, total, report = collect(host, pairs, "judged", gain=1e-6, **classifier)
        kept = (redness(pairs.after) - redness(pairs.before) >= 1e-6).sum()
        assert 0 < kept < 6
        assert total == kept
        assert f"{6 - kept} by gain" in report

    @pytest.mark.parametrize(
        ("changed", "sentence"),
        [
            ({"after": torch.rand(5, 64, 64, 3)}, "6 images of 64 x 64 pixels before .* 5 images of 64 x 64"),
            ({"after": torch.rand(6, 64, 32, 3)}, "6 images of 32 x 64 pixels after"),
            ({"before_mask": torch.ones(6, 64, 64)}, "Only before_mask is connected"),
            (
                {"before_mask": torch.ones(2, 9, 9), "after_mask": torch.ones(1, 9, 9)},
                "before_mask holds 2 masks and before 6 image",
            ),
            ({"name": "../elsewhere"}, "cannot be used"),
            ({"clip": FakeClip()}, "Only clip is connected"),
            ({"clip_vision": FakeVision()}, "Only clip_vision is connected"),
            ({"clip": FakeClip(), "clip_vision": FakeVision(), "text": " "}, "no text to judge"),
        ],
    )
    def test_bad_input_leaves_nothing(self, host, pairs, changed, sentence) -> None:
        from appearance_transfer.host.runtime.files import pair_folder

        with pytest.raises(ValueError, match=sentence):
            collect(host, pairs, **{"name": "nothing"} | changed)
        assert not pair_folder("nothing").exists()

    @pytest.mark.parametrize(
        ("clip", "sentence"), [("width", "2 numbers per image and the CLIP 3"), ("identity", "no text projection")]
    )
    def test_clips_that_share_no_space(self, host, pairs, clip, sentence) -> None:
        classifier = {"clip_vision": FakeVision(), "text": "striped"}
        bad = FakeClip(width=3) if clip == "width" else FakeClip(projection=torch.eye(2))
        with pytest.raises(ValueError, match=sentence):
            collect(host, pairs, "unjudged", clip=bad, **classifier)

    def test_an_interrupt_keeps_what_is_done(self, host, pairs) -> None:
        import comfy.model_management
        from appearance_transfer.host.runtime.files import pair_folder

        with stopping_after(1), pytest.raises(comfy.model_management.InterruptProcessingException):
            collect(host, pairs, "stopped")
        assert len((pair_folder("stopped") / "pairs.jsonl").read_text().splitlines()) == 1
        _, total, report = collect(host, pairs, "stopped")
        assert total == 6
        assert "1 known already" in report


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


class TestTraining:
    def test_it_learns_stripes(self, host, collection, pairs, unfinished) -> None:
        editor, sheet, losses, report = train(host, collection, 40, learning_rate=0.003)
        assert sheet.shape == (1, 256, 192, 3)
        assert 0 <= sheet.min() <= sheet.max() <= 1
        assert losses.shape[-1] == 3
        assert editor.steps == 40
        assert editor.metadata["pairs"] == "6 of stripes"
        assert "40 steps" in report
        untrained = train(host, collection, 1)[0]
        errors = [(apply(host, some, pairs.before) - pairs.after).abs().mean() for some in (untrained, editor)]
        assert errors[1] < 0.5 * errors[0]
        assert not unfinished()

    def test_going_on_is_as_never_stopping(self, host, collection, tmp_path) -> None:
        from appearance_transfer.distillation.storage import load, save

        whole = train(host, collection, 4)[0]
        half = train(host, collection, 2)[0]
        with torch.inference_mode():
            save(half, tmp_path / "half.safetensors")
            loaded = load(tmp_path / "half.safetensors")
        assert_same(train(host, collection, 2, editor=loaded)[0], whole)

    def test_an_interrupt_keeps_the_editor_and_says_where(self, host, collection, unfinished, caplog) -> None:
        import comfy.model_management

        with (
            stopping_after(7),  # six pairs are read first
            caplog.at_level(logging.WARNING, "appearance_transfer"),
            pytest.raises(comfy.model_management.InterruptProcessingException),
        ):
            train(host, collection, 50, preview_every=1)
        (name,) = unfinished()
        assert name in caplog.text
        kept = host.nodes[LOAD].execute(name).args[0]
        assert_same(kept, train(host, collection, kept.steps)[0])

    @pytest.mark.parametrize("finite_steps", [0, 2])
    def test_nan_stops(self, host, collection, finite_steps, monkeypatch, unfinished) -> None:
        from appearance_transfer.distillation import training

        losses, calls = training.discriminator_loss, []

        def degraded(made, real):
            calls.append(made)
            return losses(made, real) * (torch.nan if len(calls) > finite_steps else 1)

        monkeypatch.setattr(training, "discriminator_loss", degraded)
        if finite_steps == 0:
            with pytest.raises(ValueError, match="no longer a number"):
                train(host, collection, 4)
        else:
            editor, sheet, _, report = train(host, collection, 4)
            assert "no longer a number" in report
            assert editor.steps == 2
            assert editor.is_finite()
            assert sheet.isfinite().all()
        assert not unfinished()

    def test_bad_input(self, host, collection, editor) -> None:
        with pytest.raises(ValueError, match="no edit pairs called 'none'"):
            train(host, "none")
        with pytest.raises(ValueError, match="too small for an editor of 128"):
            train(host, collection, size="128")
        with pytest.raises(ValueError, match="but 64 px and width 0.0625 are asked"):
            train(host, collection, width=0.0625, editor=editor)
        with pytest.raises(ValueError, match=r"lpips is 'x.safetensors'; choose one of '\(none\)'"):
            train(host, collection, lpips="x.safetensors")

    def test_lpips_is_asked_where_there_is_a_file(self, host, collection) -> None:
        import folder_paths
        from appearance_transfer.host.evaluation.perceptual import lpips_files
        from appearance_transfer.tests.evaluation.perceptual_weights import random_weights
        from safetensors.torch import save_file

        assert lpips_files() == []
        (folder, *_), _ = folder_paths.folder_names_and_paths["lpips"]
        path = Path(folder) / "random.safetensors"
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            save_file(random_weights("alexnet"), path)
            editor, *_, report = train(host, collection, 1, lpips=path.name)
            assert "perceptual" in report
            assert editor.metadata["weights"] == "0.5 5 1"
            save_file({"a": torch.zeros(1)}, path)
            with pytest.raises(ValueError, match="'random.safetensors' cannot be used. These are no weights of LPIPS"):
                train(host, collection, 1, lpips=path.name)
        finally:
            path.unlink(missing_ok=True)

    def test_a_grown_collection_trains_anew(self, host, pairs) -> None:
        node = host.nodes[TRAIN]
        collect(host, pairs, "growing", before=pairs.before[:2], after=pairs.after[:2])
        first = node.fingerprint_inputs("growing", steps=1)
        assert node.fingerprint_inputs("growing", steps=1) == first
        collect(host, pairs, "growing")
        assert node.fingerprint_inputs("growing", steps=1) != first
        assert node.fingerprint_inputs(None) == node.fingerprint_inputs("not there") == ""


class TestApplying:
    def test_any_batch_of_any_size(self, host, editor) -> None:
        image = torch.rand(10, 50, 90, 4)
        outputs = apply(host, editor, image)
        assert outputs.shape == (10, 50, 90, 3)
        assert 0 <= outputs.min() <= outputs.max() <= 1
        torch.testing.assert_close(apply(host, editor, image[9:]), outputs[9:], atol=1e-5, rtol=0)

    def test_the_seed_decides(self, host, editor, pairs) -> None:
        first, again, other = (apply(host, editor, pairs.before[:1], seed) for seed in (1, 1, 2))
        assert torch.equal(first, again)
        assert not torch.equal(first, other)
        mean, same = (apply(host, editor, pairs.before[:1], seed, variation=0.0) for seed in (1, 2))
        assert not torch.equal(mean, first)
        assert (mean - same).abs().max() < (first - other).abs().max()

    def test_save_and_load(self, host, editor) -> None:
        host.nodes[SAVE].execute(editor, "stripes", True)
        host.nodes[SAVE].execute(editor, "stripes", False)
        whole, light = (host.nodes[LOAD].execute(f"stripes_0000{number}.safetensors").args[0] for number in (1, 2))
        assert_same(whole, editor)
        assert not light.memory
        with pytest.raises(ValueError, match="Save one with Save Distilled Editor"):
            host.nodes[LOAD].execute("nothing")
