"""Sets of UIDs behave as sets of numbers do."""

from hypothesis import given
from hypothesis import strategies as st

from fumibako.mail.imap import UidSet

numbers = st.sets(st.integers(1, 60))


@given(numbers, numbers)
def test_minus_leaves_what_only_the_first_has(some: set[int], others: set[int]) -> None:
    left = UidSet.of(some).minus(UidSet.of(others))
    assert left == UidSet.of(some - others)


@given(numbers, numbers)
def test_both_and_plus_are_intersection_and_union(some: set[int], others: set[int]) -> None:
    assert UidSet.of(some).both(UidSet.of(others)) == UidSet.of(some & others)
    assert UidSet.of(some).plus(UidSet.of(others), UidSet()) == UidSet.of(some | others)


@given(numbers, st.integers(0, 70))
def test_below_leaves_what_is_less(some: set[int], limit: int) -> None:
    assert UidSet.of(some).below(limit) == UidSet.of({number for number in some if number < limit})


@given(numbers)
def test_newest_first_counts_down(some: set[int]) -> None:
    assert UidSet.of(some).newest_first() == sorted(some, reverse=True)
