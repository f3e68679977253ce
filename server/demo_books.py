"""The demo's end: real purchases, the figures, the audit, and what is there to explore."""

import csv
import time
from collections import Counter
from dataclasses import dataclass
from importlib.resources import as_file, files
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from rich.text import Text

from loyalty.ledger.audit import Check, audit
from server import import_commands
from server.audit_table import audit_table, verdict_of
from server.demo_client import Caller, StoryBroke, expect
from server.demo_folder import REJECTED
from server.demo_scans import points_of_people
from server.demo_screen import bar, yuan
from server.demo_stage import (
    BRAND,
    MEI,
    OOLONG,
    OPERATOR_EMAIL,
    PLUM,
    TIMEZONE,
    ZHOU,
    Stage,
    named,
    on_host,
    run_command,
)
from server.demo_store import LAN
from server.graphiql import is_installed

DRAINED_SECONDS_MAX = 30

_MEMBERS = """query ($after: String) { members(role: CONSUMER, first: 50, after: $after) {
    nodes { externalRef tier { level { nameEn nameZh } growth } }
    pageInfo { hasNextPage endCursor } } }"""
_FIGURES = """query ($on: Date!) { figures(on: $on) {
    on scans firstScans paidScans newMembers pointsGranted
    byHour { hour scans firstScans paidScans product { sku nameEn } } } }"""
_CAMPAIGNS = "{ campaigns(first: 10) { nodes { code budgets { asset allowed spent reserved } } } }"

OPERATOR_QUERY = "{ figures { on scans paidScans newMembers byHour { hour scans } } }"
CONSUMER_QUERY = "{ me { balances { asset balance } coupons { nodes { name status } } } }"
GUIDE_QUERY = "{ me { displayName entries(first: 5) { nodes { asset amount phase } } } }"
CLERK_QUERY = "{ myRedemptions { nodes { status tillName clerkName capturedAt settledAt } } }"


@dataclass(frozen=True, slots=True)
class Imported:
    """What the purchases brought."""

    members: int
    points: int


def import_real_purchases(stage: Stage) -> Imported:
    """Two hundred real purchases, twice: the second time changes nothing."""
    stage.screen.scene(
        "Real purchases",
        "导入真实消费",
        "200 purchases that real people made in 1997 and 1998 at an online music shop. Each is"
        " posted at its own date: a point and growth per whole unit of currency.",
        "按各自发生日期入账：入会、积分、成长值、升级一次完成。",
    )
    with as_file(files("server") / "demo_data" / "purchases.csv") as file:
        rows = _read(file)
        stage.screen.command(f"loyalty import purchases purchases.csv --brand {BRAND}")
        summary = _import(stage, file)
        expect("Purchases imported", summary["purchases"], len(rows))
        expect("Members of the import", summary["members"], len({r["member_ref"] for r in rows}))
        expect("Rows rejected", summary["rejected"], 0)
        again = _import(stage, file)
    expect("Purchases known when it is imported again", again["already_recorded"], len(rows))
    expect("Points after the second import", again["points_granted"], summary["points_granted"])
    imported = Imported(summary["members"], summary["points_granted"])
    stage.screen.done(
        f"{len(rows)} purchases of {imported.members} members: {imported.points:,} points."
        " Imported once more: nothing doubled. 重复导入，分毫不差。"
    )
    _show_tiers(stage, imported.members)
    return imported


def _read(file: Path) -> list[dict[str, str]]:
    with file.open(encoding="utf-8", newline="") as lines:
        return list(csv.DictReader(lines))


def _import(stage: Stage, file: Path) -> Any:
    rejected = stage.folder.file(REJECTED)
    return run_command(import_commands.purchases, file, brand=BRAND, reject_file=rejected)


def _show_tiers(stage: Stage, imported: int) -> None:
    members, after = [], None
    while True:
        page = stage.operator.ask(_MEMBERS, after=after)["members"]
        members += [member for member in page["nodes"] if member["externalRef"] is not None]
        if not page["pageInfo"]["hasNextPage"]:
            break
        after = page["pageInfo"]["endCursor"]
    expect("Imported members that the operator sees", len(members), imported)
    levels = Counter(
        f"{m['tier']['level']['nameEn']} {m['tier']['level']['nameZh']}"
        for m in sorted(members, key=lambda member: member["tier"]["growth"])
    )
    rows = [(level, str(count), bar(count, imported)) for level, count in levels.items()]
    stage.screen.table(("Level 等级", ">Members 会员", ""), rows)


def read_the_day(stage: Stage, imported: Imported) -> None:
    """The rollup by product and hour once the outbox is drained, and the day's figures."""
    stage.screen.scene(
        "The operator's evening",
        "今日数据",
        "Each scan left a fact in the outbox, inside its own transaction; the server's worker"
        " counts them by product and hour.",
        "每次扫码在同一事务中写入发件箱，由后台任务汇总。",
    )
    days = _drained_days(stage)
    tally, hours = stage.tally, [hour for day in days for hour in day["byHour"]]
    for name, wanted in (
        ("scans", tally.scans),
        ("firstScans", tally.first_scans),
        ("paidScans", tally.paid_scans),
    ):
        expect(f"The day's {name}", sum(day[name] for day in days), wanted)
        expect(f"The hours' {name}", sum(hour[name] for hour in hours), wanted)
    expect("Products of the day", {h["product"]["sku"] for h in hours}, {PLUM.sku, OOLONG.sku})
    expect(
        "The day's points",
        sum(day["pointsGranted"] for day in days),
        points_of_people(stage) + imported.points,
    )
    enrolled = sum(day["newMembers"] for day in days)
    expect("The day's new members", enrolled, tally.enrolled + imported.members)
    most = max(hour["scans"] for hour in hours)
    rows = [
        (
            f"{hour['hour']:02d}:00",
            hour["product"]["nameEn"],
            bar(hour["scans"], most),
            str(hour["scans"]),
            str(hour["paidScans"]),
        )
        for hour in hours
    ]
    stage.screen.table(("Hour 时", "Product 商品", "", ">Scans 扫码", ">Paid 付奖"), rows)
    for day in days:
        stage.screen.done(
            f"{day['on']}: {day['scans']} scans, {day['paidScans']} paid,"
            f" {day['newMembers']} new members, {day['pointsGranted']:,} points granted."
        )
    _show_budgets(stage)


def _drained_days(stage: Stage) -> list[Any]:
    """The figures of each local day the demo has seen, once the worker has counted all scans."""
    zone = ZoneInfo(TIMEZONE)
    days = sorted({at.astimezone(zone).date().isoformat() for at in stage.tally.scanned_at})
    deadline = time.monotonic() + DRAINED_SECONDS_MAX
    with stage.screen.console.status("Waiting for the worker 等待汇总"):
        while True:
            figures = [stage.operator.ask(_FIGURES, on=day)["figures"] for day in days]
            counted = sum(day["scans"] for day in figures)
            if counted >= stage.tally.scans:
                return figures
            if time.monotonic() > deadline:
                raise StoryBroke(
                    f"The worker has counted {counted} of {stage.tally.scans} scans"
                    f" in {DRAINED_SECONDS_MAX} s."
                )
            time.sleep(0.1)


def _show_budgets(stage: Stage) -> None:
    campaigns = stage.operator.ask(_CAMPAIGNS)["campaigns"]["nodes"]
    budgets = [b for campaign in campaigns for b in campaign["budgets"]]
    spent = {b["asset"]: (b["spent"], b["reserved"]) for b in budgets}
    hers = stage.person(ZHOU).balances()
    expect("Cash spent and reserved, as the guide has it", spent["CASH"], hers["CASH"])
    expect("Points spent", spent["POINTS"][0], points_of_people(stage) - stage.tally.points_beside)
    for b in sorted(budgets, key=lambda budget: str(budget["asset"]), reverse=True):
        name, shown = ("Cash", yuan) if b["asset"] == "CASH" else ("Points", _plain)
        stage.screen.done(
            f"{name} budget 预算: {shown(b['spent'])} spent and {shown(b['reserved'])} locked,"
            f" of {shown(b['allowed'])}."
        )


def _plain(number: int) -> str:
    return f"{number:,}"


def audit_the_books(stage: Stage) -> None:
    """The independent audit, by its own SQL; StoryBroke if anything is broken."""
    stage.screen.scene(
        "The auditor",
        "对账",
        "Another program reads the same database by SQL of its own, and shares no code with"
        " what wrote it.",
        "审计程序独立读库，逐项核对不变量。",
    )
    stage.screen.command("loyalty audit")
    checks: list[Check] = on_host(stage.settings, audit)
    stage.screen.show(audit_table(checks, every_check=False))
    stage.screen.show(verdict_of(checks))
    expect("Breaks the audit found", sum(check.broken for check in checks), 0)


def show_what_to_open(stage: Stage) -> None:
    """The address, four ready-made tokens, and a query for each that was tried just now."""
    place = "the Headers tab" if is_installed() else "the field Token"
    stage.screen.scene(
        "Your turn",
        "轮到你了",
        f"The server goes on serving. Open the address, paste one of the four lines that hold a"
        f" token into {place}, and run the query above it.",
        "服务继续运行：打开网址，粘贴令牌，执行示例查询。",
    )
    stage.screen.line(f"  {stage.server.url}/graphql", style="bold cyan")
    ready = (
        ("Operator 运营", stage.operator, OPERATOR_QUERY),
        (f"Consumer 消费者 {MEI.name}", stage.person(MEI), CONSUMER_QUERY),
        (f"Guide 导购 {ZHOU.name}", stage.person(ZHOU), GUIDE_QUERY),
        (f"Clerk 店员 {LAN}", stage.callers[LAN], CLERK_QUERY),
    )
    for name, caller, query in ready:
        caller.ask(query)
        stage.screen.say("")
        stage.screen.line(f"  {name}", style="bold")
        stage.screen.line(f"  {query}")
        stage.screen.line(_as_typed(caller), style="dim")
    stage.screen.say("")
    stage.screen.say(
        f"Operator 运营: {OPERATOR_EMAIL}, password 密码 {stage.password},\n"
        f"authenticator's secret 动态码密钥 {stage.totp_secret}\n"
        f"Files 文件: {named(stage.folder.path)} (codes, QR labels, database, server.log)\n"
        "When somebody signs in by phone, the code appears below. 登录验证码会显示在下方。"
    )


def _as_typed(caller: Caller) -> str:
    """The token as the page takes it: GraphiQL wants a header, the plain page the bare token."""
    if is_installed():
        return f'{{"Authorization": "Bearer {caller.token}"}}'
    return caller.token or ""


def farewell(stage: Stage, seconds: float) -> None:
    """The last words of the show."""
    tally = stage.tally
    words = Text.assemble(
        f"{tally.scans} scans, {tally.paid_scans} paid, one coupon redeemed and settled.\n"
        f"Every answer was checked, and the books agree: {seconds:.1f} s.\n",
        ("扫码即会员，一码双奖，再来一瓶，账实相符。", "bold"),
    )
    stage.screen.say("")
    stage.screen.panel(words, title="The end 完", style="green")
