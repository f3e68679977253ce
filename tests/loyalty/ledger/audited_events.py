"""What a member of the audited brand did that earns, beside scans and purchases."""

from datetime import date
from uuid import UUID

from loyalty.ids import new_id
from rewards.campaigns.models import Campaign, CampaignVersion
from rewards.event_types.models import EventType
from rewards.events.models import EarningEvent
from rewards.grants.models import Bonus
from tests.loyalty.ledger.audited_books import AT
from tests.loyalty.ledger.audited_draws import AuditedDraws

CUPS = 4
GOOD_UNTIL = date(2028, 11, 1)


class AuditedEvents(AuditedDraws):
    """Somebody had a coffee, which was paid, and another one, which was not."""

    def _events(self) -> None:
        campaign = self._add(Campaign, code="COFFEE", created_at=AT).id
        self.coffee_campaign = campaign
        names = {"name_zh": "咖啡", "name_en": "Coffee"}
        times = {"created_at": AT, "registered_at": AT}
        self.coffee = self._add(EventType, code="coffee", version=1, fields=[], **names, **times).id
        version = self._add(
            CampaignVersion,
            campaign_id=campaign,
            version=1,
            **names,
            event="CUSTOM",
            gate="NONE",
            priority=0,
            outcomes=[],
            caps=[],
            event_type={"id": self.coffee.hex, "code": "coffee", "fields": {}},
            published_by=new_id(),
            published_at=AT,
        ).id
        self.guest, _ = self._person("CONSUMER")
        self._account(self.guest, "POINTS")
        self.event = self._drunk("e1", version, None)
        self.unpaid_event = self._drunk("e2", None, "NO_CAMPAIGN")
        self._rewarded("coffee", self.event, campaign)
        self.happy_event = self._drunk("e3", version, None)
        self._rewarded("second coffee", self.happy_event, campaign)
        self._happy_hour(names)

    def _happy_hour(self, names: dict[str, str]) -> None:
        """Another campaign paid on top."""
        self.happy = self._add(Campaign, code="HAPPY", created_at=AT).id
        version = self._add(
            CampaignVersion,
            campaign_id=self.happy,
            version=1,
            **names,
            event="CUSTOM",
            gate="NONE",
            priority=0,
            outcomes=[],
            caps=[],
            bonus={"group": "hours", "best_of": None},
            published_by=new_id(),
            published_at=AT,
        ).id
        self._add(
            Bonus,
            cause_id=self.happy_event,
            bonus_group="hours",
            cause_kind="EVENT",
            campaign_id=self.happy,
            campaign_version_id=version,
            guide_member_id=self.guest,
            rewards=[{"asset": "POINTS", "amount": CUPS, "locked": False}],
            created_at=AT,
        )
        self._rewarded("happy hour", self.happy_event, self.happy)

    def _rewarded(self, name: str, event: UUID, campaign: UUID) -> None:
        self._transfer(
            name,
            (self.id, "POINTS"),
            (self.guest, "POINTS"),
            CUPS,
            ("EVENT", event),
            campaign_id=campaign,
            credit_expires_on=GOOD_UNTIL,
        )

    def _drunk(self, ref: str, version_id: UUID | None, unpaid: str | None) -> UUID:
        event = self._add(
            EarningEvent,
            kind="CUSTOM",
            ref=ref,
            content_hash="c",
            member_id=self.guest,
            event_type_id=self.coffee,
            payload={},
            campaign_version_id=version_id,
            unpaid_reason=unpaid,
            earned=[] if unpaid else [{"asset": "POINTS", "amount": CUPS, "locked": False}],
            occurred_at=AT,
            created_at=AT,
        )
        return UUID(int=event.id.int)
