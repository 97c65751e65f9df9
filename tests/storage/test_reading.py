"""What a file may be before anything of it is read: a file, in its place, whose header and sizes are right."""

import json
import os
import struct
import zipfile

import pytest
import torch
from appearance_transfer.storage import bounded_json, fields
from appearance_transfer.storage.regular_file import lies_inside, open_regular, read_regular
from appearance_transfer.storage.safetensors_table import read_table
from appearance_transfer.storage.torch_archive import read_archive
from safetensors.torch import save_file

DTYPES = [
    torch.float64,
    torch.float32,
    torch.float16,
    torch.bfloat16,
    torch.int64,
    torch.int32,
    torch.uint8,
    torch.bool,
]


class TestRegularFile:
    @pytest.mark.parametrize("target", ["pipe", "device", "folder"])
    def test_only_files_are_opened_and_links_to_pipes_do_not_wait(self, tmp_path, target) -> None:
        link = tmp_path / "link.safetensors"
        if target == "pipe":
            os.mkfifo(tmp_path / "pipe")
        where = {"pipe": tmp_path / "pipe", "device": os.devnull, "folder": tmp_path}[target]
        link.symlink_to(where)
        with pytest.raises(ValueError, match=f"is a {target}, not a file|cannot be read"):
            open_regular(link)

    def test_what_is_too_large_is_not_read(self, tmp_path) -> None:
        path = tmp_path / "huge.txt"
        with path.open("wb") as file:
            file.truncate(2**40)
        with pytest.raises(ValueError, match="1048576 MiB"):
            read_regular(path, 2**20)

    def test_links_are_followed_to_say_where_a_file_lies(self, tmp_path) -> None:
        (tmp_path / "in").mkdir()
        (tmp_path / "outside").write_text("x")
        (tmp_path / "in" / "link").symlink_to(tmp_path / "outside")
        (tmp_path / "in" / "circle").symlink_to(tmp_path / "in" / "circle")
        assert lies_inside(tmp_path / "in" / "new", tmp_path / "in")
        assert not lies_inside(tmp_path / "in" / "link", tmp_path / "in")
        assert not lies_inside(tmp_path / "in" / ".." / "outside", tmp_path / "in")


class TestJson:
    @pytest.mark.parametrize("text", ["[" * 100_000, '{"a":' * 100_000, "[" * 17 + "]" * 17])
    def test_depth_is_limited(self, text) -> None:
        with pytest.raises(ValueError, match="nested more than 16 deep"):
            bounded_json.parse(text, 10**7)

    def test_size_is_limited(self) -> None:
        with pytest.raises(ValueError, match="101 bytes of JSON"):
            bounded_json.parse(b" " * 101, 100)

    def test_brackets_in_texts_do_not_count(self) -> None:
        text = json.dumps({"a": "[" * 50 + '\\"' + "{" * 50, "b": [[1]]})
        assert bounded_json.parse(text, 1000) == json.loads(text)


@pytest.mark.parametrize(
    ("check", "bad"),
    [
        (fields.number(), [float("nan"), float("inf"), 10**400, "1", True, None, [1]]),
        (fields.number(0, 1), [-0.1, 1.1]),
        (fields.whole(0, 10), [-1, 11, 1.0, True, "1", None, 10**5000]),
        (fields.flag, [0, 1, "true", None]),
        (fields.text, [1, None, ["a"], "x" * 20_000]),
        (fields.one_of("ddpm", "ddim"), ["magic", None, 1, ["ddpm"]]),
        (fields.list_of(fields.number(), 3), [None, {}, [1, 2, 3, 4], [1, "a"]]),
        (fields.texts, [None, [], {"a": 1}]),
        (fields.record(size=fields.whole()), [None, {}, {"size": "a"}]),
    ],
)
def test_fields_refuse_what_they_should_not_be(check, bad) -> None:
    for value in bad:
        with pytest.raises(ValueError) as caught:
            check(value)
        assert len(str(caught.value)) < 300


def as_table(path):
    with path.open("rb") as file:
        table = read_table(file) if path.suffix == ".safetensors" else read_archive(file)
        return table, table.read(table.tensors)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("suffix", [".safetensors", ".pth"])
def test_tables_hold_what_was_saved(tmp_path, dtype, suffix) -> None:
    path = tmp_path / f"some{suffix}"
    tensors = {
        "a": torch.arange(12).reshape(3, 4).to(dtype),
        "empty": torch.empty(0, 3, dtype=dtype),
        "b": torch.ones(()),
    }
    save_file(tensors, path) if suffix == ".safetensors" else torch.save(tensors, path)
    table, found = as_table(path)
    assert found.keys() == tensors.keys()
    assert all(
        torch.equal(found[name], tensor) and found[name].dtype == tensor.dtype for name, tensor in tensors.items()
    )
    shapes = table.on_meta(lambda name: name != "b")
    assert {name: (t.shape, t.dtype) for name, t in shapes.items()} == {
        name: (t.shape, t.dtype) for name, t in tensors.items() if name != "b"
    }


def header(path, change) -> None:
    """Write a file whose header was changed, with the numbers as they were."""
    save_file({"a": torch.ones(4, 4), "b": torch.ones(2)}, path, {"some": "words"})
    data = path.read_bytes()
    (length,) = struct.unpack("<Q", data[:8])
    words = json.loads(data[8 : 8 + length])
    text = change(words)
    text = json.dumps(words).encode() if text is None else text
    path.write_bytes(struct.pack("<Q", len(text)) + text + data[8 + length :])


HEADERS = {
    "deep": lambda words: b'{"a":' * 100_000,
    "no object": lambda words: b"[1, 2]",
    "not UTF-8": lambda words: b'{"\xff": 1}',
    "unknown type": lambda words: words["a"].update(dtype="Q7"),
    "type of another size": lambda words: words["a"].update(dtype="F64"),
    "huge shape": lambda words: words["a"].update(shape=[2**60]),
    "negative shape": lambda words: words["a"].update(shape=[-4, -4]),
    "shape of texts": lambda words: words["a"].update(shape=["4", "4"]),
    "a number for a shape": lambda words: words["a"].update(shape=16),
    "twice the numbers": lambda words: words.update(c=words["a"]),
    "a hole": lambda words: words.pop("a") and None,
    "beyond the end": lambda words: words["b"].update(data_offsets=[64, 10**9]),
    "no offsets": lambda words: words["a"].pop("data_offsets") and None,
    "a text for a tensor": lambda words: words.update(a="F32"),
    "numbers for metadata": lambda words: words.update(__metadata__={"some": 1}),
}


@pytest.mark.parametrize("damage", HEADERS)
def test_a_header_that_is_wrong_is_refused_before_a_number_is_read(tmp_path, damage) -> None:
    path = tmp_path / "some.safetensors"
    header(path, HEADERS[damage])
    with pytest.raises(ValueError) as caught:
        as_table(path)
    assert len(str(caught.value)) < 300


def archive(path, change) -> None:
    """Write an archive of torch.save some of whose entries were changed."""
    torch.save({"a": torch.ones(4, 4)}, path)
    with zipfile.ZipFile(path) as found:
        entries = {info.filename: found.read(info) for info in found.infolist()}
    change(entries)
    with zipfile.ZipFile(path, "w", zipfile.ZIP_STORED) as written:
        for name, data in entries.items():
            written.writestr(name, data)


def contents(change):
    """Change the table of contents of an archive."""

    def changed(entries) -> None:
        name = next(name for name in entries if name.endswith("data.pkl"))
        entries[name] = change(entries[name])

    return changed


ARCHIVES = {
    "no contents": contents(lambda data: b""),
    "unknown instruction": contents(lambda data: b"\x80\x02\x8f."),
    "a call": contents(lambda data: b"\x80\x02cbuiltins\neval\n(X\x01\x00\x00\x001tR."),
    "a huge view": contents(lambda data: data.replace(b"K\x04K\x04\x86", b"\x8a\x05\x00\x00\x00\x00\x10K\x04\x86")),
    "another order": contents(lambda data: data.replace(b"K\x04K\x01\x86", b"K\x01K\x04\x86")),
    "one number for all": contents(lambda data: data.replace(b"K\x04K\x01\x86", b"K\x00K\x00\x86")),
    "no numbers": lambda entries: entries.pop(next(name for name in entries if name.endswith("data/0"))),
    "numbers cut off": lambda entries: entries.update({name: b"12" for name in entries if name.endswith("data/0")}),
    "big-endian": lambda entries: entries.update({name: b"big" for name in entries if name.endswith("byteorder")}),
}


@pytest.mark.parametrize("damage", ARCHIVES)
def test_an_archive_of_another_shape_is_refused(tmp_path, damage) -> None:
    path = tmp_path / "some.pth"
    archive(path, ARCHIVES[damage])
    with pytest.raises(ValueError) as caught:
        as_table(path)
    assert len(str(caught.value)) < 300


def test_many_names_of_the_same_numbers_are_refused(tmp_path) -> None:
    path, shared = tmp_path / "some.pth", torch.ones(1000)
    torch.save({f"a{number}": shared for number in range(100)}, path)
    with pytest.raises(ValueError, match="share their numbers"):
        as_table(path)


def test_a_compressed_archive_is_refused(tmp_path) -> None:
    """A few bytes that would become gigabytes."""
    path = tmp_path / "some.pth"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as written:
        written.writestr("some/data.pkl", bytes(10**7))
    with pytest.raises(ValueError, match="compressed"):
        as_table(path)
