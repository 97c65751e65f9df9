"""The collection on disk: what was kept stays, what was cut off does no harm, and every defect has its sentence."""

import json
import multiprocessing
import os
import struct
import zlib

import pytest
import torch
from appearance_transfer.distillation.filters import Thresholds, overlaps
from appearance_transfer.distillation.pairs import MANIFEST, PairFolder, as_squares
from appearance_transfer.storage import atomic_write as whole_file


def image(seed: int, height: int = 64, width: int = 64) -> torch.Tensor:
    """[H, W, 3] of 8-bit values."""
    values = torch.randint(0, 256, (height, width, 3), generator=torch.Generator().manual_seed(seed))
    return values.float() / 255


@pytest.fixture
def position(tmp_path):
    return tmp_path / "coats"


def collect(position, count: int) -> PairFolder:
    folder = PairFolder(position)
    for number in range(count):
        folder.add(image(number), image(100 + number), overlap=0.8, gain=None)
    return folder


def test_what_is_collected_comes_back(position) -> None:
    collect(position, 2)
    again = PairFolder(position)
    assert len(again) == 2
    assert [pair.number for pair in again.pairs] == [1, 2]
    assert again.pairs[1].overlap == 0.8
    assert again.pairs[1].gain is None
    before, after = again.load(again.pairs[1], 64)
    assert before.dtype == torch.uint8
    assert torch.equal(before.movedim(0, -1).float() / 255, image(1))
    assert torch.equal(after.movedim(0, -1).float() / 255, image(101))
    assert len(list(position.iterdir())) == 5


def test_it_goes_on_where_it_stopped_and_knows_what_it_has(position) -> None:
    collect(position, 2)
    again = PairFolder(position)
    assert again.knows(image(1))
    assert not again.knows(image(7))
    assert not again.knows(image(1).reshape(32, 128, 3))
    assert again.add(image(7), image(8)).number == 3
    assert len(PairFolder(position)) == 3


def test_a_torn_line_is_dropped(position) -> None:
    collect(position, 3)
    manifest = position / MANIFEST
    manifest.write_bytes(manifest.read_bytes()[:-20])
    again = PairFolder(position)
    assert len(again) == 2
    assert not again.knows(image(2))
    again.add(image(2), image(55))
    whole = PairFolder(position)
    assert [pair.number for pair in whole.pairs] == [1, 2, 3]
    assert torch.equal(whole.load(whole.pairs[2], 64)[1].movedim(0, -1).float() / 255, image(55))
    assert all(json.loads(line) for line in manifest.read_text().splitlines())


@pytest.mark.parametrize("survives", [0, 1])
def test_an_interrupted_pair_leaves_no_line(position, monkeypatch, survives) -> None:
    """Stopped at the first or the second image of the third pair."""
    folder = collect(position, 2)
    replaced, replace = [], whole_file.os.replace

    def stops(source, target) -> None:
        if len(replaced) == survives:
            raise KeyboardInterrupt
        replaced.append(target)
        replace(source, target)

    with monkeypatch.context() as patch:
        patch.setattr(whole_file.os, "replace", stops)
        with pytest.raises(KeyboardInterrupt):
            folder.add(image(5), image(6))
    again = PairFolder(position)
    assert len(again) == 2
    assert not list(position.glob("*.part"))
    again.add(image(8), image(9))
    assert torch.equal(PairFolder(position).load(again.pairs[2], 64)[0].movedim(0, -1).float() / 255, image(8))


def test_a_last_line_without_its_end_is_a_pair(position) -> None:
    """A text editor may leave it so."""
    collect(position, 2)
    assert not PairFolder(position).torn
    manifest = position / MANIFEST
    manifest.write_bytes(manifest.read_bytes().rstrip(b"\n"))
    again = PairFolder(position)
    assert len(again) == 2
    again.add(image(7), image(8))
    assert [pair.number for pair in PairFolder(position).pairs] == [1, 2, 3]


def test_a_pair_that_is_lost_is_found(position) -> None:
    collect(position, 2)
    assert not PairFolder(position).torn
    manifest = position / MANIFEST
    manifest.write_bytes(manifest.read_bytes()[:-20])
    assert PairFolder(position).torn


def _collect_many(position, first: int, barrier) -> None:
    folder = PairFolder(position)
    barrier.wait()
    for number in range(first, first + 20):
        folder.add(image(number), image(100 + number))


def test_two_processes_that_collect_into_one_folder_mix_nothing_up(position) -> None:
    context = multiprocessing.get_context("fork")
    barrier = context.Barrier(2)
    processes = [context.Process(target=_collect_many, args=(position, first, barrier)) for first in (0, 10)]
    for process in processes:
        process.start()
    for process in processes:
        process.join(120)
        assert process.exitcode == 0
    folder = PairFolder(position)
    assert [pair.number for pair in folder.pairs] == list(range(1, 31))  # ten of them belong to both
    found = set()
    for pair in folder.pairs:
        before, after = (half.movedim(0, -1).float() / 255 for half in folder.load(pair, 64))
        (seed,) = [seed for seed in range(30) if torch.equal(image(seed), before)]
        assert torch.equal(image(100 + seed), after)
        found.add(seed)
    assert found == set(range(30))


GOOD = {"number": 1, "before": "00001_before.png", "after": "00001_after.png", "source": "0" * 64}


def line(**changed) -> str:
    return json.dumps(GOOD | changed)


DEFECTS = [
    "not json", "[1, 2]", '{"number": 1}', '{"number": 1, "color": "red"}', "[" * 100_000, '{"number":' * 100_000,
    line(number="1"), line(number=1.5), line(number=True), line(number=-1), line(before=None), line(before=["a.png"]),
    line(before="../outside.png"), line(after="/etc/passwd"), line(after="a/b.png"), line(after="pairs.jsonl"),
    line(source="short"), line(source=7), line(overlap="high"), line(overlap=float("nan")), line(overlap=7),
    line(gain=float("inf")), line(gain=[0.1]), line(color="red"),
]  # fmt: skip


@pytest.mark.parametrize("line", DEFECTS)
def test_a_damaged_manifest_is_said(position, line) -> None:
    collect(position, 2)
    assert not PairFolder(position).torn
    manifest = position / MANIFEST
    first, second = manifest.read_text().splitlines()
    manifest.write_text(f"{first}\n{line}\n{second}\n")
    with pytest.raises(ValueError, match="Line 2 of pairs.jsonl of the edit pairs 'coats' is damaged") as caught:
        PairFolder(position)
    assert len(str(caught.value)) < 400


def test_a_manifest_that_is_none_is_said(position, tmp_path) -> None:
    collect(tmp_path / "others", 1)
    position.mkdir()
    (position / MANIFEST).symlink_to(tmp_path / "others" / MANIFEST)
    with pytest.raises(ValueError, match="leads out of their folder"):
        PairFolder(position)
    (position / MANIFEST).unlink()
    os.mkfifo(position / MANIFEST)
    with pytest.raises(ValueError, match="is no file"):
        PairFolder(position)


def chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def png(width: int, height: int, *chunks: bytes) -> bytes:
    """An image that says to be of some size."""
    head = chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0))
    return b"".join([b"\x89PNG\r\n\x1a\n", head, *chunks, chunk(b"IDAT", zlib.compress(b"0")), chunk(b"IEND", b"")])


@pytest.mark.parametrize(
    "data",
    [
        pytest.param(png(30_000, 30_000), id="900 million pixels"),
        pytest.param(png(12_000, 12_000), id="144 million pixels"),
        pytest.param(png(64, 64, b"\x00\x00\x00\x04ab1d1234\x00\x00\x00\x00"), id="a broken chunk"),
        pytest.param(png(64, 64, chunk(b"PLTE", b"1")), id="a palette of one byte"),
        pytest.param(png(64, 64, chunk(b"iCCP", b"x")), id="a broken profile"),
        pytest.param(png(0, 64), id="no width"),
        pytest.param(b"GIF89a" + bytes(60), id="another form"),
    ],
)
def test_an_image_that_cannot_be_one_is_said(position, data) -> None:
    folder = collect(position, 1)
    (position / folder.pairs[0].before).write_bytes(data)
    with pytest.raises(ValueError, match="The image '00001_before.png' of the edit pairs 'coats' is") as caught:
        folder.load(folder.pairs[0], 64)
    assert len(str(caught.value)) < 400


def test_a_changed_bit_of_an_image_is_noticed(position) -> None:
    folder = collect(position, 1)
    path = position / folder.pairs[0].before
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 16
    path.write_bytes(data)
    with pytest.raises(ValueError, match="is missing or damaged"):
        folder.load(folder.pairs[0], 64)


@pytest.mark.parametrize("target", ["outside", "pipe"])
def test_a_link_to_another_position_is_not_followed(position, tmp_path, target) -> None:
    folder = collect(position, 1)
    path = position / folder.pairs[0].before
    os.rename(path, tmp_path / "outside")
    if target == "pipe":
        os.mkfifo(path)
    else:
        path.symlink_to(tmp_path / "outside")
    with pytest.raises(ValueError, match="lies outside of the folder|is a pipe"):
        folder.load(folder.pairs[0], 64)


@pytest.mark.parametrize("damage", ["missing", "cut off", "foreign"])
def test_a_damaged_image_is_said(position, damage) -> None:
    folder = collect(position, 1)
    path = position / folder.pairs[0].after
    data = path.read_bytes()
    path.unlink()
    if damage != "missing":
        path.write_bytes(data[:500] if damage == "cut off" else b"hello")
    with pytest.raises(ValueError, match="00001_after.png.* is missing or damaged"):
        folder.load(folder.pairs[0], 64)


def test_too_small_images_are_refused(position) -> None:
    folder = collect(position, 1)
    with pytest.raises(ValueError, match="64 x 64 pixels .* too small for an editor of 128"):
        folder.load(folder.pairs[0], 128)


def test_squares() -> None:
    images = torch.rand(2, 3, 64, 64)
    assert torch.equal(as_squares(images, 64), images)
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
