"""What a client asks of a list, and the page that answers it."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from enum import Enum
from typing import Any, Generic, NamedTuple, Self, TypeVar

Item = TypeVar("Item")


class Operator(Enum):
    """How a filter compares a column with a value."""

    EQUAL = "equal"
    ONE_OF = "one_of"
    GTE = "gte"
    GT = "gt"
    LTE = "lte"
    LT = "lt"
    STARTS_WITH = "startswith"


class Filter(NamedTuple):
    """A column, and how it is compared with the value of the query parameter `name`."""

    name: str
    column: str
    operator: Operator


class SortKey(NamedTuple):
    """A column to sort by. A null counts as larger than every value."""

    column: str
    descending: bool = False

    def reversed(self) -> "SortKey":
        """Return the same column in the other direction."""
        return SortKey(self.column, not self.descending)


class Position(NamedTuple):
    """A place between two items: just after, or just before, the item with these values."""

    values: tuple[Any, ...]
    backwards: bool
    """Whether the page ends here, rather than starts."""
    inclusive: bool = False
    """Whether the item itself is on the page."""

    def turned(self) -> Self:
        """Return the same place, looked at from the other side."""
        return self._replace(backwards=not self.backwards, inclusive=not self.inclusive)


@dataclass(frozen=True, slots=True)
class ListQuery:
    """One page of a list: filtered, sorted, and from where to where."""

    filters: tuple[Filter, ...]
    values: Mapping[str, Any]
    """What each filter compares with, by the filter's name."""
    order: tuple[SortKey, ...]
    """The columns to sort by. The last one is unique, so that no two items are equal."""
    limit: int
    start: Position | None
    write_cursor: Callable[[Position], str]

    @property
    def read_order(self) -> tuple[SortKey, ...]:
        """The order in which to read: reversed for a page that ends at `start`."""
        if self.start is not None and self.start.backwards:
            return tuple(key.reversed() for key in self.order)
        return self.order

    def page(self, rows: Sequence[Item]) -> "ListPage[Item]":
        """Return the page, from up to `limit + 1` items in `read_order` beyond `start`."""
        items = list(rows[: self.limit])
        has_more = len(rows) > self.limit
        start = self.start
        if start is None:
            return ListPage(items, self, self._after(items) if has_more else None, None)
        if start.backwards:
            items.reverse()
            following = self._after(items) if items else start.turned()
            return ListPage(items, self, following, self._before(items) if has_more else None)
        preceding = self._before(items) if items else start.turned()
        return ListPage(items, self, self._after(items) if has_more else None, preceding)

    def _after(self, items: Sequence[Any]) -> Position:
        return Position(self._key(items[-1]), backwards=False)

    def _before(self, items: Sequence[Any]) -> Position:
        return Position(self._key(items[0]), backwards=True)

    def _key(self, item: object) -> tuple[Any, ...]:
        return tuple(getattr(item, key.column) for key in self.order)


@dataclass(frozen=True, slots=True)
class ListPage(Generic[Item]):
    """The items of one page, and where the pages beside it are."""

    items: Sequence[Item]
    query: ListQuery
    following: Position | None
    preceding: Position | None

    @property
    def next_cursor(self) -> str | None:
        """The cursor of the page after this one; None on the last page."""
        return self.query.write_cursor(self.following) if self.following else None

    @property
    def previous_cursor(self) -> str | None:
        """The cursor of the page before this one; None on the first page."""
        return self.query.write_cursor(self.preceding) if self.preceding else None
