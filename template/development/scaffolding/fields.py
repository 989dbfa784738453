"""The fields of a new domain: `number:str:unique total:money due:date note:str?`."""

import keyword
import re
from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace

from pydantic import BaseModel

from development.scaffolding.names import LONGEST, WORD, Names
from development.scaffolding.workspace import ScaffoldError

FIELD = re.compile(
    r"(?P<name>\w+):(?P<kind>\w+)(\((?P<values>[^()]*)\))?(?P<optional>\?)?(?P<unique>:unique)?"
)
EXAMPLE = 'fields="number:str:unique total:money due:date status:enum(open,paid)"'
OURS = frozenset({"id", "version", "created_at", "updated_at"})
UNUSABLE = frozenset(
    {
        *("client", "cursor", "data", "date", "datetime", "fields", "key", "limit", "page", "sort"),
        *("timedelta", "type", "validate"),
    }
)
"""Names that the modules of a domain, or requests, use for something else."""


UNKNOWN = '"018f0000-0000-7000-8000-000000000000"'


@dataclass(frozen=True)
class Kind:
    """How the fields of a kind are written in each module; `{}` stands for the field's name.

    Attributes:
        value: the type of the attribute.
        write: the type that checks what clients send.
        column: the type of the column, where it does not follow from that of the attribute.
        test: the field of Marshmallow that checks answers.
        first: a value in tests, as a literal.
        varying: an expression with another value for each `number`.
        bad: a value that is refused, as a literal.
        filters: how lists can be filtered by it: an argument of `ListSchema`.
        is_sorted: whether lists can be sorted by it, for which it gets an index.
    """

    value: str
    write: str
    column: str
    test: str
    first: str
    varying: str
    bad: str
    filters: str = ""
    is_sorted: bool = False


TEXT = ('"{} 1"', 'f"{} {{number}}"', '"  "')
NUMBER = ("1", "number", '"1"')
KINDS = {
    "str": Kind("str", "Text", "String(200)", "String", *TEXT, "equal"),
    "text": Kind("str", "LongText", "Text", "String", *TEXT),
    "int": Kind("int", "Integer", "", "Integer", *NUMBER, "between"),
    "bool": Kind("bool", "bool", "", "Boolean", "False", "False", '"yes"', "equal"),
    "money": Kind(
        *("Decimal", "Amount", "Numeric(12, 2)", "Decimal"),
        *('"1.50"', 'f"{{number}}.50"', '"-1"', "between"),
    ),
    "decimal": Kind(
        *("Decimal", "Number", "Numeric(20, 6)", "Decimal"),
        *('"1.125000"', 'f"{{number}}.125000"', '"NaN"', "between"),
    ),
    "date": Kind(
        *("date", "date", "", "Date", '"2026-01-31"'),
        *("str(date(2026, 1, 1) + timedelta(days=number))", '"2026-02-30"', "between"),
        is_sorted=True,
    ),
    "datetime": Kind(
        *("datetime", "Timestamp", "", "AwareDateTime", '"2026-01-31T08:30:00Z"'),
        *('f"2026-01-31T08:30:00.{{number:06}}Z"', '"2026-01-31T08:30:00"', "between"),
        is_sorted=True,
    ),
    "uuid": Kind("UUID", "UUID", "", "UUID", UNKNOWN, "str(UUID(int=number))", '"1"', "equal"),
}
REFERENCE = Kind("UUID", "UUID", "", "UUID", UNKNOWN, "", '"1"', "equal")


@dataclass(frozen=True)
class Field:
    """A field of a domain."""

    name: str
    type_name: str
    kind: Kind
    is_optional: bool = False
    is_unique: bool = False
    values: tuple[str, ...] = ()
    target: Names | None = None

    @property
    def human(self) -> str:
        """Its name in a sentence."""
        return self.name.removesuffix("_id" if self.target else "").replace("_", " ")

    @property
    def camel(self) -> str:
        """Its name in the name of a class."""
        return "".join(word.capitalize() for word in self.human.split())

    @property
    def enum(self) -> str:
        """The name of its enum, if it has one."""
        return self.kind.value if self.values else ""

    @property
    def members(self) -> dict[str, str]:
        """The values of its enum, by the names of the members."""
        return {member_of(value): value for value in self.values}

    @property
    def value(self) -> str:
        """The type of the attribute."""
        return self.kind.value + (" | None" if self.is_optional else "")

    @property
    def write(self) -> str:
        """The type that checks what creates one."""
        return self.kind.write + (" | None" if self.is_optional else "")

    @property
    def default(self) -> str:
        """What it is when a client leaves it out, as an expression; nothing if it must not."""
        if self.is_optional:
            return "None"
        return f"{self.enum}.{member_of(self.values[0])}" if self.values else ""

    @property
    def column_options(self) -> list[str]:
        """The arguments of its column."""
        options = [self.kind.column] if self.kind.column else []
        if self.target:
            options.append(f'ForeignKey("{self.target.plural}.id")')
            options += [] if self.is_unique else ["index=True"]
        return options + (["unique=True"] if self.is_unique else [])

    @property
    def test_options(self) -> list[str]:
        """The arguments of the field that checks answers."""
        options = ["required=True"]
        options += ["allow_none=True"] if self.is_optional else []
        options += ["strict=True"] if self.type_name == "int" else []
        values = ", ".join(f'"{value}"' for value in self.values)
        return options + ([f"validate=validate.OneOf([{values}])"] if values else [])

    @property
    def first(self) -> str:
        """A value for tests, as a literal."""
        return self.kind.first.format(self.human)

    @property
    def second(self) -> str:
        """Another value for tests, as a literal, of a field with few values."""
        return f'"{self.values[1]}"' if self.values else "True"

    @property
    def varying(self) -> str:
        """An expression with another value for each `number`."""
        return self.kind.varying.format(self.human)

    @property
    def has_few_values(self) -> bool:
        """Whether values repeat, so that tests must choose."""
        return self.type_name in {"bool", "enum"}


def member_of(value: str) -> str:
    """Return the name of an enum's member."""
    return value.upper().replace("-", "_")


def parse(text: str, names: Names, reserved: Collection[str] = ()) -> list[Field]:
    """Read what `fields=` says; no field may have a reserved name.

    Raises:
        ScaffoldError: it is not a list of fields, or one of them is invalid.
    """
    parts = [part for part in re.split(r"\s+(?![^()]*\))", text.strip()) if part]
    fields = [_parse_field(part, names) for part in parts]
    for number, field in enumerate(fields):
        if field.name in reserved:
            raise ScaffoldError(_unusable(field.name, names))
        if field.name in {other.name for other in fields[:number]}:
            raise ScaffoldError(f"The field {field.name} is given twice.")
    if not fields:
        raise ScaffoldError(f"A domain needs at least one field, such as {EXAMPLE}.")
    return fields


def _parse_field(text: str, names: Names) -> Field:
    match = FIELD.fullmatch(text)
    if match is None or match["kind"] not in {*KINDS, "enum", "ref"}:
        raise ScaffoldError(
            f"{text!r} is not a field: write name:kind, name:kind? for one that may be missing, or "
            f"name:kind:unique. The kinds are {', '.join(KINDS)}, enum(first,second) and "
            f"ref(domain). For example {EXAMPLE}."
        )
    name, kind, values = match["name"], match["kind"], match["values"]
    _check_name(name if kind != "ref" else f"{name}_id", names)
    if (values is not None) != (kind in {"enum", "ref"}):
        raise ScaffoldError(f"{text!r}: write enum(first,second), ref(domain), or just the kind.")
    is_optional, is_unique = bool(match["optional"]), bool(match["unique"])
    if is_unique and kind in {"bool", "enum", "text"}:
        raise ScaffoldError(f"{text!r}: a field of the kind {kind} cannot be unique.")
    if kind == "enum":
        field = _enum(name, [value.strip() for value in values.split(",")], names)
    elif kind == "ref":
        field = _reference(name, values.strip(), names)
    else:
        field = Field(name, kind, KINDS[kind])
    return replace(field, is_optional=is_optional, is_unique=is_unique)


def _enum(name: str, values: Sequence[str], names: Names) -> Field:
    members = {member_of(value) for value in values}
    if len(values) == 1 or len(members) < len(values):
        raise ScaffoldError(f"{name}: an enum needs at least two different values.")
    for value in values:
        if len(value) > LONGEST or not re.fullmatch(r"[a-z][a-z0-9]*([_-][a-z0-9]+)*", value):
            raise ScaffoldError(
                f"{name}: {value!r} is not a valid value: use lower-case letters, digits, hyphens "
                f"and underscores, a letter first, at most {LONGEST} characters."
            )
    enum = names.cls + "".join(word.capitalize() for word in name.split("_"))
    column = f'enum_type({enum}, "{names.name}_{name}")'
    first = f'"{values[0]}"'
    kind = Kind(enum, enum, column, "String", first, first, '"unknown-value"', "one_of")
    return Field(name, "enum", kind, values=tuple(values))


def _reference(name: str, target: str, names: Names) -> Field:
    if target == names.name:
        raise ScaffoldError(
            f"{name}: leave the reference of {target} to itself out, and add it by hand."
        )
    return Field(f"{name}_id", "ref", REFERENCE, target=Names(target, ""))


def _check_name(name: str, names: Names) -> None:
    if len(name) > LONGEST or not WORD.fullmatch(name):
        raise ScaffoldError(
            f"The field name {name!r} is invalid: use lower-case letters, digits and single "
            f"underscores, a letter first, at most {LONGEST} characters."
        )
    if name in OURS:
        raise ScaffoldError(f"Leave the field {name} out: every domain has it already.")
    if keyword.iskeyword(name) or name.startswith("model_") or hasattr(BaseModel, name):
        raise ScaffoldError(_unusable(name, names))
    if name in UNUSABLE or name in {names.name, names.plural}:
        raise ScaffoldError(_unusable(name, names))


def _unusable(name: str, names: Names) -> str:
    return (
        f"The field name {name} is taken: Python or the domain's modules already use it. "
        f"Choose another one, such as {names.name}_{name}."
    )
