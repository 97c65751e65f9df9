"""Collecting pairs, and applying and keeping a distilled editor by nodes."""

import json
from types import SimpleNamespace

import pytest
import torch
from appearance_transfer.pocket.render import render
from appearance_transfer.pocket.scene import random_scene
from appearance_transfer.tests.host.clips import FakeClip, FakeVision, redness
from appearance_transfer.tests.host.distilling import LOAD, SAVE, apply, assert_same, collect, stopping_after, train


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
