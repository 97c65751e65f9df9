"""Pairs that the distilled editor is measured with."""

import torch
from appearance_transfer.benchmarks.distil import rendered, with_mirrored


def test_a_mirrored_pair_is_mirrored_on_both_sides() -> None:
    pairs = rendered(2, 64)
    both = with_mirrored(pairs)
    assert len(both) == 4
    for side in ("before", "after"):
        assert torch.equal(getattr(both, side)[:2], getattr(pairs, side))
        assert torch.equal(getattr(both, side)[2:], getattr(pairs, side).flip(-1))


def test_rendered_pairs_differ_in_their_coats_alone() -> None:
    pairs = rendered(2, 64)
    changed = (pairs.before != pairs.after).any(1)
    assert changed.any()
    assert not changed[:, :4].any()  # sky
