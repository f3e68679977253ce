"""SIGKILL of a worker in the middle of a list: the next one goes on, and each row has its coupon
once."""

from pathlib import Path

from loyalty.crypto import Keyring
from loyalty.db import Database
from rewards.alliances.terms import Quota, QuotaWindow
from rewards.issues.lists import ListWanted, upload
from rewards.issues.models import IssueListRow
from tests.kills.killed import KilledWorker, count
from tests.kills.listing import finish
from tests.rewards.issues.partners import make_issuers

ROWS, KILLS = 40, 3
FEE_FEN, RESERVED_FEN = 5, 217  # of a line, see Pair.draft
QUOTA = (Quota(QuotaWindow.ALL, ROWS),)


async def test_killed_in_the_middle_each_row_has_its_coupon_once(
    db: Database, keyring: Keyring, command_env: dict[str, str], tmp_path: Path
) -> None:
    issuers = await make_issuers(db, keyring, members=4, quotas=QUOTA)
    pair = issuers.pair
    lines = [f"{issuers.token(at % 4)},{at}" for at in range(ROWS)]
    body = "\n".join(["token,reference", *lines]).encode()
    wanted = ListWanted(issuers.agreement_id, pair.template.id, "autumn", "one")
    await upload(db, pair.partners, wanted, body)
    worker = KilledWorker("tests.kills.listing", command_env, tmp_path / "log", ROWS)
    for kill in range(1, KILLS + 1):
        await worker.kill_after(db, (IssueListRow, "code"), kill * 9)
    await finish(db)
    assert await count(db, IssueListRow, "issue_id") == ROWS
    issues = await issuers.issues()
    assert sorted(int(issue.reference or -1) for issue in issues) == list(range(ROWS))
    assert await issuers.funds() == (FEE_FEN * ROWS, RESERVED_FEN * ROWS)
    assert await issuers.broken() == {}
