"""Scans of the audited brand that drew."""

from datetime import date
from typing import Any
from uuid import UUID

from loyalty.ids import new_id
from rewards.campaigns.models import Campaign, CampaignVersion, CapCounter
from rewards.draws.models import Draw, DrawSeed
from tests.loyalty.ledger.audited_books import AT
from tests.loyalty.ledger.audited_boxes import AuditedBoxes
from tests.loyalty.ledger.audited_locks import HOUR, ITEMS, LOCKED_AT
from tests.loyalty.ledger.audited_merges import TWINS_UNTIL

DRAWN_AT = LOCKED_AT + 6 * HOUR
DRAWN_ON = date(2026, 11, 2)
CUP = 9
DRAW: dict[str, Any] = {
    "prizes": [
        {
            "code": "TEA",
            "name_zh": "茶",
            "name_en": "Tea",
            "award": {"asset": "POINTS", "amount": CUP},
            "stock": 5,
            "quota_per_day": 3,
        }
    ],
    "stages": [],
    "consolation": "TEA",
    "bonuses": [],
    "guarantee": {"prize": "TEA", "draw_no": 3},
}


class AuditedDraws(AuditedBoxes):
    """Items 21 and 22: the other consumer scanned them, drew, and won a cup of tea each time."""

    def _draws(self) -> None:
        campaign = self._add(Campaign, code="DRAWS", created_at=AT).id
        self.draws_version = self._add(
            CampaignVersion,
            campaign_id=campaign,
            version=1,
            name_zh="抽奖",
            name_en="Draws",
            event="SCAN",
            gate="NONE",
            priority=0,
            outcomes=[],
            caps=[],
            draw=DRAW,
            published_by=new_id(),
            published_at=AT,
        ).id
        self._add(
            DrawSeed,
            campaign_id=campaign,
            drawn_on=DRAWN_ON,
            sealed="s",
            seed_hash="h",
            made_at=AT,
        )
        self.draws: list[UUID] = [self._draw(serial, campaign, serial - 20) for serial in (21, 22)]
        for kind, subject, window, used in (
            ("PRIZE", "TEA", "ALL", 2),
            ("PRIZE", "TEA", DRAWN_ON.isoformat(), 2),
            ("DRAW", self.other_consumer.hex, "ALL", 2),
            ("STAGE", "0:POINTS", "ALL", 2 * CUP),
        ):
            self._add(
                CapCounter,
                campaign_id=campaign,
                subject_kind=kind,
                subject=subject,
                window_key=window,
                used=used,
                times_max=used + 1,
            )

    def _draw(self, serial: int, campaign_id: UUID, number: int) -> UUID:
        scan = self._paid_scan(serial, DRAWN_AT, campaign_id, self.draws_version)
        self._transfer(
            f"{serial} wins",
            (self.id, "POINTS"),
            (self.other_consumer, "POINTS"),
            CUP,
            ("SCAN", scan),
            at=DRAWN_AT,
            booked_at=DRAWN_AT,
            campaign_id=campaign_id,
            credit_expires_on=TWINS_UNTIL,
        )
        draw = self._add(
            Draw,
            campaign_id=campaign_id,
            campaign_version_id=self.draws_version,
            cause_kind="SCAN",
            cause_id=scan,
            role="CONSUMER",
            member_id=self.other_consumer,
            claim=f"{ITEMS + serial}:REWARD:CONSUMER",
            nonce=None,
            drawn_on=DRAWN_ON,
            seed_hash="h",
            stage=0,
            inputs={},
            base_ppm=10**6,
            odds_ppm=10**6,
            u=f"{serial:016x}",
            member_draw_no=number,
            is_guaranteed=False,
            pointed_prize="TEA",
            given_prize="TEA",
            exhausted=[],
            ordinal=number,
            day_ordinal=number,
            asset="POINTS",
            amount=CUP,
            coupon_template_id=None,
            is_locked=False,
            occurred_at=DRAWN_AT,
        )
        return UUID(int=draw.id.int)
