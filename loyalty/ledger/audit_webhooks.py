"""What must hold of webhooks: invariant 10, up to those who are told outside."""

from loyalty.ledger.audit_probe import Probe

_HEAD = """
    d.status = 'PENDING' AND NOT EXISTS (SELECT 1 FROM webhook_deliveries b
        WHERE b.brand_id = d.brand_id AND b.endpoint_id = d.endpoint_id
            AND b.subject_id = d.subject_id AND b.event_id < d.event_id AND b.status = 'PENDING')
"""
_IS_TOLD = """
    (s.event_type = e.topic OR e.topic = 'scan.recorded' AND s.event_type = CASE
        WHEN CAST(e.payload ->> 'paid' AS text) IN ('1', 'true') THEN 'scan.paid'
        ELSE 'scan.unpaid' END)
"""

WEBHOOKS = (
    Probe(
        10,
        "a webhook is delivered, waits for its next attempt, or is dead",
        "Webhook 投递状态明确",
        "webhook_deliveries",
        """
        SELECT CAST(id AS text) AS id, CASE
            WHEN status NOT IN ('PENDING', 'DELIVERED', 'DEAD') THEN 'is ' || status
            WHEN attempts < 0 THEN attempts || ' attempts'
            WHEN dead_at IS NOT NULL AND last_error IS NULL THEN 'dead of no error'
            ELSE status || ', and its times say otherwise' END AS problem
        FROM webhook_deliveries WHERE brand_id = :brand AND (
            status NOT IN ('PENDING', 'DELIVERED', 'DEAD') OR attempts < 0
            OR (status = 'DELIVERED') <> (delivered_at IS NOT NULL)
            OR (status = 'DEAD') <> (dead_at IS NOT NULL)
            OR dead_at IS NOT NULL AND last_error IS NULL OR next_at IS NULL)
        """,
    ),
    Probe(
        10,
        "a webhook was delivered by a request that was taken",
        "已送达的 Webhook 有成功请求",
        "webhook_deliveries WHERE status = 'DELIVERED'",
        """
        SELECT CAST(d.id AS text) AS id, 'delivered, and no request of it was taken' AS problem
        FROM webhook_deliveries d
        WHERE d.brand_id = :brand AND d.status = 'DELIVERED' AND NOT EXISTS (
            SELECT 1 FROM webhook_attempts a
            WHERE a.brand_id = d.brand_id AND a.delivery_id = d.id AND a.error IS NULL
                AND a.status_code BETWEEN 200 AND 299)
        """,
    ),
    Probe(
        10,
        "an endpoint is looked at when a webhook of its is due",
        "待发送的 Webhook 会被按时处理",
        "webhook_endpoints",
        f"""
        SELECT CAST(e.id AS text) AS id, CASE
            WHEN e.status = 'DISABLED' THEN 'is disabled, and something waits'
            WHEN (e.lease_token IS NULL) <> (e.leased_until IS NULL) THEN 'half a lease'
            ELSE 'something is due before it is looked at' END AS problem
        FROM webhook_endpoints e LEFT JOIN (
            SELECT d.endpoint_id, MIN(d.next_at) AS next_at FROM webhook_deliveries d
            WHERE d.brand_id = :brand AND {_HEAD} GROUP BY d.endpoint_id
        ) AS head ON head.endpoint_id = e.id
        WHERE e.brand_id = :brand AND (
            (e.lease_token IS NULL) <> (e.leased_until IS NULL)
            OR head.next_at IS NOT NULL AND (e.status = 'DISABLED' OR e.due_at IS NULL
                OR e.due_at > head.next_at AND e.due_at > :soon))
        """,
    ),
    Probe(
        10,
        "a fact is told to every endpoint that wants it",
        "订阅的事件均已生成投递",
        "webhook_subscriptions",
        f"""
        SELECT CAST(e.id AS text) AS id, e.topic || ' was not queued for an endpoint' AS problem
        FROM webhook_subscriptions s
        JOIN webhook_endpoints p ON p.brand_id = s.brand_id AND p.id = s.endpoint_id
            AND p.status = 'ACTIVE'
        JOIN outbox_events e ON e.brand_id = s.brand_id AND e.delivered_at IS NOT NULL
            AND {_IS_TOLD}
        LEFT JOIN webhook_deliveries d ON d.brand_id = s.brand_id
            AND d.endpoint_id = s.endpoint_id AND d.event_id = e.id
        WHERE s.brand_id = :brand AND d.id IS NULL AND e.created_at > s.certain_at
        """,
    ),
)
