"""Tasks, surveys and referrals of the audited brand, each done by somebody."""

from datetime import timedelta
from uuid import UUID

from loyalty.ids import new_id
from rewards.events.models import EarningEvent
from rewards.referrals.models import Referral, ReferralCode
from rewards.surveys.models import Survey, SurveyAnswer
from rewards.tasks.models import Task, TaskTaking
from tests.loyalty.ledger.audited_books import AT
from tests.loyalty.ledger.audited_webhooks import AuditedWebhooks


class AuditedPrograms(AuditedWebhooks):
    """The guest took a task and completed it, answered a survey, and was brought by a friend, who
    has tried to bring itself too."""

    def _programs(self) -> None:
        names = {"name_zh": "活动", "name_en": "Program", "created_by": new_id()}
        window = {"starts_at": AT, "ends_at": AT + timedelta(days=1), "created_at": AT}
        task = self._add(
            Task,
            code="task",
            role="CONSUMER",
            counts="CHECK_INS",
            target=1,
            period="ONCE",
            for_everybody=False,
            **names,
            **window,
        ).id
        self.taking = self._add(TaskTaking, task_id=task, member_id=self.guest, taken_at=AT).id
        self.completion = self._unpaid(
            "TASK_COMPLETED", f"{task.hex}:{self.guest.hex}:ONCE", self.guest
        )
        self.check_in = self._unpaid("CHECK_IN", "", self.guest)
        survey = self._add(
            Survey, code="survey", role="CONSUMER", questions=[], **names, **window
        ).id
        self.answer = self._add(
            SurveyAnswer, survey_id=survey, member_id=self.guest, answers={}, answered_at=AT
        ).id
        self._unpaid("SURVEY_ANSWERED", f"{survey.hex}:{self.guest.hex}", self.guest)
        self.friend, _ = self._person("CONSUMER")
        self._add(ReferralCode, member_id=self.friend, code="FRIENDS2", created_at=AT)
        self.referral = self._referral(self.guest, status="SETTLED", settled_at=AT)
        self._referral(self.friend, status="REFUSED", refused_reason="SAME_PERSON")
        self.referral_event = self._unpaid("REFERRAL", self.guest.hex, self.friend)

    def _referral(self, referred_id: UUID, **more: object) -> UUID:
        referral = self._add(
            Referral, referrer_id=self.friend, referred_id=referred_id, created_at=AT, **more
        )
        return UUID(bytes=referral.id.bytes)

    def _unpaid(self, kind: str, ref: str, member_id: UUID) -> UUID:
        event = self._add(
            EarningEvent,
            kind=kind,
            ref=ref,
            content_hash="c",
            member_id=member_id,
            payload={},
            unpaid_reason="NO_CAMPAIGN",
            earned=[],
            occurred_at=AT,
            created_at=AT,
        )
        return UUID(bytes=event.id.bytes)
