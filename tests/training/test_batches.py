from __future__ import annotations

from collections import Counter

import torch
from hypothesis import given
from hypothesis import strategies as st

from search.training.batches import AUGMENT, DROPOUT, ORDER, epoch_batches, steps_per_epoch, stream, stream_seed

CPU = torch.device("cpu")


@given(samples=st.integers(1, 300), batch_size=st.integers(1, 64), seed=st.integers(0, 2**63 - 1))
def test_batches_are_whole_and_take_no_sample_twice(samples: int, batch_size: int, seed: int) -> None:
    batches = epoch_batches(torch.arange(samples), batch_size, stream(seed, 1, ORDER), CPU)
    taken = torch.cat(batches).tolist()
    assert len(batches) == steps_per_epoch(samples, batch_size)
    assert len(set(taken)) == len(taken)
    assert set(taken) <= set(range(samples))
    assert {len(batch) for batch in batches} == {min(batch_size, samples)}


@given(indices=st.lists(st.integers(0, 40), min_size=1, max_size=60), batch_size=st.integers(1, 9))
def test_an_index_comes_as_often_as_it_is_given(indices: list[int], batch_size: int) -> None:
    """But for the last, smaller batch, which is left out."""
    taken = torch.cat(epoch_batches(torch.tensor(indices), batch_size, stream(0, 1, ORDER), CPU)).tolist()
    left_out = Counter(indices)
    left_out.subtract(taken)
    assert all(times >= 0 for times in left_out.values())
    assert left_out.total() == (0 if len(indices) < batch_size else len(indices) % batch_size)


def test_each_epoch_has_its_own_order() -> None:
    rows = torch.arange(50)
    orders = [torch.cat(epoch_batches(rows, 10, stream(0, epoch, ORDER), CPU)).tolist() for epoch in (1, 2, 1)]
    assert orders[0] == orders[2] != orders[1]
    assert sorted(orders[0]) == sorted(orders[1]) == rows.tolist()


@given(seed=st.integers(0, 2**63 - 1), epoch=st.integers(1, 2000))
def test_streams_differ(seed: int, epoch: int) -> None:
    seeds = {
        stream_seed(s, e, k) for s in (seed, seed ^ 1) for e in (epoch, epoch + 1) for k in (ORDER, AUGMENT, DROPOUT)
    }
    assert len(seeds) == 12
    assert all(0 <= found < 2**63 for found in seeds)
