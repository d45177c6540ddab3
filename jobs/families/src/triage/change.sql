-- triage.change
WITH was AS (
    SELECT tenant_id, ticket_id, $10::text IS NULL OR 'category' = ANY (human_set) AS keeps_category,
           $10 IS NULL OR 'priority' = ANY (human_set) AS keeps_priority,
           $10 IS NULL OR 'route' = ANY (human_set) OR status = 'escalated' OR closed_at IS NOT NULL AS stays
    FROM fleet.tickets WHERE tenant_id = $1 AND ticket_id = $2
), changed AS (
    UPDATE fleet.tickets AS t
    SET language = CASE WHEN $3::integer IS NULL THEN t.language ELSE $4 END,
        sentiment = CASE WHEN $3 IS NULL THEN t.sentiment ELSE $5 END,
        simhash = CASE WHEN $3 IS NULL THEN t.simhash ELSE $6 END,
        suggestions = CASE WHEN $3 IS NULL THEN t.suggestions ELSE $7 END,
        reply_draft = CASE WHEN $3 IS NULL THEN t.reply_draft ELSE $8 END,
        triaged_revision = COALESCE($3, t.triaged_revision),
        needs_review = CASE WHEN $3 IS NULL THEN t.needs_review ELSE $9 END,
        review_since = CASE WHEN $3 IS NULL THEN t.review_since WHEN $9 THEN COALESCE(t.review_since, fleet.clock()) END,
        category = CASE WHEN w.keeps_category THEN t.category ELSE $10 END,
        priority = CASE WHEN w.keeps_priority THEN t.priority ELSE $11 END,
        escalation_level = CASE WHEN w.stays THEN t.escalation_level ELSE $12 END,
        partner_id = CASE WHEN w.stays THEN t.partner_id ELSE $13 END,
        watched = CASE WHEN w.stays THEN t.watched ELSE $14 END,
        wants_partner = CASE WHEN w.stays THEN t.wants_partner ELSE $15 END,
        version = t.version + 1
    FROM was AS w
    WHERE t.tenant_id = w.tenant_id AND t.ticket_id = w.ticket_id
    RETURNING w.stays
), decided AS (
    INSERT INTO fleet.triage_decisions
        (tenant_id, ticket_id, revision, model_version, settings_version, category, priority, route, confidence, threshold, outcome, explanation)
    SELECT $1, $2, $3, $18, $19, $21, $22, $23, $24, $20, CASE WHEN $9 THEN 'review' ELSE 'applied' END, $25
    FROM changed
    WHERE $3 IS NOT NULL
    ON CONFLICT (tenant_id, ticket_id, revision, model_version) DO NOTHING
), told AS (
    INSERT INTO fleet.event (tenant_id, kind, subject, payload)
    SELECT $1, e.kind, $2::uuid::text, $16
    FROM changed AS c
    CROSS JOIN LATERAL (VALUES ('ticket.triaged', true), ('ticket.assigned', NOT c.stays)) AS e (kind, happened)
    WHERE e.happened AND $10 IS NOT NULL
)
INSERT INTO fleet.audit (key_id, key_name, tenant_id, action, subject, detail, request_ids)
SELECT '00000000-0000-0000-0000-000000000000', left($17, 200), $1, 'tickets.triage', $2::uuid::text, $16, ARRAY['job']
FROM changed
WHERE $10 IS NOT NULL
