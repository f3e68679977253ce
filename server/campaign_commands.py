"""``loyalty campaigns``."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Annotated, Any
from uuid import UUID

import typer
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TimeRemainingColumn
from rich.table import Table

from loyalty.brands.service import get_brand_by_slug
from loyalty.db import Database
from loyalty.errors import InvalidInput, NotFound
from rewards.campaigns.rules import CampaignDefinition
from rewards.campaigns.versions import find_newest_definition
from rewards.event_types.rules import fields_from_json
from rewards.event_types.service import require_type
from rewards.simulations.files import CustomType, read_events
from rewards.simulations.pictures import spending_svg
from rewards.simulations.rules import Crowd, Happening, Past, check_source
from rewards.simulations.service import ReadEvents, Run, prepare, total_costs
from server.console import Exit, err, fail, out, read_settings, say, with_database

app = typer.Typer(help="Campaigns (活动).", no_args_is_help=True)

AsJson = Annotated[bool, typer.Option("--json", help="One JSON object on standard output.")]
PIECE_EVENTS = 500


@app.callback()  # with one command and no callback, typer would drop the group's name
def _group() -> None:
    """Campaigns (活动)."""


@dataclass(frozen=True, slots=True)
class _Asked:
    """What is tried: the draft with this code, else the campaign; over the past, a file, or a
    crowd."""

    brand: str
    code: str
    seed: int
    source: Past | Crowd | Path


@app.command()
def simulate(
    brand: Annotated[str, typer.Option(help="The brand's slug.")],
    code: Annotated[str, typer.Option(help="Of the draft; of a campaign that has no draft.")],
    past_days: Annotated[
        int | None, typer.Option(help="What members did in so many days, today included.")
    ] = None,
    events: Annotated[
        Path | None, typer.Option(help="A CSV file of events (docs/simulations.md).")
    ] = None,
    people: Annotated[int, typer.Option(help="Of a crowd made up.")] = 10_000,
    events_per_day: Annotated[int, typer.Option(help="Of a crowd made up.")] = 1_000,
    days: Annotated[int, typer.Option(help="Of a crowd made up.")] = 30,
    seed: Annotated[int, typer.Option(help="The same seed answers the same.")] = 1,
    picture: Annotated[
        Path | None, typer.Option(help="An SVG of what its draws give, day by day.")
    ] = None,
    asset: Annotated[str, typer.Option(help="What the picture is of.")] = "CASH",
    as_json: AsJson = False,
) -> None:
    """Try a campaign before it is published (模拟): what it costs by asset and day, who wins, what
    runs out, beside the running campaigns. Reads, and writes nothing."""
    if past_days is not None and events is not None:
        raise fail("The past or a file: one of them.", Exit.USAGE)
    source: Past | Crowd | Path = Crowd(people, events_per_day, days)
    if past_days is not None:
        source = Past(past_days)
    elif events is not None:
        source = events
    run = with_database(read_settings(), partial(_simulate, _Asked(brand, code, seed, source)))
    result = run.result()
    if picture is not None:
        try:
            picture.write_text(spending_svg(result["draft"], code, asset), encoding="utf-8")
        except ValueError as wrong:
            raise fail(f"There is nothing to draw: {wrong}.", Exit.REFUSED) from None
    if as_json:
        say(result, True, "")
        return
    for table in _tables(result):
        out.print(table)


async def _simulate(asked: _Asked, database: Database) -> Run:
    async with database.snapshot() as snapshot:
        brand_id = (await get_brand_by_slug(snapshot, asked.brand)).id
        definition = await find_newest_definition(snapshot, brand_id, asked.code)
        if definition is None:
            raise NotFound(noun="campaign")
        source: Past | Crowd | ReadEvents
        if isinstance(asked.source, Path):
            custom = None
            if definition.event_type is not None:
                held = await require_type(snapshot, brand_id, definition.event_type)
                custom = CustomType(held.id, fields_from_json(held.fields))
            source = _reader(asked.source, definition, custom)
        else:
            check_source(asked.source, definition.event)
            source = asked.source
        run = await prepare(snapshot, brand_id, definition, source, asked.seed)
    columns = ("{task.description}", BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=err, transient=True) as progress:
        task = progress.add_task("Simulating", total=run.total)
        while not run.is_done:
            progress.advance(task, run.advance(PIECE_EVENTS))
    return run


def _reader(file: Path, definition: CampaignDefinition, custom: CustomType | None) -> ReadEvents:
    try:
        lines = file.read_text(encoding="utf-8-sig").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise InvalidInput(field="events", problem=f"{file.name}: {error}") from error

    def read(brand_id: UUID, product_id: UUID | None, timezone: str) -> list[Happening]:
        return read_events(lines, definition.event, brand_id, product_id, timezone, custom)

    return read


def _tables(result: dict[str, Any]) -> list[Table]:
    reports = {name: report for name, report in result.items() if report is not None}
    counts = Table("", *(_TITLES[name] for name in reports), title="模拟结果 Dry run")
    for label, read in _COUNTS.items():
        counts.add_row(label, *(f"{read(report):,}" for report in reports.values()))
    costs = {name: total_costs(report) for name, report in reports.items()}
    for key in sorted({key for of_one in costs.values() for key in of_one}):
        code, asset = key
        given = (_amount(of_one.get(key, 0), asset) for of_one in costs.values())
        counts.add_row(f"{code} {asset}", *given)
    report = reports["draft"]
    more = Table("", "", title="明细 Details")
    for reason, times in report["unpaid"].items():
        more.add_row(f"未发放 unpaid: {reason}", f"{times:,}")
    for reason, times in report["guide_unpaid"].items():
        more.add_row(f"导购未发放 guide unpaid: {reason}", f"{times:,}")
    for bonus in report["bonus_unpaid"]:
        label = f"叠加未发放 bonus unpaid: {bonus['campaign']} ({bonus['reason']})"
        more.add_row(label, f"{bonus['times']:,}")
    for prize in report["prizes"]:
        more.add_row(f"奖品 prize: {prize['prize']}", f"{prize['given']:,}")
    for shortage in report["exhausted"]:
        more.add_row(
            f"不足 ran out: {shortage['prize']} ({shortage['limit']})", f"{shortage['times']:,}"
        )
    for budget in report["budgets"]:
        spent, allowed = (_amount(budget[n], budget["asset"]) for n in ("spent", "allowed"))
        more.add_row(f"预算 budget: {budget['campaign']} {budget['asset']}", f"{spent} / {allowed}")
    return [counts, more] if more.row_count else [counts]


_TITLES = {"draft": "本方案 this one", "running": "现行方案 running"}
_COUNTS: dict[str, Callable[[dict[str, Any]], int]] = {
    "事件 events": lambda report: int(report["events"]),
    "已发放 paid": lambda report: int(report["paid"]),
    "获奖励会员 members rewarded": lambda report: int(report["rewarded_members"]),
    "中奖会员 winners": lambda report: int(report["winners"]),
}


def _amount(value: int, asset: str) -> str:
    return f"{value / 100:,.2f} 元" if asset == "CASH" else f"{value:,}"
