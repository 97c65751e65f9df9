"""What the benchmark on photographs is made of, without any: pickles that are never run, distortions, features."""

import pickle
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from appearance_transfer.benchmarks.matches.plain import chance, pixels, position
from appearance_transfer.benchmarks.photographs.distortions import DISTORTIONS
from appearance_transfer.benchmarks.photographs.matching import measured
from appearance_transfer.benchmarks.photographs.objects import (
    BACKGROUND,
    CELL,
    FIND,
    SAM,
    SAM_IN_OURS,
    U2NET,
    CutOut,
    box_overlap,
    columns,
    compared,
)
from appearance_transfer.benchmarks.photographs.orders import Order
from appearance_transfer.benchmarks.photographs.willow import Annotated
from appearance_transfer.benchmarks.real_weights.lpips import arrays


def test_arrays_are_read_off_a_pickle() -> None:
    random = np.random.default_rng(0)
    shapes = {"kernel": (3, 3, 3, 64), "bias": (64,)}
    tree = {
        module: {layer: {kind: random.random(shape, np.float32) for kind, shape in shapes.items()} for layer in layers}
        for module, layers in (("VGG16_0", ("Conv_0", "Conv_1")), ("NetLinLayer_0", ("Conv_0",)))
    }
    found = dict(arrays(pickle.dumps(tree, protocol=3)))
    assert list(found) == [(m, layer, kind) for m, layers in tree.items() for layer in layers for kind in shapes]
    for (module, layer, kind), values in found.items():
        assert np.array_equal(values.numpy(), tree[module][layer][kind].ravel())


def test_a_pickle_is_never_run(tmp_path: Path) -> None:
    class Trap:
        def __reduce__(self) -> tuple:
            return Path.touch, (tmp_path / "sprung",)

    assert list(arrays(pickle.dumps({"VGG16_0": Trap()}, protocol=3))) == []
    assert not (tmp_path / "sprung").exists()


@pytest.mark.parametrize("name", DISTORTIONS)
def test_distortions_keep_size_and_range(name: str) -> None:
    image = torch.rand(1, 3, 64, 72, generator=torch.Generator().manual_seed(0))
    degraded = DISTORTIONS[name](image)
    assert degraded.shape == (4, 3, 64, 72)
    assert degraded.min() >= 0
    assert degraded.max() <= 1
    assert (degraded - image).abs().flatten(1).mean(1).min() > 1e-3


def test_shifted_images_move_to_the_right() -> None:
    image = torch.rand(1, 3, 8, 40, generator=torch.Generator().manual_seed(0))
    moved = DISTORTIONS["shift"].apply(image, 3)
    assert torch.equal(moved[..., 3:], image[..., :-3])


def test_plain_features_find_what_they_can() -> None:
    """In an image and itself, position and pixels find every keypoint; chance does not."""
    random = torch.Generator().manual_seed(0)
    points = [(float(x), float(y)) for x, y in torch.randint(4, 92, (10, 2), generator=random)]
    one = Annotated(torch.rand(1, 3, 96, 96, generator=random), points)
    torch.manual_seed(0)
    found = {
        name: measured({"noise": [one, one]}, lambda image, make=make: make(image.movedim(1, -1)))["PCK@0.05"]
        for name, make in (("pixels", lambda p: pixels(p, neighborhood=3)), ("position", position), ("chance", chance))
    }
    assert set(found["pixels"] + found["position"]) == {1.0}
    assert max(found["chance"]) < 0.5


def test_an_order_knows_which_way_its_measure_points() -> None:
    assert Order("case", "LPIPS", near=[0.1, 0.4], far=[0.2, 0.3]).right == [1.0, 0.0]
    assert Order("case", "IoU of the foreground", near=[0.9, 0.2], far=[0.5, 0.4]).right == [1.0, 0.0]


class TestCutOuts:
    """What is said of masks of photographs without a truth."""

    @pytest.fixture
    def marked(self) -> CutOut:
        """Two masks that share a third of what they cover, and keypoints of which half lie in the first."""
        left, middle = torch.zeros(2, 60, 80, dtype=torch.bool)
        left[:, :40], middle[:, 20:60] = True, True
        masks = {FIND: left, U2NET: middle, SAM: middle, SAM_IN_OURS: left}
        return CutOut("PF-WILLOW duck", torch.rand(1, 3, 60, 80), masks, ((10.0, 5.0), (79.0, 59.0)))

    def test_masks_are_compared_with_each_other_and_with_keypoints(self, marked) -> None:
        values = compared([marked, replace(marked, group="pairs", points=())])
        assert values[f"{FIND} and {U2NET}"]["IoU"] == pytest.approx([1 / 3, 1 / 3])
        assert values[f"{FIND} and {SAM_IN_OURS}"]["IoU of 0.8 or more, pairs"] == [1.0]
        assert values[f"{FIND} and keypoints"]["keypoints inside"] == [0.5]
        assert list(values[f"{FIND} and keypoints"])[:2] == ["keypoints inside", "IoU of the boxes"]

    def test_boxes_overlap(self) -> None:
        mask = torch.zeros(20, 20, dtype=torch.bool)
        assert box_overlap(mask, ((0.0, 0.0), (10.0, 10.0))) == 0
        mask[:10, :10] = True
        assert box_overlap(mask, ((0.0, 0.0), (10.0, 10.0))) == 1
        assert box_overlap(mask, ((5.0, 0.0), (15.0, 10.0))) == pytest.approx(1 / 3)
        assert box_overlap(mask, ((12.0, 12.0), (15.0, 15.0))) == 0

    def test_what_is_cut_out_stays_as_it_is(self, marked) -> None:
        sheet = columns([marked])
        assert {images.shape for images in sheet.values()} == {(1, CELL, CELL, 3)}
        middle = slice(CELL // 3, CELL // 2 - 4)
        assert torch.equal(sheet[FIND][:, middle, middle], sheet["photograph"][:, middle, middle])
        torch.testing.assert_close(sheet[FIND][0, CELL // 2, -2], torch.tensor(BACKGROUND))
