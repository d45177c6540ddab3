-- triage.change
WITH was AS (
    SELECT n.*, n.revision IS NOT NULL AS is_sorted, n.category IS NOT NULL AS is_applied,
           n.category IS NULL OR 'category' = ANY (t.human_set) AS keeps_category, n.category IS NULL OR 'priority' = ANY (t.human_set) AS keeps_priority,
           n.category IS NULL OR 'route' = ANY (t.human_set) OR t.status = 'escalated' OR t.closed_at IS NOT NULL AS stays
    FROM unnest($1::jsonb[]) AS j
    CROSS JOIN LATERAL jsonb_to_record(j) AS n (
        tenant_id uuid, ticket_id uuid,
        revision integer, language text, sentiment float8, simhash bigint, suggestions jsonb, draft text, review boolean,
        model text, settings_version integer, threshold float8, decision jsonb,
        category text, priority text, level smallint, partner_id uuid, watched boolean, wants_partner boolean, told jsonb, by text)
    CROSS JOIN LATERAL (
        -- Each by its key, whatever the table looks like when this is planned.
        SELECT x.human_set, x.status, x.closed_at FROM fleet.tickets AS x
        WHERE x.tenant_id = n.tenant_id AND x.ticket_id = n.ticket_id OFFSET 0) AS t
), changed AS (
    UPDATE fleet.tickets AS t
    SET language = CASE WHEN w.is_sorted THEN w.language ELSE t.language END,
        sentiment = CASE WHEN w.is_sorted THEN w.sentiment ELSE t.sentiment END,
        simhash = CASE WHEN w.is_sorted THEN w.simhash ELSE t.simhash END,
        suggestions = CASE WHEN w.is_sorted THEN w.suggestions ELSE t.suggestions END,
        reply_draft = CASE WHEN w.is_sorted THEN w.draft ELSE t.reply_draft END,
        triaged_revision = COALESCE(w.revision, t.triaged_revision),
        needs_review = CASE WHEN w.is_sorted THEN w.review ELSE t.needs_review END,
        review_since = CASE WHEN NOT w.is_sorted THEN t.review_since WHEN w.review THEN COALESCE(t.review_since, fleet.clock()) END,
        category = CASE WHEN w.keeps_category THEN t.category ELSE w.category END,
        priority = CASE WHEN w.keeps_priority THEN t.priority ELSE w.priority END,
        escalation_level = CASE WHEN w.stays THEN t.escalation_level ELSE w.level END,
        partner_id = CASE WHEN w.stays THEN t.partner_id ELSE w.partner_id END,
        watched = CASE WHEN w.stays THEN t.watched ELSE w.watched END,
        wants_partner = CASE WHEN w.stays THEN t.wants_partner ELSE w.wants_partner END,
        version = t.version + 1
    FROM was AS w
    WHERE t.tenant_id = w.tenant_id AND t.ticket_id = w.ticket_id
    RETURNING w.*
), decided AS (
    INSERT INTO fleet.triage_decisions
        (tenant_id, ticket_id, revision, model_version, settings_version, category, priority, route, confidence, threshold, outcome, explanation)
    SELECT c.tenant_id, c.ticket_id, c.revision, c.model, c.settings_version, d.category, d.priority, d.route, d.confidence, c.threshold,
           CASE WHEN c.review THEN 'review' ELSE 'applied' END, d.explanation
    FROM changed AS c
    CROSS JOIN LATERAL jsonb_to_record(c.decision) AS d (category text, priority text, route text, confidence float8, explanation jsonb)
    WHERE c.is_sorted
    ON CONFLICT (tenant_id, ticket_id, revision, model_version) DO NOTHING
), told AS (
    INSERT INTO fleet.event (tenant_id, kind, subject, payload)
    SELECT c.tenant_id, e.kind, c.ticket_id::text, c.told
    FROM changed AS c
    CROSS JOIN LATERAL (VALUES ('ticket.triaged', true), ('ticket.assigned', NOT c.stays)) AS e (kind, happened)
    WHERE e.happened AND c.is_applied
)
INSERT INTO fleet.audit (key_id, key_name, tenant_id, action, subject, detail, request_ids)
SELECT '00000000-0000-0000-0000-000000000000', left(c.by, 200), c.tenant_id, 'tickets.triage', c.ticket_id::text, c.told, ARRAY['job']
FROM changed AS c
WHERE c.is_applied
