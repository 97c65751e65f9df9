"""The reliability benchmark in a short seeded run: every kind of damaged file and of broken save is as promised."""

from collections import Counter
from pathlib import Path

import pytest
from appearance_transfer.benchmarks.faults import part
from appearance_transfer.benchmarks.reliability import PARTS

SHORT = {"files": 350, "saving": 28}


@pytest.mark.parametrize("name", SHORT)
def test_everything_is_as_promised(host, name, tmp_path, monkeypatch) -> None:
    monkeypatch.setattr(part, "_booted", [host])
    results = list(PARTS[name].part(part.Setting(Path(), tmp_path, SHORT[name], seed=20261129)))
    assert [f"{result.kind}: {result.failure}" for result in results if result.failure] == []
    tried = Counter(result.kind for result in results)
    assert len(tried) >= 7
    assert min(tried.values()) >= 4
