"""Files that appear complete or not at all: several processes at once, killed ones, and a full disk."""

import errno
import multiprocessing
import os
import time

import pytest
from appearance_transfer.storage import atomic_write as whole_file
from appearance_transfer.storage import unfinished
from appearance_transfer.storage.atomic_write import NotWritten, atomic_write, write_numbered
from appearance_transfer.storage.unfinished import remove_abandoned, unfinished_path

OTHER = "0" * 8


def test_numbers_go_up_and_nothing_is_overwritten(tmp_path) -> None:
    folder = tmp_path / "new" / "folder"
    paths = [write_numbered(folder, "cat", ".txt", str(number).encode()) for number in range(3)]
    assert [path.name for path in paths] == ["cat_00001.txt", "cat_00002.txt", "cat_00003.txt"]
    assert [path.read_text() for path in paths] == ["0", "1", "2"]
    assert len(os.listdir(folder)) == 3


def _save_many(folder, word: str, barrier) -> None:
    barrier.wait()
    for number in range(20):
        write_numbered(folder, "cat", ".txt", f"{word}{number}".encode())


@pytest.mark.parametrize("links", [True, False])
def test_two_processes_never_overwrite_each_other(tmp_path, monkeypatch, links) -> None:
    if not links:  # a file system that knows no hard links

        def none(source, target) -> None:
            raise OSError(errno.ENOTSUP, "not supported")

        monkeypatch.setattr(whole_file.os, "link", none)
    context = multiprocessing.get_context("fork")
    barrier = context.Barrier(2)
    processes = [context.Process(target=_save_many, args=(tmp_path, word, barrier)) for word in "ab"]
    for process in processes:
        process.start()
    for process in processes:
        process.join(60)
        assert process.exitcode == 0
    found = sorted(path.read_text() for path in tmp_path.iterdir())
    assert found == sorted(f"{word}{number}" for word in "ab" for number in range(20))


def _begin_and_hang(folder, ready) -> None:
    unfinished_path(folder).write_bytes(b"half")
    ready.set()
    time.sleep(600)


def test_what_a_killed_process_left_is_removed_by_the_next_save(tmp_path) -> None:
    context = multiprocessing.get_context("fork")
    ready = context.Event()
    process = context.Process(target=_begin_and_hang, args=(tmp_path, ready))
    process.start()
    assert ready.wait(60)
    atomic_write(tmp_path / "first.txt", b"1")
    assert len(list(tmp_path.glob(".*.part"))) == 1  # its process lives
    process.kill()
    process.join(60)
    atomic_write(tmp_path / "second.txt", b"2")
    assert sorted(os.listdir(tmp_path)) == ["first.txt", "second.txt"]


def named(folder, process: int, begun: float, machine: str | None = None):
    path = folder / f".appearance-transfer.{machine or unfinished._machine()}.{process}.{int(begun)}.01234567.part"
    path.write_bytes(b"half")
    return path


def test_a_number_that_another_process_has_by_now_does_not_protect_a_file(tmp_path) -> None:
    ours = named(tmp_path, os.getpid(), time.time())
    before_us = named(tmp_path, os.getpid(), 1e9)
    remove_abandoned(tmp_path)
    assert ours.exists() and not before_us.exists()


def test_files_of_another_machine_are_left_alone_for_a_day(tmp_path) -> None:
    new, old = named(tmp_path, 1, 1e9, OTHER), named(tmp_path, 2, 1e9, OTHER)
    os.utime(old, (1e9, 1e9))
    remove_abandoned(tmp_path)
    assert new.exists() and not old.exists()


def test_files_of_others_are_never_removed(tmp_path) -> None:
    mine = tmp_path / ".mine.part"
    mine.write_text("x")
    remove_abandoned(tmp_path)
    assert mine.exists()


@pytest.mark.parametrize("code", [errno.ENOSPC, errno.EFBIG, errno.EACCES])
def test_a_full_disk_is_a_sentence_and_leaves_nothing(tmp_path, monkeypatch, code) -> None:
    def full(descriptor) -> None:
        raise OSError(code, os.strerror(code))

    monkeypatch.setattr(whole_file.os, "fsync", full)
    messages = "disk is full|permissions"
    for write in (
        lambda: atomic_write(tmp_path / "cat.txt", b"1"),
        lambda: write_numbered(tmp_path, "cat", ".txt", b"1"),
    ):
        with pytest.raises(NotWritten, match=messages) as caught:
            write()
        assert str(caught.value).startswith("'cat.txt' could not be saved: ")
        assert str(caught.value).endswith("queue again.")
    assert not os.listdir(tmp_path)


def test_the_content_is_on_the_disk_before_it_gets_its_name(tmp_path, monkeypatch) -> None:
    done = []
    monkeypatch.setattr(whole_file.os, "fsync", lambda descriptor: done.append("waited"))
    for name in ("replace", "link"):
        real = getattr(os, name)
        monkeypatch.setattr(whole_file.os, name, lambda *words, name=name, real=real: (done.append(name), real(*words)))
    atomic_write(tmp_path / "cat.txt", b"1")
    write_numbered(tmp_path, "cat", ".txt", b"1")
    assert done == ["waited", "replace", "waited", "waited", "link", "waited"]
