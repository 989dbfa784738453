"""What a list can be filtered and sorted by, and the queries that clients make of it."""

from collections.abc import Sequence
from dataclasses import KW_ONLY, dataclass, field
from functools import partial
from hashlib import blake2b
from typing import Any, Final

from pydantic import BaseModel

from .parameters import (
    OtherQueryError,
    decode,
    encode,
    filters_of,
    parameters_model,
    sort_keys,
)
from .query import Filter, ListQuery, Operator, Position
from .types import column_type, has_ranges

KEY: Final = "id"
"""The column that orders equal items, and that lists are sorted by unless they say otherwise."""

RESERVED: Final = frozenset({"sort", "limit", "cursor"})


class ParameterError(ValueError):
    """A parameter of a list cannot be used."""

    def __init__(self, parameter: str, message: str) -> None:
        super().__init__(message)
        self.parameter = parameter


@dataclass(eq=False)
class ListSchema:
    """What clients can filter and sort a list by.

    Each name is a field of the items' schema, whose type it has, and a column of the model.

    Raises:
        TypeError: a column is missing, or has a type that does not allow this.
    """

    read: type[BaseModel]
    """The schema of the items."""

    _: KW_ONLY
    equal: Sequence[str] = ()
    """Columns to compare with one value: `?sku=LAMP-1`."""
    one_of: Sequence[str] = ()
    """Columns to compare with several values: `?status=draft&status=active`."""
    between: Sequence[str] = ()
    """Columns to compare by size: `?price__gte=10&price__lt=20`."""
    starts_with: Sequence[str] = ()
    """Texts to compare by their start: `?name__startswith=La`. Case counts."""
    sort: Sequence[str] = ()
    """Columns to sort by: `?sort=-price&sort=name`. Lists can always be sorted by id."""
    default_sort: Sequence[str] = (KEY,)
    """What to sort by when the client does not say."""

    types: dict[str, Any] = field(init=False)
    """The type of each column that is named above."""
    parameters: type[BaseModel] = field(init=False)
    """The query parameters, as a model."""

    def __post_init__(self) -> None:
        """Check the columns."""
        self.sort = tuple(dict.fromkeys((*self.sort, KEY)))
        columns = {*self.equal, *self.one_of, *self.between, *self.starts_with, *self.sort}
        self.types = {column: column_type(self.read, column) for column in sorted(columns)}
        for column in {*self.equal} & {*self.one_of}:
            raise TypeError(f"{column} is named by `equal` and by `one_of`: name it once")
        for column in columns & RESERVED:
            raise TypeError(f"{column} is another query parameter: name the field differently")
        for column in self.between:
            if not has_ranges(self.types[column]):
                raise TypeError(f"`between` needs a number, date or time: {column} is not one")
        for column in self.starts_with:
            if self.types[column] is not str:
                raise TypeError(f"`starts_with` needs a text: {column} is not one")
        for key in sort_keys(self.default_sort, KEY):
            if key.column not in self.sort:
                raise TypeError(f"`default_sort` needs a column of `sort`: {key.column} is not one")
        self._filters = filters_of(self.equal, self.one_of, self.between, self.starts_with)
        self.parameters = parameters_model(
            f"{self.read.__name__}List", self._filters, self.types, self.sort, self.default_sort
        )

    def query(self, /, **parameters: object) -> ListQuery:
        """Return a query, from values that are named as clients name them: `price__gte=10`.

        Raises:
            ValidationError: a value has the wrong type.
            ParameterError: there is no such parameter, or the cursor cannot be used.
        """
        return self.query_from(self.parameters.model_validate(parameters))

    def query_from(self, parameters: Any, *, place: str = "") -> ListQuery:  # noqa: ANN401 - of the model made above
        """Return a query, from an instance of `parameters`.

        Args:
            parameters: what the client sends.
            place: where the list is, such as a path. Its cursors are refused in other places.

        Raises:
            ParameterError: there is no such parameter, or the cursor cannot be used.
        """
        for name in parameters.model_extra or ():
            names = ", ".join(sorted(self.parameters.model_fields))
            raise ParameterError(name, f"There is no such parameter. Use one of: {names}.")
        order = sort_keys(parameters.sort, KEY)
        types = tuple(self.types[key.column] for key in order)
        query_hash = self._hash(parameters, place)
        given_filters = [
            _one_value(filter_, value)
            for filter_ in self._filters
            if (value := getattr(parameters, filter_.name)) is not None
        ]
        return ListQuery(
            filters=tuple(filter_ for filter_, _ in given_filters),
            values={filter_.name: value for filter_, value in given_filters},
            order=order,
            limit=parameters.limit,
            start=_start(parameters.cursor, types, query_hash),
            write_cursor=partial(encode, types=types, query_hash=query_hash),
        )

    def _hash(self, parameters: BaseModel, place: str) -> str:
        """Identify the list, its sort and its filters, whichever page of it is asked for."""
        text = parameters.model_dump_json(exclude={"limit", "cursor"}, exclude_none=True)
        text_to_hash = f"{place} {self.read.__name__}{text}"
        return blake2b(text_to_hash.encode(errors="backslashreplace"), digest_size=6).hexdigest()


def _one_value(filter_: Filter, value: Any) -> tuple[Filter, Any]:  # noqa: ANN401 - any column's
    """Compare with a single value by equality, which an index answers in the order of its rows."""
    if filter_.operator is Operator.ONE_OF and len(value) == 1:
        return filter_._replace(operator=Operator.EQUAL), value[0]
    return filter_, value


def _start(cursor: str | None, types: tuple[Any, ...], query_hash: str) -> Position | None:
    if cursor is None:
        return None
    try:
        return decode(cursor, types, query_hash)
    except OtherQueryError:
        message = (
            "This cursor is from another list, or from one with another sort or other filters. "
            "Repeat the path and the parameters of the page that gave it, or leave the cursor out."
        )
    except ValueError:
        message = (
            "Invalid cursor. Use `page.next_cursor` or `page.previous_cursor` of an earlier page."
        )
    raise ParameterError("cursor", message)
