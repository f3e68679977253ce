"""Races of several brands over runs that net what they owe one another; as ``scan_races.py``."""

from collections import Counter
from itertools import pairwise
from uuid import UUID

from sqlmodel import select

from graphql_schema.pagination import encode_id
from loyalty.brands.service import create_brand
from loyalty.db import Tx
from loyalty.ledger.service import open_brand_books
from rewards.clearing.models import ClearingEntry, ClearingPosition, EntryKind
from rewards.clearing.rules import Due
from rewards.clearing.service import open_position, post
from rewards.clearing.statements import ALONE
from rewards.netting.models import NettingRun
from tests.races.alliance_races import call
from tests.races.arena import Arena, Broken
from tests.races.stage import said
from tests.races.wire import release_at_once
from tests.rewards.payouts.stores import rows

PROPOSE = """mutation Race($input: ProposeNettingInput!) { proposeNetting(input: $input) {
  __typename ... on Refused { code } } }"""
APPROVE = """mutation Race($input: ApproveNettingInput!) { approveNetting(input: $input) {
  __typename ... on Refused { code } } }"""
PAY = """mutation Race($input: RecordClearingPaymentInput!) { recordClearingPayment(input: $input) {
  __typename ... on Refused { code } } }"""

OWED_FEN, PAID_FEN = 1_000, 3
Trio = list[tuple[UUID, str]]
"""Ids and slugs of brands: each owes the next one, but for the last."""


async def _add_trio(tx: Tx, /, slugs: list[str]) -> Trio:
    trio = []
    for slug in slugs:
        brand = await create_brand(tx, slug=slug, name=slug)
        await open_brand_books(tx, brand.id, None)
        trio.append((brand.id, slug))
    dues = []
    for (debtor_id, _), (creditor_id, _) in pairwise(trio):
        await open_position(tx, debtor_id, creditor_id)
        due = Due(
            debtor_id=debtor_id,
            creditor_id=creditor_id,
            kind=EntryKind.FEE,
            amount_fen=OWED_FEN,
        )
        dues.append(due)
    await post(tx, ALONE, dues)
    return trio


async def netted_once(arena: Arena, size: int) -> Broken:
    """Of three brands each, all propose at once: one run stands. Then all approve at once what
    stands, while payments between two of them are recorded: the run is posted, once, and what was
    paid is not lost."""
    broken = Broken()
    slug = arena.stage("netting").slug
    trios: list[Trio] = []
    for n in range(size):
        names = [f"{slug}-{n}-{m}" if n or m else slug for m in range(3)]
        trios.append(await arena.db.in_transaction(_add_trio, names))
    proposals = [
        call(id, PROPOSE, partnerSlugs=[other for _, other in trio if other != own])
        for trio in trios
        for id, own in trio
    ]
    replies = [
        said(answer, "proposeNetting") for answer in await release_at_once(arena.ports, proposals)
    ]
    told = Counter(reply.get("code", reply.get("__typename")) for reply in replies)
    wanted = {"ProposeNettingReceipt": size, "NETTING_OPEN": 2 * size}
    broken.unless(told == wanted, f"one run of three brands, not {dict(told)}")

    ids = {id for trio in trios for id, _ in trio}
    standing = [run for run in await rows(arena.db, NettingRun) if run.brand_id in ids]
    deciding = [
        call(
            run.brand_id,
            APPROVE,
            nettingRunId=encode_id("NettingRun", run.id),
            netFen=run.net_fen,
        )
        for run in standing
    ]
    paying = [
        call(trio[1][0], PAY, partnerSlug=trio[0][1], amountFen=PAID_FEN, reference="bank 1")
        for trio in trios
    ]
    mixed = [each for n, pay in enumerate(paying) for each in (*deciding[3 * n : 3 * n + 3], pay)]
    await release_at_once(arena.ports, mixed)
    ends = Counter(run.status for run in await rows(arena.db, NettingRun) if run.brand_id in ids)
    broken.unless(ends == {"POSTED": 3 * size}, f"all approved, so it is posted, not {dict(ends)}")
    entries = Counter(
        entry.kind for entry in await rows(arena.db, ClearingEntry) if entry.brand_id in ids
    )
    kinds = {"FEE": 4 * size, "NETTING": 6 * size, "PAYMENT": 2 * size}
    broken.unless(entries == kinds, f"posted once, not {dict(entries)}")
    async with arena.db.snapshot() as snapshot:
        positions = list(await snapshot.session.exec(select(ClearingPosition)))
    owed = Counter(row.owed_fen for row in positions if row.brand_id in ids)
    left = dict.fromkeys((OWED_FEN, -OWED_FEN, PAID_FEN, -PAID_FEN), size) | {0: 2 * size}
    broken.unless(owed == left, f"what was paid meanwhile is left, not {dict(owed)}")
    return broken
