"""Training a distilled editor by its node: it learns, goes on, keeps what it has, and refuses bad input."""

import logging
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch
from appearance_transfer.pocket.render import render
from appearance_transfer.pocket.scene import random_scene
from appearance_transfer.tests.host.distilling import LOAD, TRAIN, apply, assert_same, collect, stopping_after, train


@pytest.fixture(scope="module")
def pairs():
    """Plain animals and the same ones striped: IMAGEs, and the MASK of both."""
    plain, striped = (render([random_scene(seed, coat=coat) for seed in range(6)], 64) for coat in ("plain", "striped"))
    return SimpleNamespace(before=plain.image, after=striped.image, mask=plain.mask)


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

        def degraded(generated, real):
            calls.append(generated)
            return losses(generated, real) * (torch.nan if len(calls) > finite_steps else 1)

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
