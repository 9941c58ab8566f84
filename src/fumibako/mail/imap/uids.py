"""Sets of UIDs, as IMAP and what is known of a folder deal in them: ranges, never lists."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass


@dataclass(frozen=True)
class UidSet:
    """UIDs as sorted, disjoint, non-adjacent inclusive ranges."""

    ranges: tuple[tuple[int, int], ...] = ()

    @classmethod
    def of(cls, numbers: Iterable[int]) -> "UidSet":
        """The set of these numbers, in whatever order they come."""
        return cls.of_ranges((number, number) for number in numbers)

    @classmethod
    def of_ranges(cls, ranges: Iterable[tuple[int, int]]) -> "UidSet":
        """The union of inclusive ranges; each may be given either way round (RFC 9051 §9, seq-range)."""
        merged: list[tuple[int, int]] = []
        for low, high in sorted((min(pair), max(pair)) for pair in ranges):
            if merged and low <= merged[-1][1] + 1:
                merged[-1] = (merged[-1][0], max(merged[-1][1], high))
            else:
                merged.append((low, high))
        return cls(tuple(merged))

    def __len__(self) -> int:
        return sum(high - low + 1 for low, high in self.ranges)

    def __iter__(self) -> Iterator[int]:
        for low, high in self.ranges:
            yield from range(low, high + 1)

    def __contains__(self, number: object) -> bool:
        return isinstance(number, int) and any(low <= number <= high for low, high in self.ranges)

    def minus(self, others: "UidSet") -> "UidSet":
        """The UIDs of this set that are not in ``others``."""
        left: list[tuple[int, int]] = []
        cuts = iter(others.ranges)
        cut = next(cuts, None)
        for low, high in self.ranges:
            while cut is not None and cut[1] < low:
                cut = next(cuts, None)
            while cut is not None and cut[0] <= high and low <= high:
                if low < cut[0]:
                    left.append((low, cut[0] - 1))
                low = cut[1] + 1
                if low <= high:
                    cut = next(cuts, None)
            if low <= high:
                left.append((low, high))
        return UidSet(tuple(left))

    def both(self, others: "UidSet") -> "UidSet":
        """The UIDs that are in this set and in ``others``."""
        return self.minus(self.minus(others))

    def plus(self, *others: "UidSet") -> "UidSet":
        """The UIDs that are in this set or in any of ``others``."""
        return UidSet.of_ranges(pair for uids in (self, *others) for pair in uids.ranges)

    def below(self, limit: int) -> "UidSet":
        """The UIDs of this set that are less than ``limit``."""
        return UidSet(tuple((low, min(high, limit - 1)) for low, high in self.ranges if low < limit))

    def newest_first(self) -> list[int]:
        """The UIDs from the highest down."""
        return [uid for low, high in reversed(self.ranges) for uid in range(high, low - 1, -1)]

    def __str__(self) -> str:
        """As a sequence set for a command, such as "1:5,7"."""
        return ",".join(str(low) if low == high else f"{low}:{high}" for low, high in self.ranges)
