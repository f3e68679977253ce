"""What must hold of what the law asks for: ages that were stated, tax withheld."""

from loyalty.ledger.audit_probe import Probe

LAWFUL = (
    Probe(
        6,
        "what is known of a person's age is what it stated",
        "年龄以本人确认为准",
        "age_statements",
        """
        SELECT CAST(i.id AS text) AS id, CASE
            WHEN i.born_by IS NULL THEN 'has stated an age, and none is known'
            ELSE 'is known to be born by ' || CAST(i.born_by AS text)
                || ', and stated nothing that says so' END AS problem
        FROM identities i
        WHERE i.brand_id = :brand AND (
            i.born_by IS NULL AND EXISTS (SELECT 1 FROM age_statements s
                WHERE s.brand_id = i.brand_id AND s.identity_id = i.id)
            OR i.born_by IS NOT NULL AND NOT EXISTS (
                SELECT 1 FROM age_statements s
                WHERE s.brand_id = i.brand_id AND s.born_by = i.born_by
                    AND (s.identity_id = i.id OR s.identity_id IN (SELECT j.id FROM identities j
                        WHERE j.brand_id = i.brand_id AND j.person_id = i.person_id))))
        """,
    ),
)
