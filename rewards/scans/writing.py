"""What a batch of scans leaves, written by set and under guards."""

from typing import Any

import orjson

from loyalty.clock import local_date
from loyalty.codes.service import UnknownCode, count_unknown_codes
from loyalty.db import Tx
from rewards.draws.folding import draw_rows
from rewards.draws.service import write_draws
from rewards.grants import service as grants
from rewards.grants.counting import write_boxes
from rewards.scans import queries
from rewards.scans.world import OPERATION, REWARD, ScanWorld, reply_key


async def write(tx: Tx, world: ScanWorld) -> None:
    """Members first, then the items, then the brand's hottest rows: the global order of locks. Last
    of all the draws' receipts, with the ordinals that the counters told."""
    async with tx.sending_together():
        await grants.write_members_side(tx, world.grants)
        await _write_claims(tx, world)
        await _write_item_codes(tx, world)
        await write_boxes(tx, world.grants)
        await _write_scans(tx, world)
        if world.new_devices:
            await tx.write(
                queries.INSERT_DEVICES, rows=[(*key, tx.now) for key in sorted(world.new_devices)]
            )
        await _write_replies(tx, world)
        await _count_unknown(tx, world)
        await grants.write_brands_side(tx, world.grants)
    await write_draws(tx, draw_rows(world.draws, world.grants.counted))


async def _write_claims(tx: Tx, world: ScanWorld) -> None:
    new = sorted(
        (
            brand_id,
            item,
            REWARD,
            role,
            claim.scan_id,
            claim.member_id,
            claim.outcome,
            claim.campaign_id,
            claim.settled_scan_id,
            tx.now,
        )
        for (brand_id, item, role), claim in world.claims.items()
        if claim.is_new
    )
    if new:  # too few when another process claimed one of these items first
        await tx.write(queries.INSERT_CLAIMS, expected=len(new), rows=new)
    settled = sorted(
        (brand_id, item, role, claim.outcome, claim.settled_scan_id)
        for (brand_id, item, role), claim in world.claims.items()
        if claim.is_settled_now and not claim.is_new
    )
    if settled:
        await tx.write(queries.SETTLE_CLAIMS, expected=len(settled), settled=settled)


async def _write_item_codes(tx: Tx, world: ScanWorld) -> None:
    rows = [
        (
            *key,
            code.batch_id,
            code.new_scans,
            code.first_scan_id,
            code.first_scanned_at,
            code.first_latitude,
            code.first_longitude,
            code.last_scan_id,
            code.last_scanned_at,
        )
        for key, code in sorted(world.item_codes.items())
        if code.new_scans
    ]
    if rows:  # too few when another process scanned one of these codes for the first time
        await tx.write(queries.PUT_ITEM_CODES, expected=len(rows), rows=rows)


async def _write_scans(tx: Tx, world: ScanWorld) -> None:
    rows: list[tuple[Any, ...]] = [
        (
            scan.batch.brand_id,
            scan.request.scan_id,
            scan.item_no,
            scan.batch.kind,
            scan.batch.id,
            scan.batch.product_id,
            scan.request.actor.id,
            scan.member_id,
            scan.request.actor.role,
            scan.verdict,
            scan.unpaid_reason,
            scan.guide_member_id,
            scan.guide_unpaid_reason,
            scan.campaign_version_id,
            scan.request.device_hash,
            scan.request.latitude,
            scan.request.longitude,
            scan.request.scene,
            tx.now,
            tx.now,
        )
        for scan in world.scans
    ]
    if rows:
        await tx.write(queries.INSERT_SCANS, rows=rows)


async def _write_replies(tx: Tx, world: ScanWorld) -> None:
    rows = []
    for request in world.new_replies:
        key = reply_key(request)
        body_hash, reply = world.replies[key]
        rows.append(
            (key[0], key[1], OPERATION, key[2], body_hash, orjson.dumps(reply).decode(), tx.now)
        )
    if rows:  # too few when the same key was effected by another process
        await tx.write(queries.INSERT_REPLIES, expected=len(rows), rows=sorted(rows))


async def _count_unknown(tx: Tx, world: ScanWorld) -> None:
    rows = []
    for request in world.unknown:
        brand = world.grants.brands[request.actor.brand_id]
        rows.append(
            UnknownCode(
                brand.id,
                local_date(tx.now, brand.timezone),
                request.address,
                request.device_hash or "",
            )
        )
    await count_unknown_codes(tx, rows)
