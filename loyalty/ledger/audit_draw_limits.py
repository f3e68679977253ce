"""What was left of stocks, quotas, budgets and coupons at a time, at the least, as the rows tell:
what receipts name as exhausted is judged by it, and not by what they say themselves.

Who draws reads what is left without a lock, so two that are under way at once may see each other or
not. ``CONCURRENT`` is longer than any transaction lives and than the clocks of two servers differ.
"""

import json
from bisect import bisect_right
from collections import defaultdict
from collections.abc import Collection, Hashable, Iterable, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from itertools import accumulate
from typing import Any
from uuid import UUID

from loyalty.db import Snapshot, Statement

CONCURRENT = timedelta(minutes=5)

_SHORT_OF = """
    (SELECT s.campaign_id FROM draws s
    WHERE s.brand_id = :brand AND CAST(s.exhausted AS text) LIKE '%"limit"%')
"""
_GIVEN = Statement(
    f"""
    SELECT campaign_id, given_prize, drawn_on, stage, asset, occurred_at, COUNT(*),
        CAST(COALESCE(SUM(amount), 0) AS bigint)
    FROM draws WHERE brand_id = :brand AND given_prize IS NOT NULL AND campaign_id IN {_SHORT_OF}
    GROUP BY campaign_id, given_prize, drawn_on, stage, asset, occurred_at
    """,
    params="brand uuid",
    returns="campaign_id uuid, prize text, on date, stage bigint, asset text, at timestamptz,"
    " pieces bigint, amount bigint",
)
# Of what a budget pays: earned or locked, and what of it came back to the budget.
_MOVED = Statement(
    f"""
    SELECT t.campaign_id, t.asset, t.created_at,
        CAST(SUM(CASE WHEN t.kind = 'EARN' AND t.phase IN ('POSTED', 'PENDING') THEN t.amount
            ELSE 0 END) AS bigint),
        CAST(SUM(CASE WHEN t.kind <> 'EARN' OR t.phase = 'VOID' THEN t.amount
            ELSE 0 END) AS bigint)
    FROM transfers t JOIN campaign_budgets b ON b.brand_id = t.brand_id
        AND b.campaign_id = t.campaign_id AND b.asset = t.asset
    WHERE t.brand_id = :brand AND t.kind IN ('EARN', 'REVERSE', 'OWE')
        AND t.campaign_id IN {_SHORT_OF}
    GROUP BY t.campaign_id, t.asset, t.created_at
    """,
    params="brand uuid",
    returns="campaign_id uuid, asset text, at timestamptz, taken bigint, returned bigint",
)
_BUDGETS = Statement(
    "SELECT campaign_id, asset, allowed FROM campaign_budgets WHERE brand_id = :brand",
    params="brand uuid",
    returns="campaign_id uuid, asset text, allowed bigint",
)
_PUBLISHED = Statement(
    """
    SELECT campaign_id, version, published_at FROM campaign_versions WHERE brand_id = :brand
    ORDER BY campaign_id, version
    """,
    params="brand uuid",
    returns="campaign_id uuid, version bigint, at timestamptz",
)
_ACTS = Statement(
    """
    SELECT action, subject_id, created_at, CAST(details AS text) FROM audit_log
    WHERE brand_id = :brand AND action IN ('publishCampaign', 'coupon_template.set_status',
        'coupon_template.add_codes')
    ORDER BY created_at, id
    """,
    params="brand uuid",
    returns="action text, subject_id uuid, at timestamptz, details text",
)
_TEMPLATES = Statement(
    """
    SELECT id, code, status, stock_max, usable_from, usable_until, created_at,
        agreement_id IS NOT NULL
    FROM coupon_templates WHERE brand_id = :brand
    """,
    params="brand uuid",
    returns="id uuid, code text, status text, stock_max bigint, usable_from date,"
    " usable_until date, created_at timestamptz, is_agreed boolean",
)
_ISSUED = Statement(
    """
    SELECT c.template_id, c.issued_at, COUNT(*)
    FROM {templates} {each:c coupons ON c.brand_id = templates.brand_id
        AND c.template_id = templates.template_id}
    GROUP BY c.template_id, c.issued_at
    """,
    sets={"templates": "brand_id uuid, template_id uuid"},
    returns="template_id uuid, at timestamptz, coupons bigint",
)


class Sums:
    """How much there was by a time, of amounts by their times."""

    def __init__(self, steps: Iterable[tuple[datetime, int]] = ()) -> None:
        ordered = sorted(steps)
        self._times = [at for at, _ in ordered]
        self._sums = [0, *accumulate(amount for _, amount in ordered)]

    def until(self, at: datetime) -> int:
        """Of this time and before."""
        return self._sums[bisect_right(self._times, at)]


def _sums(steps: Iterable[tuple[Hashable, datetime, int]]) -> dict[Any, Sums]:
    found: dict[Any, list[tuple[datetime, int]]] = defaultdict(list)
    for key, at, amount in steps:
        found[key].append((at, amount))
    return {key: Sums(of_key) for key, of_key in found.items()}


def during(changes: Sequence[tuple[datetime, Any]], at: datetime) -> list[Any]:
    """What may have been in force for who was under way at a time: changes by their times."""
    first = max((i for i, (since, _) in enumerate(changes) if since <= at - CONCURRENT), default=0)
    return [value for since, value in changes[first:] if since <= at + CONCURRENT]


@dataclass(frozen=True)
class Template:
    """``statuses`` since their times; ``codes`` that were put in, by their times. ``is_agreed``:
    under an agreement with a partner, whose pauses open and close it."""

    code: str
    stock_max: int | None
    usable_from: date | None
    usable_until: date | None
    is_agreed: bool
    statuses: list[tuple[datetime, str]]
    is_told: bool
    codes: Sums
    issued: Sums

    def may_be_gone(self, on: date, at: datetime) -> bool:
        """Whether there may have been none to give: past its dates, paused, or all out. What
        nothing is recorded of is believed."""
        first = max(on, self.usable_from or on)
        if self.usable_until is not None and first > self.usable_until:
            return True
        if self.is_agreed or not self.is_told:
            return True
        if any(status != "ACTIVE" for status in during(self.statuses, at)):
            return True
        if self.stock_max is None:
            return False
        added = self.codes.until(datetime.max.replace(tzinfo=at.tzinfo))
        later = added - self.codes.until(at - CONCURRENT)
        return self.issued.until(at + CONCURRENT) >= self.stock_max - later


@dataclass(frozen=True)
class Limits:
    """Of a brand. Keys: (campaign, prize), (campaign, prize, day), (campaign, stage, asset), and of
    budgets (campaign, asset). ``allowed`` changes with versions; None where nobody wrote it down.
    """

    pieces: dict[tuple[UUID, str], Sums] = field(default_factory=dict)
    of_days: dict[tuple[UUID, str, date], Sums] = field(default_factory=dict)
    of_stages: dict[tuple[UUID, int, str], Sums] = field(default_factory=dict)
    taken: dict[tuple[UUID, str], Sums] = field(default_factory=dict)
    returned: dict[tuple[UUID, str], Sums] = field(default_factory=dict)
    allowed: dict[tuple[UUID, str], list[tuple[datetime, int | None]]] = field(default_factory=dict)
    templates: dict[UUID, Template] = field(default_factory=dict)

    def stock_left(self, campaign_id: UUID, prize: str, stock: int, at: datetime) -> int:
        """Of a prize's stock, at the least."""
        return stock - self.pieces.get((campaign_id, prize), Sums()).until(at + CONCURRENT)

    def quota_left(self, campaign_id: UUID, prize: str, on: date, quota: int, at: datetime) -> int:
        """Of a prize's quota of a day, at the least."""
        return quota - self.of_days.get((campaign_id, prize, on), Sums()).until(at + CONCURRENT)

    def stage_left(
        self, campaign_id: UUID, stage: int, asset: str, allowed: int, at: datetime
    ) -> int:
        """Of a stage's budget, at the least."""
        given = self.of_stages.get((campaign_id, stage, asset), Sums())
        return allowed - given.until(at + CONCURRENT)

    def budget_left(self, campaign_id: UUID, asset: str, at: datetime) -> int | None:
        """Of a campaign's budget, at the least: all that was taken by then or at the same time, and
        of what came back only what surely had. None where nothing tells how much was allowed."""
        key = (campaign_id, asset)
        allowed = during(self.allowed[key], at)
        if not allowed or None in allowed:
            return None
        taken = self.taken.get(key, Sums()).until(at + CONCURRENT)
        returned = self.returned.get(key, Sums()).until(at - CONCURRENT)
        return int(min(allowed)) - taken + returned


async def read_limits(snap: Snapshot, brand: UUID, templates: Collection[UUID]) -> Limits:
    """All that is needed of a brand, of whose draws these templates are prizes."""
    given = await snap.fetch(_GIVEN, brand=brand)
    moved = await snap.fetch(_MOVED, brand=brand)
    acts = [
        (action, subject, at, json.loads(details))
        for action, subject, at, details in await snap.fetch(_ACTS, brand=brand)
    ]
    return Limits(
        _sums(((row[0], row[1]), row[5], row[6]) for row in given),
        _sums(((row[0], row[1], row[2]), row[5], row[6]) for row in given),
        _sums(((row[0], row[3], row[4]), row[5], row[7]) for row in given if row[4] is not None),
        _sums(((row[0], row[1]), row[2], row[3]) for row in moved),
        _sums(((row[0], row[1]), row[2], row[4]) for row in moved),
        await _read_allowed(snap, brand, acts),
        await _read_templates(snap, brand, templates, acts),
    )


_Acts = list[tuple[str, UUID, datetime, dict[str, Any]]]


async def _read_allowed(
    snap: Snapshot, brand: UUID, acts: _Acts
) -> dict[tuple[UUID, str], list[tuple[datetime, int | None]]]:
    """What the log says was published with each version; of the newest, where it does not, what the
    budget itself does."""
    noted = {
        (subject, details.get("version")): details.get("budgets", {})
        for action, subject, _, details in acts
        if action == "publishCampaign"
    }
    versions: dict[UUID, list[tuple[int, datetime]]] = defaultdict(list)
    for campaign_id, version, at in await snap.fetch(_PUBLISHED, brand=brand):
        versions[campaign_id].append((version, at))
    found: dict[tuple[UUID, str], list[tuple[datetime, int | None]]] = {}
    for campaign_id, asset, allowed in await snap.fetch(_BUDGETS, brand=brand):
        newest = max((version for version, _ in versions[campaign_id]), default=0)
        found[campaign_id, asset] = []
        for version, at in versions[campaign_id]:
            told = noted.get((campaign_id, version), {})
            unless_told = allowed if version == newest else None
            found[campaign_id, asset].append((at, told.get(asset, unless_told)))
    return found


async def _read_templates(
    snap: Snapshot, brand: UUID, wanted: Collection[UUID], acts: _Acts
) -> dict[UUID, Template]:
    if not wanted:
        return {}
    keys = [(brand, id) for id in sorted(wanted)]
    issued = _sums(await snap.fetch(_ISSUED, templates=keys))
    found = {}
    for id, code, status, stock_max, first, last, created_at, is_agreed in await snap.fetch(
        _TEMPLATES, brand=brand
    ):
        own = [act for act in acts if act[1] == id]
        statuses = [(created_at, "ACTIVE")] + [
            (at, details["status"])
            for action, _, at, details in own
            if action == "coupon_template.set_status"
        ]
        codes = Sums(
            (at, details["added"])
            for action, _, at, details in own
            if action == "coupon_template.add_codes"
        )
        found[id] = Template(
            code,
            stock_max,
            first,
            last,
            is_agreed,
            statuses,
            statuses[-1][1] == status,
            codes,
            issued.get(id, Sums()),
        )
    return found
