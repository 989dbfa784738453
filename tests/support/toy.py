"""A toy feature: one folder, and one entry of the catalogue with its question."""

from __future__ import annotations

from textwrap import dedent
from typing import TYPE_CHECKING

from tests.support.files import replace

if TYPE_CHECKING:
    from pathlib import Path

ENTRY = r"""
    vault:
      package: vault
      backing: vault
      harness: vault
      dependencies:
        itsdangerous>=2.2: [itsdangerous]
      image: "hashicorp/vault:1.20"
      volumes: [vault]
      variables:
        VAULT_URL: http://vault:8200
      waits_for:
        vault: service_started
      owned:
        /tests/vault/: tests of the vault
      ignored: [.vault/]
      words: vault|itsdangerous
"""

QUESTION = """
vault:
  type: bool
  help: Seal what it hands out?
  default: false
"""

FILES = {
    "{{ package_name }}/internal/vault/__init__.py": '''
        """Seals what the service hands out."""

        from collections.abc import AsyncIterator
        from contextlib import asynccontextmanager

        from ..feature import Feature
        from ..resources import Resources
        from .seals import Vault
        from .settings import VaultSettings

        __all__ = ["FEATURE", "Vault", "VaultSettings"]


        @asynccontextmanager
        async def start(resources: Resources) -> AsyncIterator[Vault]:
            """Open the vault with the service's settings."""
            yield Vault(resources.get(VaultSettings).vault_key)


        FEATURE = Feature(start=start)
    ''',
    "{{ package_name }}/internal/vault/seals.py": '''
        """Seals and their check."""

        from itsdangerous import Signer


        class Vault:
            """Seals texts with a key."""

            def __init__(self, key: str) -> None:
                """Keep the key."""
                self._signer = Signer(key)

            def seal(self, text: str) -> str:
                """Return a text with its seal."""
                return self._signer.sign(text).decode()
    ''',
    "{{ package_name }}/internal/vault/settings.py": '''
        """How the vault seals."""

        from pydantic import BaseModel


        class VaultSettings(BaseModel):
            """Settings whose names begin with `vault_`."""

            vault_url: str = ""
            vault_key: str = "for development"
    ''',
    "development/vault.py": '''
        """A vault for development, beside the service."""

        from collections.abc import Iterator
        from contextlib import contextmanager

        from development.backing import Backing


        @contextmanager
        def start() -> Iterator[str]:
            """Run a vault and give its address."""
            yield "http://127.0.0.1:8200"


        def check(url: str) -> None:
            """Accept any address."""


        BACKING = Backing("The vault", "VAULT_URL", start, check)
    ''',
    "tests/harness/vault.py": '''
        """The settings of a vault for tests."""

        import pytest


        @pytest.fixture
        def vault_settings() -> dict[str, object]:
            """Settings of the vault for tests."""
            return {"vault_key": "for tests"}
    ''',
    "tests/vault/test_vault.py.jinja": '''
        """The vault seals with the key of the settings."""

        from httpx import AsyncClient

        from {{ package_name }}.internal.http.openapi import Application
        from {{ package_name }}.internal.vault import Vault


        async def test_the_service_has_a_vault(app: Application, api_client: AsyncClient) -> None:
            """The vault is found by its type, with the key that the harness gives."""
            assert (await api_client.get("/openapi.json")).is_success
            assert app.resources.get(Vault).seal("a") == Vault("for tests").seal("a")
    ''',
    "docs/template/vault.md": """
        # The vault

        `make seal` shows what the vault does.
    """,
    "{# parts #}/Makefile.jinja": """
        .PHONY: seal

        seal: ## Show what the vault does
        \t@$(uv) run python -c "from {{ package_name }}.internal.vault import Vault"

    """,
    "{# parts #}/env.example.jinja": """

        # The vault: where it is and what it seals with
        # {{ env_prefix }}VAULT_URL=
        # {{ env_prefix }}VAULT_KEY=for development
    """,
    "{# parts #}/compose.yaml.jinja": """

        {{ "  vault:" }}
            image: {{ catalogue.vault.image }}
            volumes: ["vault:/vault/file"]
    """,
    "{# parts #}/ownership_rows.md.jinja": """
        | a secret | the vault |
    """,
}
"""Return the files of the feature's folder."""


def add_toy_feature(template: Path) -> None:
    """Add the feature to a copy of the template."""
    folder = template / "template/{% if vault %}.{% endif %}"
    for name, text in FILES.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(dedent(text[1:]).rstrip(" "))
    config = template / "copier.yml"
    before = "    healthcheck:\n      package: healthcheck\n"
    replace(config, before, ENTRY[1:] + before)
    before = "# The chosen entries of the catalogue."
    replace(config, before, f"{QUESTION[1:]}\n{before}")
