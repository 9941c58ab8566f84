"""Every address that the product answers, as its URL configuration says."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from django.urls import URLPattern, URLResolver, get_resolver
from django.urls.resolvers import RoutePattern

PARAMETER = re.compile(r"<(?:\w+:)?(\w+)>")


@dataclass(frozen=True)
class Route:
    """One pattern: its name, its address from the root, and what stands in angle brackets there."""

    name: str
    address: str

    @property
    def parameters(self) -> tuple[str, ...]:
        """The names of its parameters, in their order."""
        return tuple(PARAMETER.findall(self.address))

    def path(self, values: Mapping[str, object]) -> str:
        """The address with these values; an unknown parameter is a KeyError."""
        return PARAMETER.sub(lambda found: str(values[found[1]]), self.address)


def routes(patterns: list[Any] | None = None, before: str = "/") -> Iterator[Route]:
    """All of them. A pattern that is no plain route cannot be walked, and is refused."""
    for pattern in get_resolver().url_patterns if patterns is None else patterns:
        assert isinstance(pattern.pattern, RoutePattern), f"{pattern} is not made by path()"
        address = before + str(pattern.pattern)
        if isinstance(pattern, URLResolver):
            yield from routes(pattern.url_patterns, address)
        else:
            assert isinstance(pattern, URLPattern) and pattern.name, f"{address} has no name"
            yield Route(pattern.name, address)
