"""How surveys and answers are found, always inside one brand."""

from collections.abc import Collection, Sequence
from uuid import UUID

from sqlalchemy import update
from sqlmodel import col, func, select

from loyalty import keyed
from loyalty.db import Snapshot, Tx
from rewards.surveys.models import Survey, SurveyAnswer


async def find_survey(snapshot: Snapshot, brand_id: UUID, code: str) -> Survey | None:
    found = await snapshot.session.exec(
        select(Survey)
        .where(col(Survey.brand_id) == brand_id, col(Survey.code) == code)
        .execution_options(populate_existing=True)
    )
    return found.first()


async def list_surveys(
    snapshot: Snapshot, brand_id: UUID, *, open_to: str | None = None
) -> list[Survey]:
    """Newest first: all, or those that are open to a role now."""
    query = select(Survey).where(col(Survey.brand_id) == brand_id)
    if open_to is not None:
        query = query.where(
            col(Survey.role) == open_to,
            col(Survey.starts_at) <= snapshot.now,
            col(Survey.ends_at) > snapshot.now,
        )
    return list(await snapshot.session.exec(query.order_by(col(Survey.id).desc())))


async def count_not_ended(snapshot: Snapshot, brand_id: UUID) -> int:
    """Open ones and those to come."""
    found = await snapshot.session.exec(
        select(func.count())
        .select_from(Survey)
        .where(col(Survey.brand_id) == brand_id, col(Survey.ends_at) > snapshot.now)
    )
    return found.one()


async def list_surveys_by_ids(
    snapshot: Snapshot, brand_id: UUID, ids: Sequence[UUID]
) -> list[Survey]:
    """For loaders: those that exist, in no order."""
    return await keyed.list_rows_by_ids(snapshot, Survey, brand_id, ids)


async def end_survey(tx: Tx, survey: Survey) -> bool:
    """Let a survey end now, begun or not; False when it has ended already."""
    ended = await tx.session.exec(
        update(Survey)
        .where(
            col(Survey.brand_id) == survey.brand_id,
            col(Survey.id) == survey.id,
            col(Survey.ends_at) > tx.now,
        )
        .values(starts_at=min(survey.starts_at, tx.now), ends_at=tx.now)
        .execution_options(synchronize_session=False)
    )
    return ended.rowcount == 1


async def list_answers_of(
    snapshot: Snapshot, brand_id: UUID, member_ids: Collection[UUID], survey_ids: Collection[UUID]
) -> list[SurveyAnswer]:
    """Those of some members to some surveys."""
    found = await snapshot.session.exec(
        select(SurveyAnswer).where(
            col(SurveyAnswer.brand_id) == brand_id,
            col(SurveyAnswer.member_id).in_(member_ids),
            col(SurveyAnswer.survey_id).in_(survey_ids),
        )
    )
    return list(found)


async def list_answers(
    snapshot: Snapshot, brand_id: UUID, survey: str | None, *, before: UUID | None, limit: int
) -> list[SurveyAnswer]:
    """Newest first, older than the id ``before``: all, or those to the survey of a code."""
    conditions = []
    if survey is not None:
        surveys = select(Survey.id).where(
            col(Survey.brand_id) == brand_id, col(Survey.code) == survey
        )
        conditions.append(col(SurveyAnswer.survey_id).in_(surveys))
    return await keyed.list_newest(
        snapshot, SurveyAnswer, brand_id, *conditions, before=before, limit=limit
    )
