"""Bytes in and out: threads that read ahead and write behind, and files that are followed."""

import os
import threading
import time

import pytest

from sigconv.errors import SigconvError
from sigconv.io import files
from sigconv.io.follow import Follower


def running():
    return {thread.name for thread in threading.enumerate() if thread.name.startswith("sigconv-")} & {
        "sigconv-reader",
        "sigconv-writer",
    }


def wait_for_threads():
    end = time.monotonic() + 20
    while running():
        assert time.monotonic() < end, running()
        time.sleep(0.01)


@pytest.mark.parametrize("before", [0, 1, 63, 1 << 16, (1 << 16) + 1])
def test_a_block_goes_behind_what_was_left_of_the_one_before(tmp_path, before):
    content = b"some,text\n" * 1000
    (tmp_path / "file").write_bytes(content)
    left = b"x" * before
    together = b""
    for block in files.read_blocks(str(tmp_path / "file"), size=4096):
        assert len(block) == len(bytes(block)) > 0 and 10 in block and 0 not in block
        data, size = block.behind(left)
        together += bytes(block)
        assert bytes(data[:size]) == left + bytes(block) and not data[size:].any() and len(data) == size + 64
    assert together == content


@pytest.mark.parametrize("count", [0, 1, 2, 100])
def test_what_is_read_ahead_comes_in_order(count):
    assert list(files.ahead(iter(range(count)))) == list(range(count))
    wait_for_threads()


def test_an_error_comes_behind_what_came_before_it():
    def items():
        yield 1
        yield 2
        raise OSError("gone")

    found = files.ahead(items())
    assert [next(found), next(found)] == [1, 2]
    with pytest.raises(OSError, match="gone"):
        next(found)
    wait_for_threads()


def test_reading_ahead_ends_with_its_reader():
    taken = []

    def items():
        for k in range(1_000_000):
            taken.append(k)
            yield k

    found = files.ahead(items())
    assert next(found) == 0
    found.close()
    wait_for_threads()
    assert len(taken) < 10


def test_what_is_written_behind_is_all_there_at_the_end():
    written = []
    with files.behind(written.append) as write:
        for k in range(100):
            write(b"%d" % k)
    assert written == [b"%d" % k for k in range(100)]
    assert not running()


def test_an_error_of_the_caller_loses_nothing_that_was_written_before():
    written = []

    def slowly(piece):
        time.sleep(0.01)
        written.append(piece)

    def work():
        with files.behind(slowly) as write:
            for k in range(4):
                write(b"%d" % k)
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        work()
    assert len(written) == 4 and not running()


@pytest.mark.parametrize("pieces", [1, 100])
def test_an_error_of_the_writer_is_the_caller_s(pieces):
    def full(piece):
        raise OSError("full")

    def work():
        with files.behind(full) as write:
            for _ in range(pieces):
                write(b"x")

    with pytest.raises(OSError, match="full"):
        work()
    assert not running()


def test_a_file_is_saved_whole(tmp_path):
    path = tmp_path / "f"
    files.save_whole(str(path), b"one")
    files.save_whole(str(path), b"two")
    assert path.read_bytes() == b"two" and os.listdir(tmp_path) == ["f"]
    with pytest.raises(FileNotFoundError) as error:
        files.save_whole(str(tmp_path / "no" / "f"), b"")
    assert error.value.filename == str(tmp_path / "no" / "f")


def take(follower, count):
    pieces = []
    for piece in follower:
        pieces.append(piece)
        if len(pieces) == count:
            return pieces
    return pieces


def test_a_follower_goes_on_at_its_place_only_in_the_same_file(tmp_path):
    path = tmp_path / "log"
    path.write_bytes(b"1\n2\n3")
    first = Follower(str(path))
    assert take(first, 2) == [b"1\n2\n", b""]
    place = first.place
    first.close()
    assert place.offset == 4
    with open(path, "ab") as file:
        file.write(b"4\n")
    second = Follower(str(path), place)
    assert second.midway and take(second, 1) == [b"34\n"]
    second.close()
    path.write_bytes(b"1")  # shorter than the place
    third = Follower(str(path), place)
    assert not third.midway and take(third, 1) == [b""]
    third.close()
    path.rename(tmp_path / "old")
    path.write_bytes(b"1\n2\n3\n4\n")
    fourth = Follower(str(path), place)
    assert not fourth.midway and take(fourth, 1) == [b"1\n2\n3\n4\n"]
    fourth.close()


def test_a_follower_does_not_hold_a_line_without_end(tmp_path, monkeypatch):
    monkeypatch.setattr("sigconv.io.follow.BLOCK", 100)
    path = tmp_path / "log"
    path.write_bytes(b"x" * 1000)
    follower = Follower(str(path))
    assert sum(map(len, take(follower, 5))) >= 500
    follower.close()


def test_only_plain_files_are_followed(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    end = os.open(tmp_path / "pipe", os.O_RDWR)
    with pytest.raises(SigconvError, match="only a plain file can be followed"):
        Follower(str(tmp_path / "pipe"))
    os.close(end)
