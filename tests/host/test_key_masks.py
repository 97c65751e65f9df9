"""Which tokens of an appearance may be read under a mask that cuts through some of them."""

import torch


def _cover() -> torch.Tensor:
    mask = torch.zeros(1, 4, 8)
    mask[..., 3:] = 1  # of the second of four columns of tokens, half
    return mask


def test_tokens_are_read_as_far_as_they_are_covered_or_where_they_are_wholly_inside(host) -> None:
    from appearance_transfer.host.transfer.match_guidance import _tokens

    assert _tokens(_cover(), (1, 4), 0.0).tolist() == [[0.0, 0.5, 1.0, 1.0]]
    assert _tokens(_cover(), (1, 4), 0.9).tolist() == [[0.0, 0.0, 1.0, 1.0]]


def test_where_no_token_is_wholly_inside_those_that_are_touched_are_read(host) -> None:
    from appearance_transfer.host.transfer.match_guidance import _tokens

    thin = torch.zeros(1, 4, 8)
    thin[..., 3] = 1
    assert _tokens(thin, (1, 4), 0.9).tolist() == [[0.0, 0.5, 0.0, 0.0]]
    assert _tokens(torch.zeros(1, 4, 8), (1, 4), 0.9).tolist() == [[1.0] * 4]
