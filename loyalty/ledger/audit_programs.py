"""What must hold of tasks, surveys and referrals: invariant 8. Each is done once, and an event says
so."""

from loyalty.ledger.audit_probe import MERGED, Probe


def _hex(id: str) -> str:
    return f"replace(CAST({id} AS text), '-', '')"


PROGRAMS = (
    Probe(
        8,
        "a completed task is of who had it, since it began",
        "任务完成者确已领取该任务",
        "earning_events WHERE kind = 'TASK_COMPLETED'",
        f"""
        WITH {MERGED}
        SELECT CAST(e.id AS text) AS id, CASE
            WHEN t.id IS NULL THEN 'of no task'
            WHEN e.ref NOT LIKE '%:' || {_hex("e.member_id")} || ':%'
                THEN 'its reference says another member'
            WHEN e.occurred_at < t.starts_at THEN 'its task had not begun'
            ELSE 'nobody took it' END AS problem
        FROM earning_events e
        LEFT JOIN tasks t ON t.brand_id = :brand AND {_hex("t.id")} = substr(e.ref, 1, 32)
        LEFT JOIN merged g ON g.id = e.member_id
        WHERE e.brand_id = :brand AND e.kind = 'TASK_COMPLETED' AND (t.id IS NULL
            OR e.ref NOT LIKE '%:' || {_hex("e.member_id")} || ':%'
            OR e.occurred_at < t.starts_at
            OR NOT t.for_everybody AND NOT EXISTS (SELECT 1 FROM task_takings k
                WHERE k.brand_id = :brand AND k.task_id = t.id
                    AND k.member_id IN (e.member_id, g.into_id)))
        """,
    ),
    Probe(
        8,
        "a survey is answered once by a member, and its event says so",
        "问卷每人一答且有对应事件",
        "survey_answers",
        f"""
        SELECT answer AS id, CASE WHEN SUM(told) > SUM(answered) THEN 'told of and not answered'
            WHEN SUM(answered) > 1 THEN 'answered more than once'
            ELSE 'answered and not told of' END AS problem
        FROM (
            SELECT {_hex("survey_id")} || ':' || {_hex("member_id")} AS answer, 1 AS answered,
                0 AS told
            FROM survey_answers WHERE brand_id = :brand
            UNION ALL
            SELECT ref, 0, 1 FROM earning_events
            WHERE brand_id = :brand AND kind = 'SURVEY_ANSWERED'
        ) AS answers
        GROUP BY answer HAVING SUM(answered) <> 1 OR SUM(told) <> 1
        """,
    ),
    Probe(
        8,
        "a referral is settled with the event of its referrer, once in a life",
        "邀请关系一生一次且与邀请人事件一致",
        "referrals",
        f"""
        SELECT CAST(r.id AS text) AS id, 'settled without the event of its referrer' AS problem
        FROM referrals r LEFT JOIN earning_events e ON e.brand_id = :brand
            AND e.kind = 'REFERRAL' AND e.ref = {_hex("r.referred_id")}
            AND e.member_id = r.referrer_id AND e.occurred_at = r.settled_at
        WHERE r.brand_id = :brand AND r.status = 'SETTLED' AND e.id IS NULL
        UNION ALL
        SELECT CAST(e.id AS text), 'the event of no referral that is settled'
        FROM earning_events e LEFT JOIN (
            SELECT referrer_id, {_hex("referred_id")} AS ref FROM referrals
            WHERE brand_id = :brand AND status = 'SETTLED'
        ) AS r ON r.ref = e.ref AND r.referrer_id = e.member_id
        WHERE e.brand_id = :brand AND e.kind = 'REFERRAL' AND r.ref IS NULL
        UNION ALL
        SELECT CAST(r.referred_id AS text), 'brought by ' || COUNT(*) FROM referrals r
        WHERE r.brand_id = :brand AND r.status <> 'REFUSED'
        GROUP BY r.referred_id HAVING COUNT(*) > 1
        UNION ALL
        SELECT CAST(r.id AS text), 'by itself' FROM referrals r
        WHERE r.brand_id = :brand AND r.status <> 'REFUSED' AND r.referrer_id = r.referred_id
        """,
    ),
)
