"""Real purchases come in by the command line, and members see what they earned."""

import csv
from collections import defaultdict
from decimal import Decimal
from pathlib import Path

import pyotp

from tests.api import Caller, Host, api_of
from tests.servers import ServerFactory, environment_for

PURCHASES = Path(__file__).parents[1] / "data" / "purchases.csv"
THRESHOLDS = [("DIAMOND", 2000), ("GOLD", 500), ("SILVER", 100), ("BASIC", 0)]

MEMBERS = """
query ($after: String) { members(first: 100, after: $after) {
  nodes { externalRef phone tier { level { code } growth } balances { asset balance } }
  pageInfo { hasNextPage endCursor } } }
"""


def earned() -> dict[str, int]:
    """One point per whole unit of currency of each purchase, by member, from the file alone."""
    by_member: dict[str, int] = defaultdict(int)
    with PURCHASES.open(newline="") as file:
        for row in csv.DictReader(file):
            by_member[row["member_ref"]] += int(Decimal(row["amount"]))
    return by_member


async def test_a_file_of_purchases_becomes_members_points_and_tiers(
    empty_database_url: str,
    secrets_env: dict[str, str],
    server_process: ServerFactory,
    tmp_path: Path,
) -> None:
    environment = environment_for(empty_database_url, secrets_env)
    host = Host(environment)
    behind = await host.finish("brand", "create", "demo")
    assert behind.returncode == 4
    assert "loyalty migrate" in behind.stderr
    await host.run("migrate")
    made = await host.run("brand", "create", "demo", "--admin-email", "admin@example.com")

    file = tmp_path / "purchases.csv"
    lines = PURCHASES.read_text().splitlines()
    bad = ["bad-1,00004,1997-01-01,1,1.005", "bad-2,00004,1997-02-30,1,1.00"]
    file.write_text("\n".join([*lines, *bad]) + "\n")
    command = ("import", "purchases", str(file), "--brand", "demo")
    expected = earned()
    summary = await host.run(*command)
    assert summary["members"] == len(expected)
    assert summary["purchases"] == len(lines) - 1
    assert summary["points_granted"] == sum(expected.values())
    assert summary["rejected"] == len(bad)
    rejected = Path(summary["reject_file"]).read_text()  # noqa: ASYNC240 - nobody else waits
    for number, line in enumerate(bad, len(lines) + 1):
        assert str(number) in rejected
        assert line.partition(",")[0] in rejected

    again = await host.run(*command)
    assert again == {**summary, "already_recorded": summary["purchases"]}
    # All of it was earned so long ago that the points have expired, as the worker would find.
    assert (await host.run("ledger", "expire", "--brand", "demo"))["lots_expired"] > 0
    server = server_process(environment=environment)
    async with api_of(server.url) as api:
        signed = await api.nobody.done(
            "signInOperator",
            brand="demo",
            email=made["admin_email"],
            password=made["admin_password"],
            totp=pyotp.TOTP(made["admin_totp_secret"]).now(),
        )
        found = await all_members(api.signed_in(signed["token"]))
    assert found.keys() == expected.keys()
    for reference, growth in expected.items():
        tier = next(name for name, threshold in THRESHOLDS if growth >= threshold)
        assert found[reference] == (growth, tier), reference
    assert (await host.run("audit"))["broken"] == 0


async def all_members(operator: Caller) -> dict[str, tuple[int, str]]:
    """(growth, level) of every member by its outside reference; of its points nothing is left."""
    members: dict[str, tuple[int, str]] = {}
    after: str | None = None
    while True:
        page = (await operator.ask(MEMBERS, after=after))["members"]
        for node in page["nodes"]:
            assert node["phone"] is None
            balances = {b["asset"]: b["balance"] for b in node["balances"]}
            assert balances.get("POINTS", 0) == 0
            members[node["externalRef"]] = (node["tier"]["growth"], node["tier"]["level"]["code"])
        if not page["pageInfo"]["hasNextPage"]:
            return members
        after = page["pageInfo"]["endCursor"]
