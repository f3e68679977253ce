"""Races for boxes: who packs a bottle, and who scans the last one; as ``scan_races.py``."""

from collections import Counter
from datetime import timedelta
from itertools import pairwise
from uuid import UUID

from graphql_schema.pagination import encode_id
from loyalty.actor import MemberRole, system_actor
from loyalty.ledger.models import Asset
from loyalty.packings.models import Packing
from loyalty.packings.rules import Line
from loyalty.packings.service import pack_boxes
from rewards.campaigns.locks import Lock
from rewards.campaigns.models import OutcomeBasis, UnlockKind
from rewards.campaigns.rules import Outcome
from rewards.grants.models import BoxCount, LockedReward
from tests.races.arena import Arena, Broken
from tests.races.stage import Stage, said
from tests.races.wire import release_at_once, request_bytes

PACK = """mutation Race($input: PackBoxesInput!) { packBoxes(input: $input) { __typename
  ... on PackBoxesReceipt { packing { firstSerial } } ... on Refused { code } } }"""
PER_BOX = 6
SHIFT = 2
"""Each line begins so many bottles after the one before it: it wants most of the same bottles."""


def _pack(stage: Stage, box_batch_id: UUID, key: str, first: int, box: int) -> bytes:
    given = {
        "idempotencyKey": key,
        "bottleBatchId": encode_id("CodeBatch", stage.inner_batch.id),
        "firstSerial": first,
        "count": PER_BOX,
        "perBox": PER_BOX,
        "boxBatchId": encode_id("CodeBatch", box_batch_id),
        "firstBoxSerial": box,
    }
    return request_bytes(stage.operator(), PACK, {"input": given})


async def a_bottle_is_packed_once(arena: Arena, size: int) -> Broken:
    """Boxes that want bottles of one another, told at once: no bottle is in two of them."""
    broken = Broken()
    stage = await arena.stage("packed").build()
    box_batch_id = await stage.boxes()
    requests = [_pack(stage, box_batch_id, f"box {n}", n * SHIFT, n) for n in range(size)]
    answers = await release_at_once(arena.ports, requests)
    ends = [said(answer, "packBoxes").get("code", "packed") for answer in answers]
    broken.unless(set(ends) <= {"packed", "INVALID_INPUT"}, f"packed or refused, not {set(ends)}")
    rows = sorted(await stage.rows(Packing), key=lambda row: row.first_item_no)
    broken.unless(ends.count("packed") == len(rows), f"{len(rows)} are packed")
    broken.unless(bool(rows), "somebody comes first")
    for row, after in pairwise(rows):
        broken.unless(row.last_item_no < after.first_item_no, "no bottle is in two boxes")
    return broken


async def every_bottle_of_a_box_counts(arena: Arena, size: int) -> Broken:
    """People who scan all bottles of some boxes at once, each one bottle: what waits for the last
    bottle of a box is unlocked, and what waits for one more is not."""
    broken = Broken()
    lapses = timedelta(days=1)
    besides = [
        Outcome(MemberRole.CONSUMER, asset, OutcomeBasis.FIXED, 1, lock)
        for asset, lock in (
            (Asset.CASH, Lock(UnlockKind.BOX_BOTTLES, PER_BOX, lapses_after=lapses)),
            (Asset.CHANCES, Lock(UnlockKind.BOX_BOTTLES, PER_BOX + 1, lapses_after=lapses)),
        )
    ]
    stage = await arena.stage("opened").build(besides=besides)
    boxes = size // PER_BOX
    await stage.db.in_transaction(
        pack_boxes,
        system_actor(stage.brand_id),
        bottle_batch_id=stage.inner_batch.id,
        box_batch_id=await stage.boxes(),
        line=Line(0, boxes * PER_BOX, PER_BOX, 0),
    )
    await stage.warm(arena.ports)
    callers = await stage.consumers(boxes * PER_BOX)
    requests = [
        stage.scan(callers[n], stage.inner[n], f"bottle {n}") for n in range(boxes * PER_BOX)
    ]
    ends = Counter(
        str(reply.get("unpaidReason", reply.get("code", reply.get("fault"))))
        for reply in map(said, await release_at_once(arena.ports, requests))
    )
    broken.unless(ends == Counter({"None": len(requests)}), f"all are paid, not {dict(ends)}")
    counted = [row.bottles for row in await stage.rows(BoxCount)]
    broken.unless(counted == [PER_BOX] * boxes, f"each box is counted to its end, not {counted}")
    rewards = await stage.rows(LockedReward)
    left = Counter((row.asset, row.status, row.unlock_count) for row in rewards)
    wanted = {("CASH", "UNLOCKED", 0): len(requests), ("CHANCES", "LOCKED", 1): len(requests)}
    broken.unless(left == wanted, f"the last bottle opens, one more would, not {dict(left)}")
    return broken
