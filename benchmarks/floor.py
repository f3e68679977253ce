"""The floor: the rows of each scan written with bare SQLite, one transaction a scan.

What to write is worked out beforehand, so the clock sees only the driver and the database: the
fastest that one transaction a scan can be in this language. Same settings as the engine's (WAL,
``synchronous=FULL``, foreign keys on), same rows as the engine's (asserted by every run).
"""

import sqlite3
import time
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import orjson

from benchmarks.stage import PlannedScan, Stage
from loyalty.assets.rules import expiry_from_json
from loyalty.clock import local_date, utc_now
from loyalty.codes.rules import item_no
from loyalty.crypto import Keyring
from loyalty.ids import new_id

Step = tuple[str, tuple[Any, ...]]


class NotDurable(Exception):
    """SQLite does not run with the settings that the engine runs it with."""


def open_database(path: Path) -> sqlite3.Connection:
    """A connection with the engine's own settings, asserted."""
    connection = sqlite3.connect(path, isolation_level=None, cached_statements=256)
    connection.execute("PRAGMA journal_mode=WAL")
    connection.execute("PRAGMA synchronous=FULL")
    connection.execute("PRAGMA foreign_keys=ON")
    wanted = {"journal_mode": "wal", "synchronous": 2, "foreign_keys": 1}
    for name, value in wanted.items():
        if connection.execute(f"PRAGMA {name}").fetchone()[0] != value:
            raise NotDurable(name)
    return connection


def measure_floor(path: Path, scans: Iterable[list[Step]]) -> float:
    """Scans per second, one transaction each."""
    connection = open_database(path)
    execute = connection.execute
    prepared = list(scans)
    started = time.perf_counter()
    for steps in prepared:
        execute("BEGIN IMMEDIATE")
        for sql, values in steps:
            execute(sql, values)
        execute("COMMIT")
    seconds = time.perf_counter() - started
    connection.close()
    return len(prepared) / seconds


def _insert(table: str, columns: str) -> str:
    marks = ", ".join("?" for _ in columns.split(","))
    return f"INSERT INTO {table} ({columns}) VALUES ({marks})"


_MEMBER = _insert("members", "brand_id, id, identity_id, role, status, invited_by_id, enrolled_at")
_INVITATION = (
    "UPDATE invitations SET accepted_member_id = ?, accepted_at = ? WHERE brand_id = ? AND id = ?"
)
_DEVICE = _insert("member_devices", "brand_id, device_hash, member_id, first_seen_at")
_EVENT = _insert(
    "outbox_events",
    "brand_id, id, topic, subject_id, payload, created_at, due_at, attempts",
)
_ACCOUNT = _insert(
    "accounts",
    "brand_id, id, owner_id, asset, kind, overdraft_allowed, credits_posted, debits_posted,"
    " credits_pending, debits_pending, created_at",
)
_CREDIT = "UPDATE accounts SET credits_posted = credits_posted + ? WHERE brand_id = ? AND id = ?"
_DEBIT = "UPDATE accounts SET debits_posted = debits_posted + ? WHERE brand_id = ? AND id = ?"
_LOT = _insert("lots", "brand_id, account_id, expires_on, locked, granted, remaining")
_ADD_TO_LOT = (
    "UPDATE lots SET granted = granted + ?, remaining = remaining + ?"
    " WHERE brand_id = ? AND account_id = ? AND expires_on = ? AND locked = 0"
)
_TRANSFER = _insert(
    "transfers",
    "brand_id, id, debit_account_id, credit_account_id, asset, amount, phase, kind, cause_kind,"
    " cause_id, campaign_id, credit_expires_on, actor_kind, actor_id, reason, occurred_at,"
    " created_at",
)
_BUDGET = (
    "UPDATE campaign_budgets SET spent = spent + ?"
    " WHERE brand_id = ? AND campaign_id = ? AND asset = ?"
)
_COUNTER = _insert(
    "cap_counters",
    "brand_id, campaign_id, subject_kind, subject, window_key, used, times_max",
)
_COUNT = (
    "UPDATE cap_counters SET used = used + 1 WHERE brand_id = ? AND campaign_id = ?"
    " AND subject_kind = ? AND subject = ? AND window_key = ?"
)
_CLAIM = _insert(
    "claims",
    "brand_id, item_no, purpose, beneficiary_role, scan_id, member_id, outcome, campaign_id,"
    " settled_scan_id, created_at",
)
_ITEM = _insert(
    "item_codes",
    "brand_id, item_no, kind, batch_id, scan_count, first_scan_id, first_scanned_at,"
    " first_latitude, first_longitude, last_scan_id, last_scanned_at",
)
_SCAN = _insert(
    "scan_events",
    "brand_id, id, item_no, code_kind, batch_id, product_id, identity_id, member_id, role,"
    " verdict, guide_member_id, campaign_version_id, device_hash, latitude, longitude,"
    " occurred_at, created_at",
)
_REPLY = _insert(
    "idempotency_records", "brand_id, actor_id, operation, key, body_hash, reply, created_at"
)
_STANDING = (
    "INSERT INTO standings (brand_id, member_id, rank, since, basis, earned_rank, revision)"
    " VALUES (?1, ?2, ?3, ?4, 'EARNED', ?3, 1)"
    " ON CONFLICT (brand_id, member_id) DO UPDATE SET rank = excluded.rank, since = excluded.since,"
    " earned_rank = excluded.rank, revision = standings.revision + 1"
)
_RISE = _insert(
    "standing_changes",
    "brand_id, id, member_id, from_rank, to_rank, transfer_id, ladder_id, occurred_at, created_at,"
    " reason, note",
)


@dataclass
class _Account:
    id: str
    credited: int


@dataclass(frozen=True)
class _Level:
    ladder_id: str
    growth_threshold: int
    points_multiplier_percent: int
    code: str


class FloorPlan:
    """Works out the rows of scans from what the database holds before the first of them."""

    def __init__(self, path: Path, stage: Stage, keyring: Keyring) -> None:
        self._stage = stage
        self._keyring = keyring
        self._brand = stage.brand_id.hex
        now = utc_now()
        self._now = now.strftime("%Y-%m-%d %H:%M:%S.%f")
        self._read(open_database(path), now)

    def _read(self, db: sqlite3.Connection, now: datetime) -> None:
        (zone,) = db.execute("SELECT timezone FROM brands").fetchone()
        today = local_date(now, zone)
        self._today = today.isoformat()
        self._expires_on = {
            code: expiry_from_json(orjson.loads(stored)).last_day(today).isoformat()
            for code, stored in db.execute("SELECT code, expiry FROM assets")
        }
        self._campaign, self._version, outcomes, caps = db.execute(
            "SELECT campaign_id, id, outcomes, caps FROM campaign_versions WHERE event = 'SCAN'"
            " ORDER BY version DESC LIMIT 1"
        ).fetchone()
        self._outcomes: list[dict[str, Any]] = orjson.loads(outcomes)
        self._caps: list[dict[str, Any]] = orjson.loads(caps)
        self._members: dict[str, tuple[str, str | None]] = {
            identity: (member, inviter)
            for identity, member, inviter in db.execute(
                "SELECT identity_id, id, invited_by_id FROM members WHERE role = 'CONSUMER'"
            )
        }
        self._invitations: dict[str, tuple[str, str]] = {
            identity: (invitation, inviter)
            for identity, invitation, inviter in db.execute(
                "SELECT i.id, v.id, v.inviter_id FROM identities i JOIN invitations v"
                " ON v.brand_id = i.brand_id AND v.phone_hash = i.phone_hash"
            )
        }
        self._accounts = {
            (owner, asset): _Account(account, credited)
            for owner, asset, account, credited in db.execute(
                "SELECT owner_id, asset, id, credits_posted FROM accounts"
                " WHERE kind IN ('MAIN', 'ISSUANCE')"
            )
        }
        self._lots = {row[0] for row in db.execute("SELECT account_id FROM lots WHERE locked = 0")}
        self._counters = set(
            db.execute("SELECT subject_kind, subject, window_key FROM cap_counters")
        )
        self._budgets = {row[0] for row in db.execute("SELECT asset FROM campaign_budgets")}
        self._ranks = dict(db.execute("SELECT member_id, rank FROM standings"))
        self._levels: dict[str, list[_Level]] = {}
        for role, *level in db.execute(
            "SELECT d.role, d.id, l.growth_threshold, l.points_multiplier_percent, l.code"
            " FROM ladders d JOIN ladder_levels l ON l.ladder_id = d.id WHERE d.version ="
            " (SELECT max(version) FROM ladders n WHERE n.role = d.role) ORDER BY l.rank"
        ):
            self._levels.setdefault(role, []).append(_Level(*level))
        self._reply: str = db.execute("SELECT reply FROM idempotency_records").fetchone()[0]
        db.close()

    def steps(self, scan: PlannedScan) -> list[Step]:
        """What one scan writes, in the engine's order of tables."""
        brand, now = self._brand, self._now
        batch = self._stage.inner
        scan_id = new_id().hex
        identity = scan.identity_id.hex
        device = self._keyring.lookup_hash(self._stage.brand_id, "device", scan.device_id)
        item = item_no(batch.series_no, scan.serial)
        latitude, longitude = scan.position["latitude"], scan.position["longitude"]
        steps: list[Step] = []
        member, guide = self._member(steps, identity, device)
        issued: dict[str, int] = {}
        for outcome in self._outcomes:
            owner = member if outcome["beneficiary"] == "CONSUMER" else guide
            amount = self._credit(steps, outcome, owner, identity, scan_id)
            issued[outcome["asset"]] = issued.get(outcome["asset"], 0) + amount
        for role, owner in (("CONSUMER", member), ("GUIDE", guide)):
            paid = ("REWARD", role, scan_id, owner, "PAID", self._campaign, scan_id, now)
            steps.append((_CLAIM, (brand, item, *paid)))
        where = (batch.id.hex, batch.product_id.hex)
        steps += [
            (
                _ITEM,
                (
                    *(brand, item, batch.kind, where[0], 1),
                    *(scan_id, now, latitude, longitude, scan_id, now),
                ),
            ),
            (
                _SCAN,
                (
                    *(brand, scan_id, item, batch.kind, *where, identity, member, "CONSUMER"),
                    *("FIRST", guide, self._version, device, latitude, longitude, now, now),
                ),
            ),
            (
                _REPLY,
                (
                    *(brand, identity, "scanCode", scan.idempotency_key),
                    *(scan_id * 2, self._reply, now),  # a hash is as long as two ids
                ),
            ),
        ]
        payload = {"product_id": where[1], "first": True, "paid": True}
        self._emit(steps, "scan.recorded", scan_id, payload)
        self._count(steps, {"MEMBER": member, "GUIDE": guide, "DEVICE": device})
        for asset, amount in issued.items():
            if asset in self._budgets:
                steps.append((_BUDGET, (amount, brand, self._campaign, asset)))
        for asset, amount in issued.items():
            steps.append((_DEBIT, (amount, brand, self._accounts[(brand, asset)].id)))
        return steps

    def _member(self, steps: list[Step], identity: str, device: str) -> tuple[str, str]:
        known = self._members.get(identity)
        if known is not None and known[1] is not None:
            return known[0], known[1]
        member = new_id().hex
        invitation, guide = self._invitations[identity]
        row = (self._brand, member, identity, "CONSUMER", "ACTIVE", guide, self._now)
        steps.append((_MEMBER, row))
        steps.append((_INVITATION, (member, self._now, self._brand, invitation)))
        steps.append((_DEVICE, (self._brand, device, member, self._now)))
        self._emit(steps, "member.enrolled", member, {"role": "CONSUMER"})
        self._members[identity] = (member, guide)
        return member, guide

    def _credit(
        self, steps: list[Step], outcome: dict[str, Any], owner: str, actor: str, scan_id: str
    ) -> int:
        brand, now, asset = self._brand, self._now, outcome["asset"]
        amount: int = outcome["amount"]
        levels = self._levels.get(outcome["beneficiary"], [])
        if asset == "POINTS" and levels:
            held = levels[self._ranks.get(owner, 0)]
            amount = amount * held.points_multiplier_percent // 100
        account = self._accounts.get((owner, asset))
        if account is None:
            account = self._accounts[(owner, asset)] = _Account(new_id().hex, 0)
            row = (brand, account.id, owner, asset, "MAIN", 0, amount, 0, 0, 0, now)
            steps.append((_ACCOUNT, row))
        else:
            steps.append((_CREDIT, (amount, brand, account.id)))
        account.credited += amount
        expires_on = self._expires_on[asset]
        if account.id in self._lots:
            steps.append((_ADD_TO_LOT, (amount, amount, brand, account.id, expires_on)))
        else:
            self._lots.add(account.id)
            steps.append((_LOT, (brand, account.id, expires_on, 0, amount, amount)))
        transfer = new_id().hex
        sides = (self._accounts[(brand, asset)].id, account.id, asset, amount)
        cause = ("POSTED", "EARN", "SCAN", scan_id, self._campaign, expires_on)
        by = ("MEMBER", actor, "scan", now, now)
        steps.append((_TRANSFER, (brand, transfer, *sides, *cause, *by)))
        if asset == "GROWTH" and levels:
            self._rise(steps, levels, owner, account.credited, transfer)
        return amount

    def _rise(
        self, steps: list[Step], levels: list[_Level], member: str, growth: int, transfer: str
    ) -> None:
        held = self._ranks.get(member, 0)
        earned = max(rank for rank, level in enumerate(levels) if growth >= level.growth_threshold)
        if earned <= held:
            return
        self._ranks[member] = earned
        brand, now, ladder = self._brand, self._now, levels[0].ladder_id
        steps.append((_STANDING, (brand, member, earned, now)))
        change = new_id().hex
        row = (brand, change, member, held, earned, transfer, ladder, now, now, "EARNED", "")
        steps.append((_RISE, row))
        payload = {"from_rank": held, "to_rank": earned, "code": levels[earned].code}
        payload |= {"change_id": change, "direction": "UP", "reason": "EARNED"}
        self._emit(steps, "tier.reached", member, payload)

    def _count(self, steps: list[Step], subjects: dict[str, str]) -> None:
        for cap in self._caps:
            window = self._today if cap["window"] == "DAY" else "ALL"
            key = (cap["subject"], subjects[cap["subject"]], window)
            if key in self._counters:
                steps.append((_COUNT, (self._brand, self._campaign, *key)))
            else:
                self._counters.add(key)
                row = (self._brand, self._campaign, *key, 1, cap["times_max"])
                steps.append((_COUNTER, row))

    def _emit(self, steps: list[Step], topic: str, subject: str, payload: dict[str, Any]) -> None:
        row = (self._brand, new_id().hex, topic, subject, orjson.dumps(payload).decode())
        steps.append((_EVENT, (*row, self._now, self._now, 0)))
