"""What must hold of agreements between brands: invariant 12, across two of them."""

from loyalty.ledger.audit_probe import Probe


def _differs(*pairs: tuple[str, str]) -> str:
    return " OR ".join(
        f"COALESCE(CAST(a.{one} AS text), '') <> COALESCE(CAST(o.{other} AS text), '')"
        for one, other in pairs
    )


def _same(*names: str) -> tuple[tuple[str, str], ...]:
    return tuple((name, name) for name in names)


_AGREEMENT = _differs(
    *_same("status", "created_at", "ended_at", "pauses"), ("paused_at", "partner_paused_at")
)
_VERSION = _differs(
    *_same("agreement_id", "number", "terms", "digest", "status", "proposed_at"),
    *_same("in_force_from", "in_force_until"),
    ("signed_at", "partner_signed_at"),
)

ALLIANCES = (
    Probe(
        12,
        "both brands have the same agreement, each as its own",
        "双方协议副本一致",
        "agreements",
        f"""
        SELECT CAST(a.id AS text) AS id, CASE WHEN o.id IS NULL THEN 'the partner has no copy'
            ELSE 'the copies differ' END AS problem
        FROM agreements a LEFT JOIN agreements o ON o.brand_id = a.partner_id AND o.id = a.id
            AND o.partner_id = a.brand_id
        WHERE o.id IS NULL OR {_AGREEMENT}
            OR a.status = 'ACTIVE' AND NOT EXISTS (SELECT 1 FROM agreement_versions v
                WHERE v.brand_id = a.brand_id AND v.agreement_id = a.id AND v.status = 'IN_FORCE')
        """,
        per_brand=False,
    ),
    Probe(
        12,
        "both brands have the same terms, and have signed what is in force",
        "双方协议条款一致且均已签署",
        "agreement_versions",
        f"""
        SELECT CAST(a.id AS text) AS id, CASE WHEN o.id IS NULL THEN 'the partner has no copy'
            WHEN a.in_force_from IS NOT NULL
                AND (a.signed_at IS NULL OR a.partner_signed_at IS NULL)
                THEN 'in force, and not signed by both'
            ELSE 'the copies differ' END AS problem
        FROM agreement_versions a
        JOIN agreements g ON g.brand_id = a.brand_id AND g.id = a.agreement_id
        LEFT JOIN agreement_versions o ON o.brand_id = g.partner_id AND o.id = a.id
        WHERE o.id IS NULL OR a.is_ours = o.is_ours OR {_VERSION}
            OR a.in_force_from IS NOT NULL
                AND (a.signed_at IS NULL OR a.partner_signed_at IS NULL)
        """,
        per_brand=False,
    ),
    Probe(
        12,
        "a template is under an agreement that names it",
        "券模板归属的协议包含该券",
        "coupon_templates WHERE agreement_id IS NOT NULL",
        """
        SELECT CAST(t.id AS text) AS id, 'no version that was in force names it' AS problem
        FROM coupon_templates t
        WHERE t.brand_id = :brand AND t.agreement_id IS NOT NULL AND NOT EXISTS (
            SELECT 1 FROM agreement_versions v
            WHERE v.brand_id = t.brand_id AND v.agreement_id = t.agreement_id
                AND v.in_force_from IS NOT NULL
                AND v.terms LIKE '%' || REPLACE(CAST(t.id AS text), '-', '') || '%')
        """,
    ),
)
