"""Apache Kafka in KRaft mode, from jars that Maven downloads into a cache."""

# ruff: noqa: S603, S607 - commands are lists, and are looked up on the developer's own PATH

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import os
import shutil
import socket
import subprocess
import time
from pathlib import Path
from typing import TYPE_CHECKING

from tests.support.ports import free_port

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

POM = Path(__file__).with_name("pom.xml")
CLUSTER_ID = "MkU3OEVBNTcwNTJENDM2Qg"
JAVA = ("-Xmx400m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", "-XX:-UsePerfData")
START_TIMEOUT = 90

PROPERTIES = """
process.roles=broker,controller
node.id=1
controller.quorum.voters=1@127.0.0.1:{controller}
listeners={protocol}://127.0.0.1:{port},CONTROLLER://127.0.0.1:{controller}
advertised.listeners={protocol}://127.0.0.1:{port}
controller.listener.names=CONTROLLER
listener.security.protocol.map=CONTROLLER:PLAINTEXT,{protocol}:{protocol}
inter.broker.listener.name={protocol}
log.dirs={folder}/data
num.partitions=4
offsets.topic.replication.factor=1
offsets.topic.num.partitions=4
transaction.state.log.replication.factor=1
transaction.state.log.min.isr=1
group.initial.rebalance.delay.ms=0
group.min.session.timeout.ms=1000
log.retention.check.interval.ms=1000
broker.session.timeout.ms=2000
broker.heartbeat.interval.ms=300
"""


def missing() -> str | None:
    """Return why a broker cannot run here, or None."""
    missing_programs = [name for name in ("java", "mvn") if not shutil.which(name)]
    return f"there is no {' and no '.join(missing_programs)}" if missing_programs else None


def jars() -> Path:
    """Return the folder of the broker's jars, and download missing ones."""
    home = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    digest = hash_of(POM)
    folder = home / "python-microservice-template" / "kafka" / digest
    if not folder.exists():
        new = folder.with_name(f"{digest}.{os.getpid()}.new")
        command = ["mvn", "-q", "-B", "-f", str(POM), "dependency:copy-dependencies"]
        subprocess.run([*command, f"-DoutputDirectory={new}"], check=True, timeout=300)
        with contextlib.suppress(OSError):  # another run was first
            new.rename(folder)
        shutil.rmtree(new, ignore_errors=True)
    return folder


def hash_of(file: Path) -> str:
    """Return a short name for a file's content."""
    return hashlib.sha256(file.read_bytes()).hexdigest()[:12]


class Broker:
    """A broker with its log in a folder. Tests can kill and restart it."""

    def __init__(self, folder: Path, more: str = "", protocol: str = "PLAINTEXT") -> None:
        self._folder = folder
        self._class_path = f"{jars()}/*"
        self._process: subprocess.Popen[bytes] | None = None
        self.port = free_port()
        self._properties = folder / "server.properties"
        folder.mkdir(parents=True, exist_ok=True)
        text = PROPERTIES.format(
            port=self.port, controller=free_port(), folder=folder, protocol=protocol
        )
        self._properties.write_text(text + more)
        arguments = ["format", "-t", CLUSTER_ID, "-c", str(self._properties)]
        self._run("kafka.tools.StorageTool", *arguments).wait(START_TIMEOUT)

    @property
    def address(self) -> str:
        """Its bootstrap servers."""
        return f"127.0.0.1:{self.port}"

    def start(self) -> None:
        """Start it, and return when it listens."""
        self._process = self._run("kafka.Kafka", str(self._properties))
        deadline = time.monotonic() + START_TIMEOUT
        while time.monotonic() < deadline:
            if self._process.poll() is not None:
                break
            with contextlib.suppress(OSError):
                socket.create_connection(("127.0.0.1", self.port), 1).close()
                return
            time.sleep(0.1)
        raise RuntimeError((self._folder / "log").read_text()[-3000:])

    def kill(self) -> None:
        """Kill it, as a power cut would."""
        if self._process:
            self._process.kill()
            self._process.wait()
            self._process = None

    @contextlib.asynccontextmanager
    async def away(self) -> AsyncIterator[None]:
        """Kill it, and start it again at the end, also after a failure, for later tests."""
        self.kill()
        try:
            yield
        finally:
            await asyncio.to_thread(self.start)

    def _run(self, main: str, *arguments: str) -> subprocess.Popen[bytes]:
        with (self._folder / "log").open("a") as log:
            return subprocess.Popen(
                ["java", *JAVA, "-cp", self._class_path, main, *arguments],
                stdout=log,
                stderr=subprocess.STDOUT,
            )
