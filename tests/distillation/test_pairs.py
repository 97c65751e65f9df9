"""The collection on disk: what was kept stays, what was cut off does no harm, and every defect has its sentence."""

import json

import pytest
import torch
from appearance_transfer.distillation.filters import Thresholds, overlaps
from appearance_transfer.distillation.pairs import MANIFEST, PairFolder, as_squares
from appearance_transfer.storage import whole_file


def picture(seed: int, height: int = 64, width: int = 64) -> torch.Tensor:
    """[H, W, 3] of 8-bit values."""
    values = torch.randint(0, 256, (height, width, 3), generator=torch.Generator().manual_seed(seed))
    return values.float() / 255


@pytest.fixture
def place(tmp_path):
    return tmp_path / "coats"


def collect(place, count: int) -> PairFolder:
    folder = PairFolder(place)
    for number in range(count):
        folder.add(picture(number), picture(100 + number), overlap=0.8, gain=None)
    return folder


def test_what_is_collected_comes_back(place) -> None:
    collect(place, 2)
    again = PairFolder(place)
    assert len(again) == 2
    assert [pair.number for pair in again.pairs] == [1, 2]
    assert again.pairs[1].overlap == 0.8
    assert again.pairs[1].gain is None
    before, after = again.load(again.pairs[1], 64)
    assert before.dtype == torch.uint8
    assert torch.equal(before.movedim(0, -1).float() / 255, picture(1))
    assert torch.equal(after.movedim(0, -1).float() / 255, picture(101))
    assert len(list(place.iterdir())) == 5


def test_it_goes_on_where_it_stopped_and_knows_what_it_has(place) -> None:
    collect(place, 2)
    again = PairFolder(place)
    assert again.knows(picture(1))
    assert not again.knows(picture(7))
    assert not again.knows(picture(1).reshape(32, 128, 3))
    assert again.add(picture(7), picture(8)).number == 3
    assert len(PairFolder(place)) == 3


def test_a_torn_line_is_dropped(place) -> None:
    collect(place, 3)
    manifest = place / MANIFEST
    manifest.write_bytes(manifest.read_bytes()[:-20])
    again = PairFolder(place)
    assert len(again) == 2
    assert not again.knows(picture(2))
    again.add(picture(2), picture(55))
    whole = PairFolder(place)
    assert [pair.number for pair in whole.pairs] == [1, 2, 3]
    assert torch.equal(whole.load(whole.pairs[2], 64)[1].movedim(0, -1).float() / 255, picture(55))
    assert all(json.loads(line) for line in manifest.read_text().splitlines())


@pytest.mark.parametrize("survives", [0, 1])
def test_an_interrupted_pair_leaves_no_line(place, monkeypatch, survives) -> None:
    """Stopped at the first or the second picture of the third pair."""
    folder = collect(place, 2)
    replaced, replace = [], whole_file.os.replace

    def stops(source, target) -> None:
        if len(replaced) == survives:
            raise KeyboardInterrupt
        replaced.append(target)
        replace(source, target)

    with monkeypatch.context() as patch:
        patch.setattr(whole_file.os, "replace", stops)
        with pytest.raises(KeyboardInterrupt):
            folder.add(picture(5), picture(6))
    again = PairFolder(place)
    assert len(again) == 2
    assert not list(place.glob("*.part"))
    again.add(picture(8), picture(9))
    assert torch.equal(PairFolder(place).load(again.pairs[2], 64)[0].movedim(0, -1).float() / 255, picture(8))


DEFECTS = ["not json", "[1, 2]", '{"number": 1}', '{"number": 1, "colour": "red"}']


@pytest.mark.parametrize("line", DEFECTS)
def test_a_damaged_manifest_is_said(place, line) -> None:
    collect(place, 2)
    manifest = place / MANIFEST
    first, second = manifest.read_text().splitlines()
    manifest.write_text(f"{first}\n{line}\n{second}\n")
    with pytest.raises(ValueError, match="Line 2 of pairs.jsonl of the edit pairs 'coats' is damaged"):
        PairFolder(place)


@pytest.mark.parametrize("damage", ["missing", "cut off", "foreign"])
def test_a_damaged_picture_is_said(place, damage) -> None:
    folder = collect(place, 1)
    path = place / folder.pairs[0].after
    data = path.read_bytes()
    path.unlink()
    if damage != "missing":
        path.write_bytes(data[:500] if damage == "cut off" else b"hello")
    with pytest.raises(ValueError, match="00001_after.png.* is missing or damaged"):
        folder.load(folder.pairs[0], 64)


def test_too_small_pictures_are_refused(place) -> None:
    folder = collect(place, 1)
    with pytest.raises(ValueError, match="64 x 64 pixels .* too small for an editor of 128"):
        folder.load(folder.pairs[0], 128)


def test_squares() -> None:
    pictures = torch.rand(2, 3, 64, 64)
    assert torch.equal(as_squares(pictures, 64), pictures)
    flat = torch.full((1, 3, 100, 130), 0.25)
    torch.testing.assert_close(as_squares(flat, 64), torch.full((1, 3, 64, 64), 0.25))


def test_overlap_of_masks() -> None:
    before, after = torch.zeros(3, 8, 8), torch.zeros(3, 8, 8)
    before[0, :4], after[0, :4] = 1, 0.6
    before[1, :4], after[1, 2:6] = 1, 1
    assert overlaps(before, after).tolist() == pytest.approx([1, 1 / 3, 0])


def test_thresholds() -> None:
    paper = Thresholds()
    assert paper.refusal(0.70, 0.10) == ""
    assert paper.refusal(0.69, 0.5) == "overlap"
    assert paper.refusal(0.9, 0.09) == "gain"
    assert paper.refusal(None, None) == ""
