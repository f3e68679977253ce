"""Two real server processes on one database, and the auditor as people run it."""

import json
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from loyalty.db import Database
from tests.forks import run_command
from tests.races.stage import Stage
from tests.servers import ServerFactory, ServerProcess

AUDIT_BROKEN = 6
AUDIT_SECONDS_MAX = 300
"""No promise: when to give up."""
SERVERS = {"LOYALTY_THROTTLE": "false"}


def start_side_by_side(
    factory: ServerFactory, count: int, environment: Mapping[str, str] | None = None
) -> list[ServerProcess]:
    """Start servers at the same time and wait for all."""
    more = {**SERVERS, **(environment or {})}
    servers = [factory(environment=more, ready=False) for _ in range(count)]
    for server in servers:
        server.wait_ready()
    return servers


def audit_findings(environment: Mapping[str, str], slug: str) -> list[str]:
    """What ``loyalty audit --json`` finds broken in one brand; empty if the books agree."""
    done = run_command(["audit", "--brand", slug, "--json"], environment, AUDIT_SECONDS_MAX)
    assert done.returncode in (0, AUDIT_BROKEN), done.stderr
    report = json.loads(done.stdout)
    assert (report["broken"] == 0) == (done.returncode == 0)
    return [
        f"audit: {check['name']} {check['examples'][:1]}"
        for check in report["checks"]
        if check["broken"]
    ]


@dataclass
class Arena:
    """Where a race is run: the database, the servers' ports, the environment of commands.

    ``engine_environment`` is that of the servers: it may name another copy of the engine.
    """

    db: Database
    ports: Sequence[int]
    environment: Mapping[str, str]
    engine_environment: Mapping[str, str]
    folder: Path
    stages: list[Stage] = field(default_factory=list)

    def stage(self, slug: str) -> Stage:
        """A new brand for one race; ``build`` it."""
        stage = Stage(self.db, f"{slug}-{len(self.stages)}")
        self.stages.append(stage)
        return stage


class Broken(list[str]):
    """The promises that a race found broken."""

    def unless(self, kept: bool, promise: str) -> None:
        if not kept:
            self.append(promise)


Race = Callable[[Arena, int], Awaitable[Broken]]
"""Takes how many requests to release at once; answers the promises it found broken."""
