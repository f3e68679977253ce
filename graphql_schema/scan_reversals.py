"""Taking a scan back from everybody whom it paid, for operators."""

from dataclasses import asdict
from typing import Annotated, Any
from uuid import UUID

import strawberry

from graphql_schema.context import Info
from graphql_schema.effects import effect_once
from graphql_schema.enums import MemberRole
from graphql_schema.nodes import local_id
from graphql_schema.permissions import HasGrant
from graphql_schema.refusals import Refused
from graphql_schema.scalars import AssetCode, BigInt
from graphql_schema.scans import ScanEvent, fetch_scan
from loyalty.actor import Actor, Grant
from loyalty.db import Tx
from rewards.scans import reversing
from rewards.scans.models import ScanEvent as ScanRow


@strawberry.type(description="What a reversal did to one asset of one of those whom a scan paid.")
class ReversedLeg:
    beneficiary: MemberRole
    asset: AssetCode
    taken: BigInt = strawberry.field(description="From the balance.")
    owed: BigInt = strawberry.field(description="By the member, from now on.")
    voided: BigInt = strawberry.field(description="While it was still locked.")
    left: BigInt = strawberry.field(description="What the return policy leaves to the member.")


@strawberry.input
class ReverseScanInput:
    idempotency_key: strawberry.ID
    scan_id: strawberry.ID
    reason: str


@strawberry.type
class ReverseScanReceipt:
    replayed: bool
    legs: list[ReversedLeg]
    coupons_voided: int
    scan: ScanRow = strawberry.field(graphql_type=ScanEvent)


ReverseScanResult = Annotated[ReverseScanReceipt | Refused, strawberry.union("ReverseScanResult")]


@strawberry.type
class ScanReversalMutation:
    @strawberry.mutation(extensions=[HasGrant(Grant.LEDGER)])
    async def reverse_scan(self, info: Info, input: ReverseScanInput) -> ReverseScanResult:
        """Take back what a consumer's scan gave to the consumer, to the guide and to who stood
        behind it, each under its campaign's return policy, and coupons that are still free. The
        item pays nobody again."""

        async def verb(tx: Tx, actor: Actor) -> dict[str, Any]:
            scan_id = local_id("ScanEvent", input.scan_id)
            done = await reversing.reverse_scan(tx, actor, scan_id, input.reason)
            return {
                "id": done.reversal.scan_id.hex,
                "legs": [asdict(leg) for leg in done.legs],
                "coupons": done.coupons_voided,
            }

        reply, replayed = await effect_once(info.context, "reverseScan", input, verb)
        scan = await fetch_scan(info.context, UUID(hex=reply["id"]))
        if scan is None:
            raise LookupError("a scan is gone")
        return ReverseScanReceipt(
            replayed=replayed,
            legs=[
                ReversedLeg(
                    beneficiary=MemberRole(leg["role"]),
                    asset=AssetCode(leg["asset"]),
                    taken=leg["taken"],
                    owed=leg["owed"],
                    voided=leg["voided"],
                    left=leg["left"],
                )
                for leg in reply["legs"]
            ],
            coupons_voided=reply["coupons"],
            scan=scan,
        )
