"""The names of a domain in every spelling that its files need, and whether they are free."""

import builtins
import importlib.util
import keyword
import re
import sys
from dataclasses import dataclass
from pathlib import Path

from development.project import PACKAGE
from development.scaffolding.workspace import ScaffoldError, load

LONGEST = 30
WORD = re.compile(r"[a-z][a-z0-9]*(_[a-z0-9]+)*")
USED = frozenset(
    {
        *("address", "body", "change", "changed", "client", "common", "count", "create", "created"),
        *("data", "dependencies", "envelope", "error", "field", "found", "message", "model", "new"),
        *("number", "other", "page", "problem", "query", "refusal", "request", "required"),
        *(
            "response",
            "router",
            "seen",
            "session",
            "storage",
            "store",
            "update",
            "value",
            "version",
        ),
    }
)
"""Names that the modules of a domain or its router give to something else."""

ENDINGS = (
    (r"(?<=[^aeiou])y$", "ies"),
    (r"(?<=quiz)$", "zes"),
    (r"(s|x|z|ch|sh)$", r"\1es"),
    (r"$", "s"),
)
IRREGULAR = {
    "analysis": "analyses",
    "child": "children",
    "criterion": "criteria",
    "index": "indexes",
    "man": "men",
    "medium": "media",
    "person": "people",
    "woman": "women",
}


@dataclass(frozen=True)
class Names:
    """A domain's names: `invoice_line` and its plural, and what follows from them."""

    name: str
    plural: str

    @property
    def cls(self) -> str:
        """The name of its model, such as InvoiceLine."""
        return "".join(word.capitalize() for word in self.name.split("_"))

    @property
    def human(self) -> str:
        """Its name in a sentence."""
        return self.name.replace("_", " ")

    @property
    def humans(self) -> str:
        """Its plural in a sentence."""
        return self.plural.replace("_", " ")

    @property
    def article(self) -> str:
        """The article before its name."""
        sounds_like_you = re.match(r"uni|us[aeiu]|eu|one", self.name)
        is_open = re.match(r"[aeiou]|hour|honou?r|heir", self.name)
        return "an" if is_open and not sounds_like_you else "a"

    @property
    def slug(self) -> str:
        """Its name in the type of an event."""
        return self.name.replace("_", "-")

    @property
    def slugs(self) -> str:
        """Its plural in a URL."""
        return self.plural.replace("_", "-")


def plural_of(name: str) -> str:
    """Return the plural of a name, by the rules that hold for most English nouns."""
    first, _, last = name.rpartition("_")
    prefix = f"{first}_" if first else ""
    if last in IRREGULAR:
        return prefix + IRREGULAR[last]
    ending, plural = next(rule for rule in ENDINGS if re.search(rule[0], last))
    return prefix + re.sub(ending, plural, last, count=1)


def names_of(name: str, plural: str = "") -> Names:
    """Return the names of a new domain.

    Raises:
        ScaffoldError: a domain cannot have these names.
    """
    check_word(name, "name")
    if not plural and re.search(r"(?<![su])(?<!i)s$", name):
        raise ScaffoldError(
            f"name={name} looks like a plural: use the singular, or give both, "
            f"such as name={name} plural={plural_of(name)}."
        )
    names = Names(name, plural or plural_of(name))
    check_word(names.plural, "plural")
    if names.plural == name:
        raise ScaffoldError(f"The plural must differ from {name}: try plural={name}_list.")
    return names


def check_word(word: str, argument: str) -> None:
    """Check that a name is valid in Python, storage and URLs.

    Raises:
        ScaffoldError: it is invalid, or Python or the service already uses it.
    """
    if len(word) > LONGEST or not WORD.fullmatch(word):
        plain = re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", word).lower()
        plain = re.sub(r"[^a-z0-9]+", "_", plain).strip("_0123456789")[:LONGEST].rstrip("_")
        raise ScaffoldError(
            f"{argument}={word!r} is not a name for a domain: use lower-case letters, digits and "
            f"single underscores, a letter first, at most {LONGEST} characters, "
            f"such as {argument}={plain or 'invoice'}."
        )
    reason = taken_by_python(word) or ("a name that its own modules use" if word in USED else "")
    if reason:
        raise ScaffoldError(
            f"{argument}={word} is {reason}: choose another name, such as {word}_record."
        )


def taken_by_python(word: str) -> str:
    """Say what a word means to Python or to this service already, or nothing."""
    if keyword.iskeyword(word) or keyword.issoftkeyword(word):
        return "a keyword of Python"
    if hasattr(builtins, word):
        return "a built-in name of Python"
    if word in sys.stdlib_module_names:
        return "a module of Python's standard library"
    if word == PACKAGE or importlib.util.find_spec(word):
        return "a package that this service uses"
    return ""


def check_free(names: Names, service: Path) -> None:
    """Check that nothing in the service already has these names.

    Raises:
        ScaffoldError: a domain, file, route or endpoint already has one of them.
    """
    domains = {path.name for path in (service / PACKAGE / "domain").iterdir() if path.is_dir()}
    for word in (names.name, names.plural):
        if word in domains:
            raise ScaffoldError(f"There is a domain {word} in {PACKAGE}/domain/{word} already.")
        if {word} & {plural_of(domain) for domain in domains}:
            raise ScaffoldError(f"{word} is the plural of another domain: choose another name.")
    for path in (
        f"{PACKAGE}/routers/{names.name}.py",
        f"tests/integration/test_{names.plural}.py",
        f"tests/integration/test_{names.name}_events.py",
        f"tests/unit/test_{names.name}_schema.py",
    ):
        if (service / path).exists():
            raise ScaffoldError(f"{path} exists already: choose another name, or move that file.")
    _check_routes(names)


def _check_routes(names: Names) -> None:
    routers = load(f"{PACKAGE}.routers").ROUTERS
    prefix = f"/api/v1/{names.slugs}"
    endpoints = {f"{verb}_{names.name}" for verb in ("create", "get", "update", "delete")}
    for route in (route for router in routers for route in router.routes):
        if f"{route.path}/".startswith(f"{prefix}/"):
            raise ScaffoldError(f"There is a route {route.path} already: choose another name.")
        if route.name in {*endpoints, f"list_{names.plural}"}:
            raise ScaffoldError(
                f"The endpoint of {route.path} is called {route.name} already: choose another name."
            )
