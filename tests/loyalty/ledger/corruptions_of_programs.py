"""Wrong tasks, surveys and referrals: invariant 8."""

from datetime import timedelta

from loyalty.ids import new_id
from rewards.events.models import EarningEvent
from rewards.referrals.models import Referral
from rewards.surveys.models import SurveyAnswer
from rewards.tasks.models import TaskTaking
from tests.loyalty.ledger.audited_books import AT
from tests.loyalty.ledger.corruptions import Corruption, change, remove, repeat

_TASK = "a completed task is of who had it, since it began"
_SURVEY = "a survey is answered once by a member, and its event says so"
_COUNTED = "who completed a task has done as much as it asks for"
_REFERRAL = "a referral is settled with the event of its referrer, once in a life"

OF_PROGRAMS = (
    Corruption(
        "a task completed that nobody took",
        8,
        lambda b, _: [remove(TaskTaking, brand_id=b.id, id=b.taking)],
        (_TASK,),
    ),
    Corruption(
        "a task completed before it began",
        8,
        lambda b, _: [
            change(
                EarningEvent,
                {"brand_id": b.id, "id": b.completion},
                occurred_at=AT - timedelta(days=1),
            )
        ],
        (_TASK,),
    ),
    Corruption(
        "a task completed by who had not done enough for it",
        8,
        lambda b, _: [remove(EarningEvent, brand_id=b.id, id=b.check_in)],
        (_COUNTED,),
    ),
    Corruption(
        "a survey answered twice",
        8,
        lambda b, _: [repeat(SurveyAnswer, {"brand_id": b.id, "id": b.answer}, id=new_id())],
        (_SURVEY,),
        ("survey_answers",),
    ),
    Corruption(
        "an answer gone",
        8,
        lambda b, _: [remove(SurveyAnswer, brand_id=b.id, id=b.answer)],
        (_SURVEY,),
    ),
    Corruption(
        "a referral settled for nothing",
        8,
        lambda b, _: [remove(EarningEvent, brand_id=b.id, id=b.referral_event)],
        (_REFERRAL,),
    ),
    Corruption(
        "somebody brought by two",
        8,
        lambda b, _: [
            repeat(
                Referral,
                {"brand_id": b.id, "id": b.referral},
                id=new_id(),
                referrer_id=b.shopper,
                status="WAITING",
                settled_at=None,
            )
        ],
        (_REFERRAL,),
        ("referrals",),
    ),
)
