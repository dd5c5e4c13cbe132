"""How work is cut into ranges, and which thread takes which."""

import threading

from hypothesis import given
from hypothesis import strategies as st

from sigconv.engines.cpu.threads import _Job, shares, split

COUNTS = st.integers(0, 10**6)


def covered(ranges):
    """Numbers from 0 on that ranges cover without a gap; None where there is one."""
    end = 0
    for lo, hi in ranges:
        if lo != end or hi <= lo:
            return None
        end = hi
    return end


@given(n=COUNTS, grain=st.integers(1, 10**5), align=st.integers(1, 64))
def test_split_covers_all_in_aligned_ranges(n, grain, align):
    ranges = split(n, max(grain, n // 1000), align)
    assert covered(ranges) == n
    assert all(lo % align == 0 for lo, _ in ranges)


@given(n=COUNTS, grain=st.integers(0, 10**5))
def test_shares_are_alike_and_two_or_four_threads_finish_together(n, grain):
    grain = max(grain, n // 1000)
    ranges = shares(n, grain)
    assert covered(ranges) == n
    sizes = [hi - lo for lo, hi in ranges]
    assert max(sizes, default=1) - min(sizes, default=1) <= 1 and max(sizes, default=0) <= max(grain, 1)
    assert len(ranges) <= 2 or len(ranges) % 4 == 0 or len(ranges) == n


@given(n=st.integers(1, 200), workers=st.integers(1, 9))
def test_each_worker_has_a_stretch_and_helps_with_what_others_left(n, workers):
    ranges = shares(n, 1)
    done = []
    job = _Job(lambda lo, hi: done.append((lo, hi)))
    job.share(ranges, workers)
    own = list(job.stretches[workers - 1])
    job.work(workers - 1)  # alone: its own from the front, then the others' from the back
    assert done[: len(own)] == own and sorted(done) == ranges
    assert not any(job.stretches)


def test_every_range_is_taken_once_by_one_of_many_threads():
    for _ in range(50):
        done = []
        job = _Job(lambda lo, hi, done=done: done.append(lo))
        job.share(shares(400, 1), 6)
        threads = [threading.Thread(target=job.work, args=(k,)) for k in range(6)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert sorted(done) == list(range(400)) and job.error is None


def test_an_error_ends_the_work_of_all_and_is_kept():
    def task(lo, hi):
        if lo == 3:
            raise IndexError("from the task")
        done.append(lo)

    done = []
    job = _Job(task)
    job.share(shares(8, 1), 2)
    job.work(0)
    assert isinstance(job.error, IndexError) and done == [0, 1, 2]
    job.work(1)
    assert done == [0, 1, 2]
