"""What two images were matched by, in a file: dragged points bend the field as a run bends it."""

from dataclasses import replace

import pytest
import torch
from appearance_transfer.correspondence.evidence import FieldEvidence, encode, load
from appearance_transfer.correspondence.features import Features
from appearance_transfer.correspondence.match import FIELD, match
from appearance_transfer.correspondence.points import force_pairs
from appearance_transfer.correspondence.warped_grid import warped_grid

POINTS = [((), ()), (((20, 30),), ((30, 20),))]


def features(seed: int, grid: tuple[int, int], dtype: torch.dtype = torch.float32) -> Features:
    values = torch.randn(2, 8, *grid, generator=torch.Generator().manual_seed(seed))
    return Features(values.to(dtype), (grid[0] * 4, grid[1] * 4), {"kind": "random"})


@pytest.mark.parametrize("ours, theirs", POINTS)
@pytest.mark.parametrize("masked", [False, True])
def test_a_file_matches_bit_by_bit_as_the_features_of_the_run(tmp_path, masked, ours, theirs) -> None:
    structure, appearance = features(0, (12, 14)), features(1, (14, 12))
    masks, regions = (None, None), []
    if masked:
        masks = (torch.rand(2, 48, 56) > 0.1).float(), (torch.rand(1, 56, 48) > 0.1).float()
        left, top = (torch.arange(56) < 30).float().expand(1, 48, 56), torch.ones(1, 56, 48)
        regions = [(left, top)]
    whole = match(
        structure, appearance, method=FIELD, structure_mask=masks[0], appearance_mask=masks[1], regions=regions,
        floor=-0.5, forced=(ours, theirs),
    )  # fmt: skip
    path = tmp_path / "evidence.safetensors"
    path.write_bytes(encode(FieldEvidence.of_first(structure, appearance, masks, regions, -0.5)))
    found, forced = load(path).matches(ours, theirs, 0.1)
    for one, run in ((found, whole), (forced, force_pairs(whole, ours, theirs, 0.1))):
        assert torch.equal(one.index[0], run.index[0])
        assert torch.equal(one.points()[0], run.points()[0])
        assert torch.equal(one.confidence[0], run.confidence[0])


def test_half_precision_is_kept_wide_enough() -> None:
    evidence = FieldEvidence.of_first(features(0, (4, 4), torch.float16), features(1, (4, 4), torch.float16))
    assert evidence.structure.dtype == torch.float32
    assert evidence.size == 2 * 8 * 16 * 4


def test_the_grid_lies_where_the_matches_do(identity) -> None:
    matches = identity(4, 6)
    index = matches.index.clone()
    index[0, 0, 1, 2] = -1
    grid = warped_grid(replace(matches, index=index))
    assert (grid["rows"], grid["columns"]) == (4, 6)
    assert grid["points"][0] == [4, 4]
    assert grid["points"][1 * 6 + 2] is None
    assert grid["points"][-1] == [44, 28]
    assert grid["confidence"] == [100] * 24


def test_of_a_fine_grid_some_lines_are_drawn_and_the_border_is_among_them(identity) -> None:
    grid = warped_grid(identity(50, 30), most=10)
    assert (grid["rows"], grid["columns"]) == (10, 10)
    assert grid["points"][0] == [4, 4]
    assert grid["points"][-1] == [29 * 8 + 4, 49 * 8 + 4]
