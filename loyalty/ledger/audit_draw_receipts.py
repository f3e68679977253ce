"""Draws computed again: every receipt of the days whose seeds are revealed, from the seed, the
published version and what the receipt says went in.

As the auditor it reads one snapshot by SQL of its own and shares no code with whatever draws. The
rules are those of docs/draws.md, written down once more.
"""

import hashlib
import hmac
import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

import cel

from loyalty.db import Database, Snapshot
from loyalty.ledger.audit_draw_facts import (
    Counted,
    fact_problems,
    number_problems,
    read_counted,
)
from loyalty.ledger.audit_draw_limits import during
from loyalty.ledger.audit_draw_rows import (
    BRANDS,
    DRAWS_OF_DAY,
    SEEDS,
    TWICE,
    WAITING,
    Brand,
    Day,
    Receipt,
    Version,
    read_brand,
)

EXAMPLES_MAX = 20
_CERTAIN = 1_000_000
_ALL_U = 2**64
_FIRST_DAY, _LAST_DAY = date(1, 1, 1), date(9999, 12, 31)


class NothingToVerify(LookupError):
    """There is no brand, or no campaign with a draw, of this name."""


@dataclass
class DrawReport:
    """How many receipts of how many revealed days were computed again; ``waiting`` are drawn by
    seeds that are still secret. ``broken`` of them, ``examples`` as "brand receipt: what is wrong".
    """

    receipts: int = 0
    days: int = 0
    waiting: int = 0
    broken: int = 0
    examples: list[str] = field(default_factory=list)

    def note(self, subject: str, problems: list[str]) -> None:
        if problems:
            self.broken += 1
            if len(self.examples) < EXAMPLES_MAX:
                self.examples.append(f"{subject}: {'; '.join(problems)}")


async def verify_draws(
    db: Database,
    brand_slug: str | None = None,
    campaign_code: str | None = None,
    first: date | None = None,
    last: date | None = None,
) -> DrawReport:
    """Compute the receipts again, of one brand or all, one campaign or all, within these local days
    (both included). Raises NothingToVerify for a name that is not there."""
    report = DrawReport()
    async with db.snapshot() as snap:
        brands = [row for row in await snap.fetch(BRANDS) if brand_slug in (None, row[1])]
        if brand_slug is not None and not brands:
            raise NothingToVerify(f"no brand {brand_slug}")
        codes = set()
        for id, slug, timezone in brands:
            brand = await read_brand(snap, id, slug, ZoneInfo(timezone))
            codes |= {version.code for version in brand.versions.values()}
            report.waiting += (await snap.fetch(WAITING, brand=id))[0][0]
            for place, prize, ordinal, times in await snap.fetch(TWICE, brand=id):
                report.note(f"{slug} {place}", [f"{prize} number {ordinal} given {times} times"])
            days = await snap.fetch(
                SEEDS, brand=id, first=first or _FIRST_DAY, last=last or _LAST_DAY
            )
            for campaign_id, code, on, seed_hash, seed, *times in days:
                if campaign_code in (None, code):
                    day = Day(campaign_id, code, on, seed_hash, bytes.fromhex(seed), *times)
                    await _verify_day(snap, brand, day, report)
        if campaign_code is not None and campaign_code not in codes:
            raise NothingToVerify(f"no campaign {campaign_code} with a draw")
    return report


async def _verify_day(snap: Snapshot, brand: Brand, day: Day, report: DrawReport) -> None:
    report.days += 1
    if hashlib.sha256(day.seed).hexdigest() != day.seed_hash:
        report.note(f"{brand.slug} {day.code} {day.on}", ["the seed is not the published hash's"])
    counted = await read_counted(snap, brand, day)
    for row in await snap.fetch(DRAWS_OF_DAY, brand=brand.id, campaign=day.campaign_id, on=day.on):
        report.receipts += 1
        found = _problems(brand, day, counted, Receipt(*row))
        report.note(f"{brand.slug} {row[0]}", list(found))


def _problems(brand: Brand, day: Day, counted: Counted, receipt: Receipt) -> Iterator[str]:
    version = brand.versions.get(receipt.version_id)
    if version is None:
        yield "its version has no draw"
        return
    if receipt.version_id not in during(brand.published[day.campaign_id], receipt.occurred_at):
        yield "another version of its campaign was in force"
    if receipt.seed_hash != day.seed_hash:
        yield "it names another seed's hash"
    if day.made_at > receipt.occurred_at:
        yield "its seed was made after it"
    if day.revealed_at <= receipt.occurred_at:
        yield "its seed was known by then"
    if receipt.occurred_at.astimezone(brand.zone).date() != day.on:
        yield "it was drawn on another day"
    if not receipt.is_theirs or receipt.claim != receipt.expected_claim:
        yield "its event is of another item or member"
    message = "|".join(
        ("draw-1", brand.id.hex, receipt.claim, receipt.member_id.hex, receipt.nonce or "")
    )
    digest = hmac.new(day.seed, message.encode(), hashlib.sha256).digest()
    u = int.from_bytes(digest[:8], "big")
    if receipt.u != f"{u:016x}":
        yield f"u is {u:016x}"
    stage, passed = _stage(version, receipt.occurred_at)
    base = _on_curve(stage["odds_from_ppm"], stage["odds_to_ppm"], passed)
    inputs = json.loads(receipt.inputs)
    asks = stage["takes_bonuses"] and receipt.is_own
    held = _held(version, inputs) if asks else []
    if inputs.get("held", []) != held:
        yield f"the bonuses {held} hold"
    yield from fact_problems(brand, day, counted, receipt, inputs)
    yield from number_problems(version, counted, receipt)
    percent = inputs.get("level_percent", 0)
    if percent and (not stage["takes_bonuses"] or percent not in brand.level_percents):
        yield f"no level adds {percent} percent to its odds"
    bonus = sum(version.draw["bonuses"][i]["ppm"] for i in held) + base * percent // 100
    odds = min(base + bonus, _CERTAIN)
    if (receipt.base_ppm, receipt.odds_ppm) != (base, odds):
        yield f"the odds are {base} and with bonuses {odds} ppm"
    if version.draw["stages"].index(stage) != receipt.stage:
        yield "another stage was running"
    pointed, is_guaranteed = _pointed(version, stage, u, odds, receipt.member_draw_no)
    if (receipt.pointed, receipt.is_guaranteed) != (pointed, is_guaranteed):
        yield f"u points at {pointed or 'nothing'}"
        return
    yield from _given_problems(brand, day, version, stage, passed, receipt)


def _stage(version: Version, at: datetime) -> tuple[dict[str, Any], int]:
    """The stage that ran, and how far along its curve it was, in ppm."""
    stage, passed = _passed(version, at)
    return stage, _curved(stage["curve"], passed)


def _passed(version: Version, at: datetime) -> tuple[dict[str, Any], int]:
    """The stage that ran, and how much of its time was over, in ppm; 0 without begin or end."""
    stages = version.draw["stages"]
    begins = [each["starts_at"] and datetime.fromisoformat(each["starts_at"]) for each in stages]
    begins[0] = begins[0] or version.starts_at
    number = max((i for i, begin in enumerate(begins) if i == 0 or begin <= at), default=0)
    begin = begins[number]
    end = begins[number + 1] if number + 1 < len(stages) else version.ends_at
    if begin is None or end is None:
        return stages[number], 0
    one = timedelta(microseconds=1)
    passed = ((at - begin) // one) * _CERTAIN // ((end - begin) // one)
    return stages[number], min(max(passed, 0), _CERTAIN)


def _curved(curve: str, passed: int) -> int:
    if curve == "EASE_IN":
        return passed**2 // _CERTAIN
    if curve == "EASE_OUT":
        return _CERTAIN - (_CERTAIN - passed) ** 2 // _CERTAIN
    return passed


def _on_curve(begin: int, end: int, passed: int) -> int:
    return begin + (end - begin) * passed // _CERTAIN


def _held(version: Version, inputs: dict[str, Any]) -> list[int]:
    """The bonuses that hold by the recorded facts. What cannot be answered does not hold."""
    facts: dict[str, dict[str, Any]] = {}
    for name, value in inputs.get("facts", {}).items():
        root, _, leaf = name.partition(".")
        is_time = name == "event.at"
        facts.setdefault(root, {})[leaf] = datetime.fromisoformat(value) if is_time else value
    held = []
    for i, bonus in enumerate(version.draw["bonuses"]):
        try:
            if cel.compile(bonus["condition"]).execute(facts) is True:
                held.append(i)
        except (ArithmeticError, LookupError, RuntimeError, TypeError, ValueError):
            continue
    return held


def _pointed(
    version: Version, stage: dict[str, Any], u: int, odds: int, member_draw_no: int | None
) -> tuple[str | None, bool]:
    if u * _CERTAIN < odds * _ALL_U:
        total = sum(entry["weight"] for entry in stage["entries"])
        ticket = u * _CERTAIN * total // (odds * _ALL_U)
        for entry in stage["entries"]:
            ticket -= entry["weight"]
            if ticket < 0:
                return entry["prize"], False
    guarantee = version.draw["guarantee"]
    if guarantee is not None and guarantee["draw_no"] == member_draw_no:
        return guarantee["prize"], True
    return None, False


def _award(
    version: Version, stage: dict[str, Any], passed: int, code: str
) -> tuple[str | None, int | None, UUID | None]:
    award = version.prizes[code]["award"]
    if award is None:
        return None, None, None
    if "coupon_template_id" in award:
        return None, None, UUID(hex=award["coupon_template_id"])
    for entry in stage["entries"]:
        if entry["prize"] == code and entry["amount_from"] is not None:
            begin = entry["amount_from"]
            end = begin if entry["amount_to"] is None else entry["amount_to"]
            return award["asset"], _on_curve(begin, end, passed), None
    return award["asset"], award["amount"], None


def _given_problems(
    brand: Brand,
    day: Day,
    version: Version,
    stage: dict[str, Any],
    passed: int,
    receipt: Receipt,
) -> Iterator[str]:
    """What was given in the place of what u points at, by which ordinals, and why."""
    wanted = list(dict.fromkeys((receipt.pointed, version.draw["consolation"])))
    exhausted = json.loads(receipt.exhausted)
    if receipt.pointed is None:
        allowed: list[str | None] = [None]
    else:
        allowed = [*wanted, None]
    skipped = [each["prize"] for each in exhausted]
    if receipt.given not in allowed or skipped != allowed[: allowed.index(receipt.given)]:
        yield f"{receipt.given or 'nothing'} was given, and not {allowed[0] or 'nothing'}"
        return
    for each in exhausted:
        award = _award(version, stage, passed, each["prize"])
        if not _was_exhausted(brand, day, version, receipt, each, award):
            yield f"{each['prize']} had not run out of {each['limit']}"
    award = (None, None, None)
    if receipt.given is not None:
        award = _award(version, stage, passed, receipt.given)
        prize = version.prizes[receipt.given]
        for number, most in (
            (receipt.ordinal, prize["stock"]),
            (receipt.day_ordinal, prize["quota_per_day"]),
        ):
            if number is None or number < 1 or (most is not None and number > most):
                yield f"number {number} of {receipt.given}, of which there are {most}"
    elif (receipt.ordinal, receipt.day_ordinal) != (None, None):
        yield "an ordinal of nothing"
    if (receipt.asset, receipt.amount, receipt.template_id) != award:
        yield f"{receipt.given or 'nothing'} is worth {award}"


def _was_exhausted(
    brand: Brand,
    day: Day,
    version: Version,
    receipt: Receipt,
    claim: dict[str, Any],
    award: tuple[str | None, int | None, UUID | None],
) -> bool:
    """Whether the counter that a receipt names may have been full then, by what others were given:
    no more can have been used than the rows tell, so no less can have been left."""
    code, limit, at = claim["prize"], claim["limit"], receipt.occurred_at
    prize, campaign_id = version.prizes[code], day.campaign_id
    asset, amount, template_id = award
    wanted = 1 if limit in ("STOCK", "QUOTA") else amount or 0
    subject, allowed, least = code, None, None
    if limit == "STOCK" and prize["stock"] is not None:
        allowed = prize["stock"]
        least = brand.limits.stock_left(campaign_id, code, allowed, at)
    elif limit == "QUOTA" and prize["quota_per_day"] is not None:
        allowed = prize["quota_per_day"]
        least = brand.limits.quota_left(campaign_id, code, day.on, allowed, at)
    elif limit in ("STAGE_BUDGET", "PACE") and asset is not None:
        stage, passed = _passed(version, at)
        allowed = stage.get("budgets", {}).get(asset)
        if allowed is not None and limit == "PACE":
            curve = stage.get("budget_curve")
            allowed = allowed * _curved(curve, passed) // _CERTAIN if curve else None
        if allowed is not None:
            subject = asset
            least = brand.limits.stage_left(campaign_id, receipt.stage, asset, allowed, at)
    elif limit == "BUDGET" and (campaign_id, asset) in brand.limits.allowed and asset is not None:
        subject, allowed = asset, amount
        least = brand.limits.budget_left(campaign_id, asset, at)
        if least is None:  # nobody wrote down how much was allowed then
            least = claim["left"]
    elif limit == "COUPON" and template_id in brand.limits.templates and template_id is not None:
        template = brand.limits.templates[template_id]
        return claim["subject"] == template.code and template.may_be_gone(day.on, at)
    if least is None or (claim["subject"], claim["allowed"]) != (subject, allowed):
        return False
    return bool(least <= claim["left"] < wanted)
