"""Linters accept the Dockerfile, compose.yaml and workflows of a service.

Images are linted, not built, because no container engine is available.
"""

from __future__ import annotations

import ast
import json
import re
import shlex
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
import yaml

from tests.support.git import commit_all, git
from tests.support.rendering import CATALOGUE, ROOT, render

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tests.support.combinations import Combination

PINNED = re.compile(r"uses: (?P<action>[\w./-]+)@(?P<commit>[0-9a-f]{40}) # (?P<version>v[\d.]+)$")


@pytest.fixture(scope="session", name="compose")
def _compose(service: Path) -> dict[str, dict[str, dict[str, object]]]:
    """The service's compose file."""
    content: dict[str, dict[str, dict[str, object]]] = yaml.safe_load(
        (service / "compose.yaml").read_text()
    )
    return content


CHECKED: set[tuple[object, ...]] = set()


def run(tool: str, *options: str, files: Sequence[Path]) -> None:
    """Run a tool installed beside pytest on files, and fail if it reports a problem.

    Most files are the same in every combination, so each content is checked once.
    """
    new = {(tool, options, path.name, path.read_text()): path for path in files}
    new = {key: path for key, path in new.items() if key not in CHECKED}
    if new:
        command = [str(Path(sys.executable).with_name(tool)), *options, *map(str, new.values())]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stdout + done.stderr
        CHECKED.update(new)


def check_schema(name: str, *files: Path) -> None:
    """Check files against a schema that check-jsonschema contains."""
    run("check-jsonschema", "--builtin-schema", f"vendor.{name}", files=files)


def check_safety(*files: Path) -> None:
    """Check workflows for security problems with zizmor at its strictest."""
    run("zizmor", "--offline", "--no-progress", "--persona=auditor", files=files)


def workflows(folder: Path) -> list[Path]:
    """List the workflows of a repository."""
    return sorted((folder / ".github/workflows").iterdir())


def own_workflows() -> list[Path]:
    """List the workflows of the template, including the example."""
    return [*workflows(ROOT), ROOT / "docs/fleet-workflow.yml"]


def defaults(service: Path) -> dict[str, ast.expr | None]:
    """Read a service's settings and their defaults from the code."""
    return {
        field.target.id: field.value
        for module in service.glob("orders/internal/*/*settings*.py")
        for node in ast.parse(module.read_text()).body
        if isinstance(node, ast.ClassDef)
        for field in node.body
        if isinstance(field, ast.AnnAssign) and isinstance(field.target, ast.Name)
        if not ast.unparse(field.annotation).startswith("ClassVar")
    }


def written(default: ast.expr | None) -> str | None:
    """Write a default as `.env.example` does, or return None if the code computes it."""
    match default:
        case ast.Constant(bool() as value):
            return str(value).lower()
        case ast.Constant(str() as value):
            return value
        case ast.Constant(int() | float() as value):
            return f"{value:g}"
        case _:
            return None


def test_the_dockerfile_passes_hadolint(service: Path) -> None:
    """Hadolint reports no problem."""
    run("hadolint", "--no-color", "--failure-threshold=style", files=[service / "Dockerfile"])


def test_the_image_runs_the_service_as_a_numeric_user(service: Path) -> None:
    """The last stage builds nothing, has a numeric user, and starts without a shell."""
    lines = (service / "Dockerfile").read_text().splitlines()
    last = lines[max(number for number, line in enumerate(lines) if line.startswith("FROM ")) :]
    assert not [line for line in last if re.search(r"\buv\b|\bpip\b|apt-get", line)]
    assert "USER 10001:10001" in last
    assert last[-1] == 'CMD ["python", "-m", "orders"]'


def test_the_users_umask_does_not_change_the_image(service: Path, tmp_path: Path) -> None:
    """With any umask, the image's user can read files and run programs, but write none."""
    text = (service / "Dockerfile").read_text()
    [command] = re.findall(r"^RUN (chmod -R \S+ \.)", text, flags=re.MULTILINE)
    file, program, folder = tmp_path / "main.py", tmp_path / "tool", tmp_path / "folder"
    folder.mkdir()
    for path, mode in {file: 0o600, program: 0o700, folder: 0o777}.items():
        path.touch()
        path.chmod(mode)
    subprocess.run(shlex.split(command), cwd=tmp_path, check=True)
    modes = [path.stat().st_mode & 0o777 for path in (file, program, folder)]
    assert modes == [0o644, 0o755, 0o755]


def test_the_image_has_a_health_check(service: Path, combination: Combination) -> None:
    """The image's health check is a separate program that Python compiles."""
    text = (service / "Dockerfile").read_text().replace("\\\n", "")
    [command] = re.findall(r"^HEALTHCHECK .*CMD (\[.*\])$", text, flags=re.MULTILINE)
    python, option, program = yaml.safe_load(command)
    assert (python, option) == ("python", "-c")
    compile(program, "HEALTHCHECK", "exec")
    assert ("/healthcheck/live" in program) is ("healthcheck" in combination)


def test_the_build_ignores_files_that_are_not_listed(service: Path) -> None:
    """The .dockerignore file starts by excluding everything."""
    rules = [
        line
        for line in (service / ".dockerignore").read_text().splitlines()
        if line and not line.startswith("#")
    ]
    assert rules[0] == "*"
    named = [rule.removeprefix("!") for rule in rules if rule.startswith("!")]
    assert [name for name in named if not (service / name).exists()] == ["uv.lock"]


def test_the_compose_file_is_valid(service: Path) -> None:
    """It follows the Compose specification."""
    check_schema("compose-spec", service / "compose.yaml")


def test_compose_starts_the_servers_that_the_service_needs(
    compose: dict[str, dict[str, dict[str, object]]], combination: Combination
) -> None:
    """Each chosen feature has its server, and every awaited server has a health check."""
    names = {"service"}
    names |= {"postgres", "migrate"} if "postgres" in combination else set()
    names |= {"kafka"} if "kafka" in combination else set()
    services = compose["services"]
    assert set(services) == names
    for container in services.values():
        dependencies = container.get("depends_on", {})
        assert isinstance(dependencies, dict)
        for name, dependency in dependencies.items():
            healthy = dependency["condition"] == "service_healthy"
            assert ("healthcheck" in services[name]) is healthy


def test_each_database_is_migrated(
    service: Path, compose: dict[str, dict[str, dict[str, object]]], tmp_path: Path
) -> None:
    """By compose's job and by `make migrate`: the first one, then those with their own folder."""
    if not (job := compose["services"].get("migrate")):
        return
    configurations = ["alembic.ini", "migrations/reports/alembic.ini"]
    for name in configurations:
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    for name in ("alembic", "uv"):
        (tmp_path / name).write_text('#!/bin/sh\necho "$@"\n')
        (tmp_path / name).chmod(0o755)
    environment = {"PATH": f"{tmp_path}:/usr/bin:/bin"}
    assert isinstance(job["command"], list)
    in_compose = [part.replace("$$", "$") for part in job["command"]]
    in_make = ["make", "--silent", f"--makefile={service / 'Makefile'}", "migrate"]
    for command, beginning in (in_compose, ""), (in_make, "run python -m development alembic "):
        output = subprocess.check_output(command, cwd=tmp_path, env=environment, text=True)
        expected = [f"{beginning}-c {name} upgrade head" for name in configurations]
        assert output.splitlines() == expected


@pytest.mark.parametrize("schema", ["github-workflows", "dependabot"])
def test_files_for_github_follow_its_schemas(service: Path, schema: str) -> None:
    """Workflows and the configuration of dependency updates follow GitHub's schemas."""
    updates = [service / ".github/dependabot.yml"]
    check_schema(schema, *(workflows(service) if schema == "github-workflows" else updates))


def test_the_services_workflows_pass_actionlint(service: Path) -> None:
    """Actionlint reports no problem."""
    run("actionlint", "-no-color", files=workflows(service))


def test_the_services_workflows_pass_zizmor(service: Path) -> None:
    """Zizmor, at its strictest, reports no security problem."""
    check_safety(*workflows(service), service / ".github/dependabot.yml")


def test_the_templates_workflows_pass_actionlint_and_zizmor() -> None:
    """The template's own workflows follow the same rules."""
    check_schema("github-workflows", *own_workflows())
    check_schema("dependabot", ROOT / ".github/dependabot.yml")
    run("actionlint", "-no-color", files=own_workflows())
    check_safety(*own_workflows(), ROOT / ".github/dependabot.yml")


def test_each_action_is_pinned_to_the_same_commit_everywhere(service: Path) -> None:
    """An action is pinned by commit, the same one in the template and its services."""
    lines = [
        line.strip().removeprefix("- ")
        for path in [*workflows(service), *own_workflows()]
        for line in path.read_text().splitlines()
        if "uses:" in line
    ]
    pins = [PINNED.match(line) for line in lines]
    assert None not in pins, lines
    distinct = {pin.groups() for pin in pins if pin}
    assert len({action for action, *_ in distinct}) == len(distinct)


def test_workflows_and_images_install_the_same_uv(service: Path) -> None:
    """The image and the checks use the same version of uv."""
    image = re.findall(r"uv==([\d.]+)", (service / "Dockerfile").read_text())
    text = "".join(path.read_text() for path in [*workflows(service), *own_workflows()])
    checks = re.findall(r'^ +version: "([\d.]+)"$', text, flags=re.MULTILINE)
    assert len({*image, *checks}) == 1
    assert image


def test_only_locked_and_audited_versions_are_installed(service: Path) -> None:
    """Image and checks use `uv.lock` unchanged. Every push audits and lists its packages."""
    workflow = yaml.safe_load((service / ".github/workflows/ci.yml").read_text())
    assert workflow["env"]["UV_LOCKED"] == "1"
    assert "uv sync --locked" in (service / "Dockerfile").read_text()
    runs = {
        name: [step.get("run") for step in job["steps"]] for name, job in workflow["jobs"].items()
    }
    assert "make audit" in runs["audit"]
    assert "if" not in workflow["jobs"]["audit"]
    assert "make sbom" in runs["sbom"]


def test_each_stage_of_the_image_runs_the_services_own_steps(service: Path) -> None:
    """Both stages run image.sh as root before they copy the code. The original does nothing."""
    stages = (service / "Dockerfile").read_text().split("\nFROM ")
    for stage, name, code in zip(stages, ("build", "run"), ("uv sync", "/app ./"), strict=True):
        start, steps = stage.index("COPY image.sh ./\n"), stage.index(f"RUN sh image.sh {name}\n")
        assert start < steps < stage.index(code)
        assert "USER" not in stage[:steps]
        subprocess.run(["sh", "image.sh", name], cwd=service, check=True)
    assert "\n!image.sh\n" in (service / ".dockerignore").read_text()


def test_renovate_finds_every_image(service: Path) -> None:
    """Renovate finds each image of a service in copier.yml, and can add a digest there."""
    check_schema("renovate", ROOT / "renovate.json")
    manager = json.loads((ROOT / "renovate.json").read_text())["customManagers"][0]
    pattern = re.compile(manager["matchStrings"][0].replace("(?<", "(?P<"))
    text = (ROOT / "copier.yml").read_text()
    found_images = {match[0].strip('"') for match in pattern.finditer(text)}
    images = yaml.safe_load(yaml.safe_load(text)["images"]["default"])
    servers = {feature["image"] for feature in CATALOGUE.values() if "image" in feature}
    assert found_images == {*images.values(), *servers}
    files = (service / "Dockerfile").read_text() + (service / "compose.yaml").read_text()
    named = set(re.findall(r"^(?:FROM| +image:) (\S+[:@]\S+)", files, flags=re.MULTILINE))
    assert named <= found_images
    assert len(named) >= 1
    digest = f"sha256:{'0' * 64}"
    pinned = pattern.fullmatch(f'"postgres:18@{digest}"')
    assert pinned
    assert pinned.groups() == ("postgres", "18", digest)


def test_every_setting_is_in_the_example(service: Path) -> None:
    """`.env.example` lists exactly the service's settings, each with its default."""
    text = (service / ".env.example").read_text()
    example = dict(re.findall(r"^# ORDERS_(\w+)=(.*)$", text, flags=re.MULTILINE))
    code = {name.upper(): written(default) for name, default in defaults(service).items()}
    code["SERVICE_NAME"] = "orders"
    assert set(example) == set(code)
    assert {name: example[name] for name in code if code[name]} == {
        name: value for name, value in code.items() if value
    }


def test_releases_are_tagged_by_commit_subject(tmp_path: Path) -> None:
    """A commit whose whole subject is a release gets its tag once. A second run changes nothing."""
    for subject in ("release: v1.0.0", "release: v1.1", "Undo release: v1.2.0", "release: v1.10.0"):
        commit_all(tmp_path, subject=subject)
    for _ in range(2):
        subprocess.run([ROOT / ".github/tag-releases"], cwd=tmp_path, check=True)
    tagged = git(
        tmp_path, "for-each-ref", "refs/tags", "--format=%(refname:short) %(subject)"
    ).splitlines()
    assert tagged == ["v1.0.0 release: v1.0.0", "v1.10.0 release: v1.10.0"]


def test_code_owners_are_optional(template: Path, tmp_path: Path) -> None:
    """With owners, GitHub finds one for every file. Without owners, there is no CODEOWNERS file."""
    path = ".github/CODEOWNERS"
    with_owners = render(
        template, tmp_path / "owned", code_owners="@acme/payments jane@example.com"
    )
    assert (with_owners / path).read_text().splitlines()[1:] == [
        "* @acme/payments jane@example.com"
    ]
    assert not (render(template, tmp_path / "open") / path).exists()
