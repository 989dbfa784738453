"""Changes to events that break readers are reported. Compatible changes pass."""

import json
from datetime import datetime
from decimal import Decimal
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any, ClassVar, Literal
from uuid import UUID

import pytest
from pydantic import BaseModel, ConfigDict, Field, create_model

from orders.domain.product.events import ProductCreated, ProductDeleted
from orders.internal.kafka import EventBase

from tests.harness.kafka import schemas
from tests.harness.kafka.schemas import key_rule

OPEN: ConfigDict = {}
CLOSED: ConfigDict = {"extra": "forbid"}


class Small(StrEnum):
    """Two values."""

    A = "a"
    B = "b"


class Large(StrEnum):
    """The same values, and another one."""

    B = "b"
    A = "a"
    C = "c"


class Turned(StrEnum):
    """The same values in another order."""

    B = "b"
    A = "a"


class Item(BaseModel):
    """An item of a list."""

    sku: str


class LongerItem(BaseModel):
    """The item with an optional field more."""

    sku: str
    note: str | None = None


class OtherItem(BaseModel):
    """The item with a required field more."""

    sku: str
    amount: int


class Node(BaseModel):
    """An item that contains others of its type."""

    name: str
    children: "list[Node]" = []


class LongerNode(BaseModel):
    """The same with an optional field more."""

    name: str
    children: "list[LongerNode]" = []
    note: str = ""


class OtherNode(BaseModel):
    """The same with another type deep inside."""

    name: int
    children: "list[OtherNode]" = []


def fields(config: ConfigDict = OPEN, **types: Any) -> dict[str, Any]:  # noqa: ANN401 - any annotation
    """Return the schema of an event with these fields: types, or types with a default."""

    class Base(EventBase):
        model_config = config

    definitions: Any = {
        name: kind if isinstance(kind, tuple) else (kind, ...) for name, kind in types.items()
    }
    return create_model("Changed", __base__=Base, **definitions).body_schema()


def aliased(name: str, *default: object) -> Any:  # noqa: ANN401 - a field
    """Return a text field that has another name on the wire."""
    return (str, Field(*default, alias=name)) if default else (str, Field(alias=name))


BREAKS_NOBODY = {
    "nothing": (fields(a=int), fields(a=int)),
    "a new optional field": (fields(a=int), fields(a=int, b=(str, ""))),
    "a new nullable field": (fields(a=int), fields(a=int, b=(str | None, None))),
    "a first field, optional": (fields(), fields(a=(str, ""))),
    "an optional field is gone": (fields(a=int, b=(str, "")), fields(a=int)),
    "another default": (fields(a=(int, 1)), fields(a=(int, 2))),
    "other words": (fields(a=int), fields(a=(int, Field(description="A.", title="B")))),
    "another order of fields": (fields(a=int, b=str), fields(b=str, a=int)),
    "another order of a union": (fields(a=int | None), fields(a=None | int)),
    "another order of an enum": (fields(a=Small), fields(a=Turned)),
    "an enum instead of its values": (fields(a=Literal["a", "b"]), fields(a=Small)),
    "a field renamed in Python only": (fields(a=str), fields(other=aliased("a"))),
    "a new optional field in an item": (fields(a=list[Item]), fields(a=list[LongerItem])),
    "a new optional field in a part": (fields(a=Item), fields(a=LongerItem)),
    "a new optional field in a nullable part": (
        fields(a=Item | None),
        fields(a=LongerItem | None),
    ),
    "a new optional field in a value": (fields(a=dict[str, Item]), fields(a=dict[str, LongerItem])),
    "a new optional field in a pair": (
        fields(a=tuple[int, Item]),
        fields(a=tuple[int, LongerItem]),
    ),
    "a new optional field in a recursive part": (fields(a=Node), fields(a=LongerNode)),
    "an optional field of a recursive part": (fields(a=int), fields(a=int, b=(Node | None, None))),
    "a limit without effect": (fields(a=str), fields(a=Annotated[str, Field(min_length=0)])),
}

BREAKS_READERS = {
    "a required field is gone": (fields(a=int, b=str), fields(a=int), "body.b is gone"),
    "a new required field": (fields(a=int), fields(a=int, b=str), "body.b is required now"),
    "an optional field becomes required": (
        fields(a=(int, 1)),
        fields(a=int),
        "body.a is required now",
    ),
    "a required field becomes optional": (
        fields(a=int),
        fields(a=(int, 1)),
        "body.a is optional now",
    ),
    "a required field is renamed": (fields(a=str), fields(b=str), "body.a is gone"),
    "an optional field is renamed": (fields(a=(str, "")), fields(b=(str, "")), "body.a is gone"),
    "a field gets an alias": (fields(a=str), fields(a=aliased("b")), "body.a is gone"),
    "an optional field gets an alias": (
        fields(a=(str, "")),
        fields(a=aliased("b", "")),
        "body.a is gone, and b looks like its new name",
    ),
    "another type": (fields(a=int), fields(a=str), "body.a: "),
    "a wider type": (fields(a=int), fields(a=float), "body.a: "),
    "a narrower type": (fields(a=float), fields(a=int), "body.a: "),
    "another format": (fields(a=str), fields(a=UUID), "body.a: "),
    "a time instead of a text": (fields(a=str), fields(a=datetime), "body.a: "),
    "a number instead of a decimal": (fields(a=Decimal), fields(a=float), "body.a: "),
    "a field becomes nullable": (fields(a=int), fields(a=int | None), "body.a: "),
    "a field is never null any more": (fields(a=int | None), fields(a=int), "body.a: "),
    "another member of a union": (fields(a=int | str), fields(a=int | str | bool), "body.a: "),
    "another value of an enum": (fields(a=Small), fields(a=Large), "body.a: "),
    "a value of an enum is gone": (fields(a=Large), fields(a=Small), "body.a: "),
    "another constant": (fields(a=Literal["a"]), fields(a=Literal["b"]), "body.a: "),
    "a tighter limit": (fields(a=str), fields(a=Annotated[str, Field(max_length=5)]), "body.a: "),
    "a wider limit": (
        fields(a=Annotated[int, Field(lt=5)]),
        fields(a=Annotated[int, Field(lt=9)]),
        "body.a: ",
    ),
    "one instead of many": (fields(a=list[str]), fields(a=str), "body.a: "),
    "many instead of one": (fields(a=str), fields(a=list[str]), "body.a: "),
    "other items": (fields(a=list[int]), fields(a=list[str]), "body.a[]: "),
    "a new required field in an item": (
        fields(a=list[Item]),
        fields(a=list[OtherItem]),
        "body.a[].amount is required now",
    ),
    "a required field is gone from an item": (
        fields(a=list[OtherItem]),
        fields(a=list[Item]),
        "body.a[].amount is gone",
    ),
    "other values": (fields(a=dict[str, int]), fields(a=dict[str, str]), "body.a.*: "),
    "a longer tuple": (fields(a=tuple[int, int]), fields(a=tuple[int, int, int]), "body.a"),
    "other parts of a tuple": (fields(a=tuple[int, int]), fields(a=tuple[int, str]), "body.a[1]: "),
    "a part instead of a text": (fields(a=str), fields(a=Item), "body.a: "),
    "a recursive part changes deep inside": (fields(a=Node), fields(a=OtherNode), "body.a.name: "),
    "other fields are refused": (fields(a=int), fields(CLOSED, a=int), "other fields are refused"),
    "a new field where others are refused": (
        fields(CLOSED, a=int),
        fields(CLOSED, a=int, b=(str, "")),
        "body.b is new",
    ),
}


@pytest.mark.parametrize("change", BREAKS_NOBODY)
def test_a_compatible_change_passes(change: str) -> None:
    """Old readers can read new messages, and new readers can read old ones."""
    assert schemas.breaks(*BREAKS_NOBODY[change]) == []


@pytest.mark.parametrize("change", BREAKS_READERS)
def test_a_breaking_change_is_reported(change: str) -> None:
    """The message has the place and the kind of the change, for either reader."""
    old, new, fault = BREAKS_READERS[change]
    faults = schemas.breaks(old, new)
    assert any(fault in message for message in faults), faults


class Elsewhere(ProductCreated):
    """The same event on another topic."""

    topic: ClassVar[str] = "catalogue"


class KeyedByStatus(ProductCreated):
    """The same event with another key."""

    @property
    def key(self) -> str:
        """The status."""
        return str(self.status)


@pytest.mark.parametrize(
    ("event", "fault"),
    [(Elsewhere, "the topic: "), (KeyedByStatus, "the key: "), (ProductCreated, None)],
)
def test_a_changed_topic_or_key_is_reported(event: type[EventBase], fault: str | None) -> None:
    """Readers expect an event on one topic, and rely on the order of its keys."""
    stored = json.loads(schemas.file("product.created.v1").read_text())
    faults = schemas.breaks(stored, schemas.contract(event))
    assert [fault in message for message in faults if fault] == ([True] if fault else [])


def test_a_key_is_recorded_by_its_fields() -> None:
    """The schema lists the fields of the key by their names on the wire."""

    class Nested(EventBase):
        item: Item
        number: int = Field(alias="no")

        @property
        def key(self) -> str:
            return f"{self.item.sku}/{self.number:03}"

    class Unclear(Nested):
        @property
        def key(self) -> str:
            return str(self.number % 16)

    rules = (key_rule(ProductCreated), key_rule(Nested), key_rule(Unclear), key_rule(EventBase))
    assert rules == ("{product_id}", "{item.sku}/{no:03}", None, "{id}")


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder of stored schemas that this test may change."""
    monkeypatch.setattr(schemas, "FOLDER", tmp_path)
    return tmp_path


def test_new_fields_are_stored(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Storing again adds new fields, and refuses changes that break readers."""

    class Longer(ProductDeleted):
        note: str = ""

    class Broken(ProductDeleted):
        note: int = 0

    names: list[list[str]] = []
    for event in (ProductDeleted, Longer, Broken):
        monkeypatch.setattr(schemas, "events", lambda event=event: {"product.deleted.v1": event})
        names.append([path.name for path in schemas.store()])
    assert names == [["product.deleted.v1.json"], ["product.deleted.v1.json"], []]
    stored = json.loads((folder / "product.deleted.v1.json").read_text())
    assert stored["properties"]["note"]["type"] == "string"
    assert schemas.breaks(stored, schemas.contract(Broken))


def test_a_schema_of_an_older_release_is_compared_and_completed(folder: Path) -> None:
    """A schema without a topic and a key is valid, and so is one of a removed event."""
    schemas.store()
    file = schemas.file("product.deleted.v1")
    old = {name: part for name, part in json.loads(file.read_text()).items() if name[:2] != "x-"}
    file.write_text(json.dumps(old))
    (folder / "long.gone.v1.json").write_text(json.dumps(old))
    assert schemas.breaks(old, schemas.contract(ProductDeleted)) == []
    assert schemas.vanished() == []
    assert schemas.store() == [file]
    (folder / "gone.v1.json").write_text(file.read_text())
    assert schemas.vanished() == ["gone.v1"]
