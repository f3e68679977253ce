"""What the auditor asks: a probe is one set query whose rows are the offenders."""

import re
from dataclasses import dataclass
from functools import cached_property

from loyalty.db import Statement

EXAMPLES_MAX = 5

_SETS = {
    "outcomes": "version_id uuid, beneficiary text, asset text, amount bigint",
    "locked_outcomes": "version_id uuid, beneficiary text, asset text, kind text, amount bigint",
    "purchase_channel": "version_id uuid, role text",
    "coupon_outcomes": "version_id uuid, beneficiary text, template_id uuid",
    "caps": "campaign_id uuid, subject_kind text, window_kind text, times_max bigint,"
    " every_version boolean, counts_scans boolean",
    "draw_prizes": "version_id uuid, prize text, stock bigint, quota bigint",
    "draw_roles": "version_id uuid, role text",
    "draw_locks": "version_id uuid, kind text",
    "raffle_prizes": "raffle_id uuid, pool_min bigint, pool_max bigint, prize_no bigint,"
    " first_place bigint, last_place bigint, asset text, amount bigint, template_id uuid",
    "task_periods": "task_id uuid, task_ref text, period text, counts text, target bigint,"
    " starts_at timestamptz, ends_at timestamptz",
    "days": "utc_day date, day_on date, day_key text, starts_at timestamptz, ends_at timestamptz",
    "lot_ends": "expires_on date, ends_at timestamptz",
    "coupon_days": "day date, starts_at timestamptz, ends_at timestamptz",
}
"""Row sets that a probe may join as ``{alias}``; ``audit.py`` fills them, brand by brand."""

_PARAMS = {"brand": "uuid", "never": "date", "soon": "timestamptz", "today": "date"}

MERGED = """
    merged AS MATERIALIZED (
        SELECT id, merged_into_id AS into_id FROM members
        WHERE brand_id = :brand AND merged_into_id IS NOT NULL
    )
"""
"""For a ``WITH``: members that were merged. What one of them did counts for whom it leads to; what
is told of a member and of its cause is compared after both were looked up here."""

LINKED = """
    linked AS MATERIALIZED (
        SELECT x.identity_id AS one_id, y.identity_id AS other_id, r.created_at
        FROM member_merges r
        JOIN members x ON x.brand_id = r.brand_id
        JOIN members y ON y.brand_id = r.brand_id AND y.id <> x.id
        WHERE r.brand_id = :brand AND x.id IN (r.from_member_id, r.into_member_id)
            AND y.id IN (r.from_member_id, r.into_member_id)
    )
"""
"""For a ``WITH``: two identities of one person, and since when."""

LOCAL_DAYS = "day AS MATERIALIZED (SELECT utc_day, day_on, day_key, starts_at, ends_at FROM {days})"
ON_LOCAL_DAY = (
    "day.utc_day = date(s.occurred_at) AND s.occurred_at >= day.starts_at"
    " AND s.occurred_at < day.ends_at"
)
"""For a ``WITH``, and for its join: on which of the brand's days a row ``s`` occurred."""


@dataclass(frozen=True)
class Probe:
    """One question about one brand's rows.

    ``sql`` selects the offenders as ``id`` and ``problem`` (both text). ``over`` is the table
    looked at, or a table with a WHERE of its own; it only says how much was checked. A probe that
    is not ``per_brand`` looks at all brands at once. Row sets are joined last and by CROSS JOIN:
    SQLite then takes the tables first and makes the small set an index, instead of walking the
    table once for each row of the set; PostgreSQL orders joins as it likes. A day compared with
    one of a set stands inside ``date()``: its declared type would keep SQLite from that index.
    """

    invariant: int
    name: str
    name_zh: str
    over: str
    sql: str
    per_brand: bool = True

    @cached_property
    def sets(self) -> list[str]:
        """The row sets that the query joins."""
        return re.findall(r"\{(\w+)\}", self.sql)

    @cached_property
    def params(self) -> list[str]:
        """The scalars that the query names."""
        return [name for name in _PARAMS if re.search(rf"(?<!:):{name}\b", self.sql)]

    @cached_property
    def offenders(self) -> Statement:
        """A few offenders, each with how many there are in all."""
        return Statement(
            f"SELECT found.id, COALESCE(found.problem, ''), COUNT(*) OVER () FROM ({self.sql})"
            f" AS found ORDER BY found.id LIMIT {EXAMPLES_MAX}",
            sets={name: _SETS[name] for name in self.sets},
            params=", ".join(f"{name} {_PARAMS[name]}" for name in self.params),
            returns="id text, problem text, broken bigint",
        )

    @cached_property
    def size(self) -> Statement:
        """How many rows are looked at."""
        if not self.per_brand:
            return Statement(f"SELECT COUNT(*) FROM {self.over}", returns="n bigint")
        joined = "AND" if " WHERE " in self.over else "WHERE"
        return Statement(
            f"SELECT COUNT(*) FROM {self.over} {joined} brand_id = :brand",
            params="brand uuid",
            returns="n bigint",
        )
