"""Matches as plain numbers."""

from __future__ import annotations

import json
from dataclasses import replace

from appearance_transfer.correspondence.correspondence import NO_MATCH
from appearance_transfer.correspondence.serialize import match_table


def test_the_table_holds_the_best_match_of_every_position_and_survives_json(identity):
    one = identity(2, 3)
    index, confidence = one.index.clone(), one.confidence.clone()
    index[0, 0, 1, 2], confidence[0, 1, 2] = NO_MATCH, 0
    confidence[0, 0, 1] = 0.706
    table = match_table(replace(one, index=index, confidence=confidence))
    assert json.loads(json.dumps(table)) == {
        "grid": [2, 3],
        "appearance_grid": [2, 3],
        "structure_image": [16, 24],
        "appearance_image": [16, 24],
        "match": [0, 1, 2, 3, 4, -1],
        "confidence": [100, 71, 100, 100, 100, 0],
    }


def test_each_image_of_a_batch_has_its_own_table(identity):
    one = identity(1, 2)
    names = ("index", "weight", "cosine", "confidence")
    both = replace(one, **{name: getattr(one, name).repeat_interleave(2, dim=0) for name in names})
    both.index[1] = both.index[1].flip(-1)
    assert match_table(both)["match"] == [0, 1]
    assert match_table(both, image=1)["match"] == [1, 0]
