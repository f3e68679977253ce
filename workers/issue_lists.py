"""Lists of partners as periodic work: a chunk of the one that has waited longest at a time."""

from dataclasses import dataclass, field
from uuid import UUID

import structlog

from loyalty.db import Tx
from rewards.issues.lists import work_off

CHUNK_ROWS = 200

log = structlog.get_logger("issue_lists")


@dataclass(frozen=True)
class ListWorker:
    """Issues what lists ask for. ``failed``: those whose last chunk failed, tried again after all
    others."""

    failed: set[UUID] = field(default_factory=set)

    async def __call__(self, tx: Tx, limit: int) -> int:
        """Come to up to ``limit`` rows of a list: ``limit``, as there may be more; 0 where there is
        no open one."""
        row = await work_off(tx, limit, self.failed)
        if row is None:
            return 0
        log.info("issue_list_step", list_id=str(row.id), done=row.done_count, rows=row.row_count)
        return limit
