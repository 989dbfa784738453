"""Other databases of the service, beside the one in `DATABASE_URL`."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial

from ..feature import Feature, FeatureError, Probe, StartError
from ..resources import Resources
from .feature import accepts_writes, answers, migrate
from .revision import ROOT, Revisions, current_revision
from .session_manager import DatabaseSessionManager
from .settings import DatabaseSettings


def other_database(
    manager: type[DatabaseSessionManager], name: str, *, migrations: str | None = None
) -> Feature:
    """Return a feature that opens another database and checks it.

    Its settings begin with its name: `reports_url: DatabaseUrl`, and, if they differ from those of
    the first database, others such as `reports_pool_size: int = 5`.

    Args:
        manager: a subclass, by which endpoints and tests find the database.
        name: begins the names of its settings and probes.
        migrations: the folder of its `env.py` and `versions`, if this service migrates it.
    """

    @asynccontextmanager
    async def start(resources: Resources) -> AsyncIterator[DatabaseSessionManager]:
        settings = settings_of(resources.get(DatabaseSettings), name)
        database = manager.from_settings(settings)
        try:
            if migrations and settings.migrate_on_start:
                await migrate(settings.database_url, migrations)
            await database.check()
            yield database
        except StartError as error:
            # The message names the setting of the first database.
            raise StartError(str(error).replace("DATABASE_URL", f"{name}_url".upper())) from error
        finally:
            await database.close()

    probes: dict[str, Probe] = {name: partial(answers, manager=manager)}
    if migrations:
        probes[f"{name}-schema"] = partial(_schema_at_head, manager=manager, migrations=migrations)
    return Feature(
        start=start,
        probes=probes,
        reported_probes={f"{name}-writes": partial(accepts_writes, manager=manager)},
    )


def settings_of(settings: DatabaseSettings, name: str) -> DatabaseSettings:
    """Return the settings of another database, with the first one's limits where it has no own.

    Raises:
        FeatureError: the service does not declare the URL.
    """
    values = {}
    for field in DatabaseSettings.model_fields:
        own = field.replace("database", name, 1)
        if hasattr(settings, own):
            values[field] = getattr(settings, own)
        elif field == "database_url":
            raise FeatureError(f"Declare the setting `{own}: DatabaseUrl` in settings.py.")
        elif not field.endswith("_url"):
            values[field] = getattr(settings, field)
    return DatabaseSettings(**values)


async def _schema_at_head(
    resources: Resources, manager: type[DatabaseSessionManager], migrations: str
) -> str:
    revisions = Revisions.read(ROOT / migrations / "versions")
    async with resources.get(manager).connect() as connection:
        return revisions.judge("the schema", await current_revision(connection))
