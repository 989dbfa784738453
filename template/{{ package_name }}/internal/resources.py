"""The resources of a running service, found by type."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, Mapping
from functools import cache
from typing import TYPE_CHECKING, Annotated, Any, Final, TypeVar, cast

from fastapi import Depends
from starlette.requests import HTTPConnection

if TYPE_CHECKING:
    from typing_extensions import TypeForm

T = TypeVar("T")

SERVICE: Final = "service"
"""Where the scope of a request has the application of the service: `app` may be a mounted one."""


class MissingResourceError(LookupError):
    """No resource of the requested type is open."""


class AmbiguousResourceError(LookupError):
    """Several resources are of the requested type."""


class DuplicateResourceError(ValueError):
    """A resource of this class is open already."""


class Resources:
    """Holds what the features of the service have opened: each resource is found by its class.

    A request for a base class finds the one resource whose class is derived from it.
    """

    def __init__(self, *resources: object) -> None:
        self._by_class: dict[type, object] = {}
        self._replaced: dict[Any, object] = {}
        self._found: dict[object, object] = {}
        for resource in resources:
            self.add(resource)

    def get(self, type_: TypeForm[T]) -> T:
        """Return the resource of a type.

        Raises:
            MissingResourceError: there is none now.
            AmbiguousResourceError: several are of a class derived from this type.
        """
        try:
            return cast("T", self._found[type_])
        except KeyError:
            pass
        resource = self.find(type_)
        if resource is None:
            raise MissingResourceError(
                f"no resource is a {_name(type_)}. Yield one from the `start` of a feature, and "
                f"ask for it only while the service runs. Open now: {_names(self._by_class)}."
            )
        return resource

    def find(self, type_: TypeForm[T]) -> T | None:
        """Return the resource of a type, or None when there is none now.

        Raises:
            AmbiguousResourceError: several are of a class derived from this type.
        """
        if type_ not in self._found and (class_ := self._class_of(type_)):
            self._found[type_] = (self._by_class | self._replaced)[class_]
        return cast("T | None", self._found.get(type_))

    def add(self, resource: object, *, giver: str = "This call") -> None:
        """Add a resource, to be found by its class.

        Raises:
            DuplicateResourceError: there is one of this class.
        """
        class_ = type(resource)
        if class_ in self._by_class:
            raise DuplicateResourceError(
                f"{giver} gives a second {_name(class_)}, and resources are found by their class. "
                f"Give it another class: `class Other{class_.__name__}({class_.__name__})`."
            )
        self._by_class[class_] = resource
        self._found.clear()

    def remove(self, resource: object) -> None:
        """Forget a resource that is about to close."""
        del self._by_class[type(resource)]
        self._found.clear()

    def replace(self, type_: TypeForm[T], resource: T) -> None:
        """Find this resource for a type from now on, even if a feature opens another: for tests."""
        self._replaced[type_] = resource
        self._found.clear()

    def _class_of(self, type_: Any) -> Any:  # noqa: ANN401 - any type
        classes = self._by_class | self._replaced
        if type_ in classes:
            return type_
        derived = [class_ for class_ in classes if _is_derived(class_, type_)]
        # A replacement also stands for what is open of a class derived from its type.
        for replaced_class in [class_ for class_ in derived if class_ in self._replaced]:
            derived = [
                class_
                for class_ in derived
                if class_ is replaced_class or not _is_derived(class_, replaced_class)
            ]
        if len(derived) > 1:
            raise AmbiguousResourceError(
                f"{_names(derived)} are all of the type {_name(type_)}: ask for one of them."
            )
        return derived[0] if derived else None


def resources_of(connection: Mapping[str, Any]) -> Resources:
    """Return the resources for a request or WebSocket, or for the scope of one."""
    resources: Resources = connection[SERVICE].resources
    return resources


@cache
def _finder(type_: Any) -> Callable[[HTTPConnection], Awaitable[object]]:  # noqa: ANN401 - any type
    async def find(connection: HTTPConnection) -> object:
        return resources_of(connection).get(type_)

    return find


class _Dependency:
    def __class_getitem__(cls, type_: Any) -> object:  # noqa: ANN401 - any type
        return Annotated[type_, Depends(_finder(type_))]


if TYPE_CHECKING:
    Resource = Annotated[T, _Dependency]
    """A resource, asked for in an endpoint or a dependency: `rates: Resource[ExchangeRates]`."""
else:
    Resource = _Dependency


def _is_derived(class_: object, base: object) -> bool:
    return isinstance(class_, type) and isinstance(base, type) and issubclass(class_, base)


def _names(classes: Iterable[object]) -> str:
    return ", ".join(sorted(_name(class_) for class_ in classes)) or "none"


def _name(type_: object) -> str:
    return getattr(type_, "__name__", None) or repr(type_)
