"""Every check that a person or CI runs, by name. `uv run nox --list` explains them."""

from __future__ import annotations

import os
import re
import shutil
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

import nox

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(__file__).parent
INSIDE = {
    "": {"kafka": "no"},
    "events": {"kafka": "yes"},
    "authentication": {"postgres": "no", "kafka": "no", "authentication": "yes"},
}
"""Folders of `tests/inside`, each with the answers that make the service to run it in."""

SUPPORT = ("__init__.py", "ports.py", "reporting.py")
"""The helpers in `tests/support` that tests inside a service use."""

CAP = re.compile(r'("[\w\[\]-]+>=[\d.]+),<[\d.]+"')
"""A requirement with an upper bound."""

HISTORY = (
    ("rev-parse", "--is-shallow-repository"),
    ("log", "--format=%s", "--grep=^release: v", "--max-count=1"),
)

nox.needs_version = ">=2026.10.20"
nox.options.default_venv_backend = "uv"
nox.options.reuse_venv = "yes"


def install(session: nox.Session, group: str) -> None:
    """Bring the session's environment in step with a dependency group."""
    session.run_install(
        *("uv", "sync", "--quiet", "--group", group),
        env={"UV_PROJECT_ENVIRONMENT": session.virtualenv.location},
    )


@contextmanager
def rendered(session: nox.Session, **answers: str) -> Iterator[Path]:
    """Give a service with Kafka unless answers say otherwise, outside the check-out's ignores."""
    with TemporaryDirectory(prefix="template-") as folder:
        service = Path(folder) / "orders"
        chosen = {"kafka": "yes", **answers}
        data = ("--defaults", *(f"--data={name}={answer}" for name, answer in chosen.items()))
        session.run("copier", "copy", "--trust", "--quiet", *data, str(ROOT), str(service))
        yield service


def run_there(session: nox.Session, *command: str) -> None:
    """Run a command in the environment of the service in the current folder."""
    # Mypy reads the packages that services have in common once for all of them.
    types = str(ROOT / ".nox/mypy" / session.name)
    variables = {"UV_PROJECT_ENVIRONMENT": None, "VIRTUAL_ENV": None, "MYPY_CACHE_DIR": types}
    session.run("uv", "run", "--quiet", *command, env=variables)


@nox.session(tags=["side-by-side"])
def lint(session: nox.Session) -> None:
    """Check style, format and types of the template's code, and the service's where it stands."""
    install(session, "lint")
    session.run("ruff", "check")
    session.run("ruff", "format", "--check")
    session.run("mypy")
    # Files that need no rendering keep a service's rules, except those about names of folders.
    # A feature's folder is a service's root as well: rules for `tests/` apply below it.
    template = ROOT / "template"
    features = sorted(template.glob("{% if *%}.{% endif %}"))
    common = [path.name for path in template.iterdir() if path.is_dir() and path not in features]
    with rendered(session) as service:
        rules = ("--no-cache", f"--config={service / 'pyproject.toml'}")
        for folder in (template, *features):
            paths = common if folder == template else ["."]
            with session.chdir(folder):
                session.run("ruff", "check", "--ignore=INP001,N999", *rules, *paths)
                session.run("ruff", "format", "--check", *rules, *paths)


@nox.session(tags=["side-by-side"])
def tests(session: nox.Session) -> None:
    """Test the template: its questions, and the renders of chosen combinations of features."""
    install(session, "test")
    options = ("-n", "2", "--dist=loadgroup", "-m", "not thorough")
    session.run("pytest", *options, *session.posargs)


def copy_tests(*folders: str) -> None:
    """Copy tests that run in a service, and the helpers that they share, into the current one."""
    support = Path("tests/support")
    support.mkdir()
    for name in SUPPORT:
        shutil.copy(ROOT / support / name, support)
    for folder in folders:
        shutil.copytree(ROOT / folder, folder, ignore=shutil.ignore_patterns("__pycache__"))


@contextmanager
def with_tests_inside(session: nox.Session, folder: str) -> Iterator[None]:
    """Render a service and go there, with a folder of `tests/inside` copied into it."""
    ignore = shutil.ignore_patterns(*(name for name in INSIDE if name != folder))
    with rendered(session, **INSIDE[folder]) as service, session.chdir(service):
        copy_tests()
        source = Path("tests/inside")
        shutil.copytree(ROOT / source / folder, source / folder, ignore=ignore)
        for name in ("__init__.py", "helpers.py", "things.py"):
            shutil.copy(ROOT / source / name, source)
        _add_tool("hypothesis>=6.100")
        yield


def _add_tool(requirement: str) -> None:
    """Add a tool that these tests need to the development tools of the service."""
    project = Path("pyproject.toml")
    anchor = "    # The service's own development tools follow."
    project.write_text(project.read_text().replace(anchor, f'    "{requirement}",\n{anchor}'))


@nox.session(tags=["side-by-side"])
def internals(session: nox.Session) -> None:
    """Test the template's code inside rendered services."""
    install(session, "test")
    for folder in INSIDE:
        with with_tests_inside(session, folder):
            if folder == "events":
                # Other code that runs in a service is linted and typed here.
                shutil.copytree(ROOT / "tests/kafka", "tests/kafka")
                shutil.copy(ROOT / "benchmarks/inside_kafka.py", "development")
            run_there(session, "ruff", "check")
            run_there(session, "ruff", "format", "--check")
            run_there(session, "mypy")
            run_there(session, "pytest", "tests/inside", "-n", "auto", *session.posargs)


@nox.session(default=False)
def canary(session: nox.Session) -> None:
    """Test as `internals` does, on releases and pre-releases above the caps in pyproject.toml."""
    install(session, "test")
    for folder in INSIDE:
        with with_tests_inside(session, folder):
            project = Path("pyproject.toml")
            # A pre-release in the lower bound makes uv accept pre-releases of that package.
            project.write_text(CAP.sub(r'\1.dev0"', project.read_text()))
            run_there(session, "uv", "tree", "--quiet", "--depth=1", "--no-dev")
            run_there(session, "pytest", "tests/inside", "-n", "auto", *session.posargs)


@nox.session(tags=["side-by-side"])
def harness(session: nox.Session) -> None:
    """Test a service's test harness and its development servers, with broken services."""
    install(session, "test")
    session.run("pytest", "tests/harness", "-n", "2", "-m", "not thorough", *session.posargs)


@nox.session(tags=["side-by-side"])
def services(session: nox.Session) -> None:
    """Install, lint, test and run services: every pair of features, each alone, none and all."""
    install(session, "test")
    options = ("-n", "2", "--dist=loadgroup", "-m", "not thorough")
    session.run("pytest", "tests/services", *options, *session.posargs)


@nox.session(tags=["side-by-side"])
def updates(session: nox.Session) -> None:
    """Update services of every release, with different features, edits and failures."""
    shallow, release = (
        session.run("git", *command, external=True, silent=True, log=False) for command in HISTORY
    )
    if shallow == "true\n" or not release:
        session.skip("this clone's history lacks the template's releases: git fetch --unshallow")
    install(session, "test")
    options = ("-n", "2", "--dist=loadgroup", "-m", "not thorough")
    session.run("pytest", "tests/updates", *options, *session.posargs)


@nox.session(default=False)
def release(session: nox.Session) -> None:
    """Test every three features, every update, and what else is too slow for every change."""
    install(session, "test")
    folders = ("tests", "tests/harness", "tests/services", "tests/updates")
    ignored = [f"--ignore=tests/{name}" for name in ("faults", "inside", "kafka")]
    options = ("-n", "2", "--dist=loadgroup", "-m", "thorough")
    session.run("pytest", *folders, *ignored, *options, *session.posargs)


@nox.session(tags=["alone"])
def faults(session: nox.Session) -> None:
    """Test a service under load while servers, networks and disks fail."""
    install(session, "test")
    ignored = "--ignore=tests/faults/hostile"
    session.run("pytest", "tests/faults", ignored, "-n", "2", *session.posargs)


@nox.session(tags=["side-by-side"])
def hostile(session: nox.Session) -> None:
    """Send malformed and malicious requests, and look for secrets in logs and answers."""
    install(session, "hostile")
    session.run("pytest", "tests/faults/hostile", *session.posargs)


@nox.session(default=False)
def service(session: nox.Session) -> None:
    """Test one service and show all that its commands print: `nox -s service -- postgres-kafka`."""
    if not session.posargs:
        session.error("name the service's features: postgres-kafka, or bare for none")
    features, *options = session.posargs
    install(session, "test")
    session.run("pytest", "tests/services", f"--features={features}", "-rP", *options)


@nox.session(tags=["alone"])
def kafka(session: nox.Session) -> None:
    """Test events on Apache Kafka itself, which is killed and restarted."""
    tools = shutil.which("java") and shutil.which("mvn")
    if not tools and not os.environ.get("KAFKA_BOOTSTRAP_SERVERS"):
        session.skip("install Java 17 or newer and Maven, or set KAFKA_BOOTSTRAP_SERVERS")
    install(session, "test")
    standalone_tests = "tests/kafka/alone"
    for postgres, tests in {
        "yes": ["tests/kafka", f"--ignore={standalone_tests}"],
        "no": [standalone_tests],
    }.items():
        with rendered(session, postgres=postgres) as service, session.chdir(service):
            copy_tests("tests/kafka")
            # Each worker has a broker of its own to kill. aiokafka does not wait for the end of a
            # TLS connection, and a test's loop that is over before it leaves the socket open.
            options = ("-n", "2", "-p", "no:randomly", "-W", "ignore:unclosed:ResourceWarning")
            run_there(session, "pytest", *tests, *options, *session.posargs)


@nox.session(default=False)
def audit(session: nox.Session) -> None:
    """Look up known vulnerabilities of the tools and of a service; list what each is made of."""
    install(session, "lint")
    with rendered(session, authentication="yes") as service:
        for folder, groups in {ROOT: "--all-groups", service: "--no-dev"}.items():
            # The list comes first: it is wanted all the more when something is wrong.
            options = ("--preview-features=sbom-export", "--format=cyclonedx1.5", "--quiet")
            name = "template" if folder == ROOT else "service"
            with session.chdir(folder):
                session.run("uv", "export", *options, groups, f"-o={ROOT / name}.cdx.json")
                session.run("uv", "audit", "--preview-features=audit-command", *session.posargs)


@nox.session(default=False)
def fleet(session: nox.Session) -> None:
    """Rehearse the update of many services: `nox -s fleet -- check services.txt`."""
    install(session, "fleet")
    session.run("python", "-m", "fleet", *session.posargs, success_codes=[0, 2])


@nox.session(default=False)
def benchmarks(session: nox.Session) -> None:
    """Measure every claim about speed, or the named scripts', and write docs/benchmarks.md."""
    install(session, "benchmarks")
    session.run("python", "-m", "benchmarks", *session.posargs)


@nox.session(tags=["side-by-side"])
def quick_benchmarks(session: nox.Session) -> None:
    """Run each benchmark once, for a moment: they still work."""
    install(session, "benchmarks")
    session.run("python", "-m", "benchmarks", "--quick", *session.posargs)
