"""Run a test once for each revision."""

import pytest

from tests.harness.postgres import revisions, service


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Run each test with the parameter `revision` for all revisions, oldest first."""
    if "revision" in metafunc.fixturenames:
        scripts = revisions.revisions(service.alembic_config())
        metafunc.parametrize("revision", [script.revision for script in scripts])
