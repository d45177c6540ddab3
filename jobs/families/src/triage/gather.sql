-- triage.gather
SELECT k.ord - 1 AS "ord!", t.opened_at AS "opened!", t.subject AS "subject!: String", m.body AS "body!", p.partner_id,
       c.plan AS "plan?", c.monthly_budget_micros AS "budget?", r.recent AS "recent!",
       e.tickets AS "earlier!", e.hashes AS "hashes!", ARRAY(
           SELECT x.ticket_id
           FROM fleet.ticket_messages AS m
           JOIN fleet.ticket_messages AS o ON o.tenant_id = m.tenant_id AND o.external_id = m.external_id AND o.ticket_id < m.ticket_id
           JOIN fleet.tickets AS x ON x.tenant_id = o.tenant_id AND x.ticket_id = o.ticket_id AND x.client_id = t.client_id
           WHERE m.tenant_id = t.tenant_id AND m.ticket_id = t.ticket_id AND m.external_id IS NOT NULL
             AND o.sent_at > m.sent_at - make_interval(hours => k.same_hours)) AS "same_message!"
FROM unnest($1::uuid[], $2::uuid[], $3::integer[], $4::integer[], $8::integer[]) WITH ORDINALITY
     AS k (tenant_id, ticket_id, repeated_days, same_hours, repeated, ord)
CROSS JOIN LATERAL (
    -- Each by its key: kept as it stands, whatever tables look like when it is planned.
    SELECT x.* FROM fleet.tickets AS x WHERE x.tenant_id = k.tenant_id AND x.ticket_id = k.ticket_id OFFSET 0) AS t
LEFT JOIN fleet.clients AS c ON c.tenant_id = t.tenant_id AND c.client_id = t.client_id
CROSS JOIN LATERAL (
    -- Whose it is already, it stays: it takes no more room there than it has.
    SELECT CASE WHEN t.escalation_level = 1 AND EXISTS (
        SELECT FROM fleet.client_assignments AS a
        JOIN fleet.partners AS p ON p.partner_id = a.partner_id AND p.status = 'active'
        WHERE a.tenant_id = t.tenant_id AND a.client_id = t.client_id AND a.partner_id = t.partner_id AND a.ended_at IS NULL)
    THEN t.partner_id ELSE fleet.ticket_partner(t.tenant_id, t.client_id) END AS partner_id) AS p
CROSS JOIN LATERAL (
    SELECT COALESCE(string_agg(left(x.body, $5), E'\n' ORDER BY x.sent_at, x.message_id), '') AS body FROM (
        SELECT m.body, m.sent_at, m.message_id FROM fleet.ticket_messages AS m
        WHERE m.tenant_id = t.tenant_id AND m.ticket_id = t.ticket_id AND m.author = 'customer'
        ORDER BY m.sent_at, m.message_id LIMIT $6) AS x) AS m
CROSS JOIN LATERAL (
    SELECT count(*) AS recent FROM (
        SELECT FROM fleet.tickets AS o
        WHERE o.tenant_id = t.tenant_id AND o.client_id = t.client_id
          AND o.opened_at > t.opened_at - make_interval(days => k.repeated_days) AND o.opened_at <= t.opened_at
        LIMIT k.repeated) AS o) AS r -- more make no difference
CROSS JOIN LATERAL (
    SELECT COALESCE(array_agg(o.ticket_id), '{}') AS tickets, COALESCE(array_agg(o.simhash), '{}') AS hashes FROM (
        SELECT o.ticket_id, o.simhash FROM fleet.tickets AS o
        WHERE o.tenant_id = t.tenant_id AND o.client_id = t.client_id AND o.ticket_id < t.ticket_id
          AND o.opened_at > t.opened_at - make_interval(hours => k.same_hours) AND o.opened_at <= t.opened_at AND o.simhash IS NOT NULL
        ORDER BY o.opened_at DESC
        LIMIT $7) AS o) AS e
