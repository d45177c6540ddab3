-- assignment.candidates
WITH rivals AS (
    SELECT r.partner_id FROM fleet.rivals_of($1, $2) AS r
), away AS (
    SELECT l.partner_id FROM fleet.partner_leaves AS l
    JOIN fleet.partners AS p ON p.partner_id = l.partner_id
    WHERE l.ends_at > fleet.clock() AND l.starts_at <= fleet.clock()
      AND (p.tenant_id = '00000000-0000-0000-0000-000000000000' OR l.tenant_id = p.tenant_id)
), recent AS (
    SELECT a.partner_id, count(*) AS n FROM fleet.client_assignments AS a
    WHERE a.started_at > fleet.clock() - interval '24 hours'
    GROUP BY a.partner_id
), needs AS MATERIALIZED (
    SELECT fleet.bits_of('industry', ARRAY[$3]) AS industry, fleet.bits_of('channel', $4) AS channels, fleet.bits_of('language', $5) AS languages,
           fleet.bits_of('region', ARRAY[$6]) AS region
), lacking AS (
    -- Nobody, but where a need is a name that shares its bit with others: then every name is compared as such.
    SELECT c.partner_id, CASE WHEN $3::text <> ALL (c.industries) THEN 6
                              WHEN NOT c.channels @> $4 THEN 7
                              WHEN NOT c.languages @> $5 THEN 8
                              WHEN cardinality(c.regions) > 0 AND $6::text <> ALL (c.regions) THEN 9 END AS filter
    FROM fleet.partner_capacity AS c
    WHERE (SELECT 1 IN (n.industry >> 62, n.channels >> 62, n.languages >> 62, n.region >> 62) FROM needs AS n)
-- Once over all partners: what is read of each has a fixed length, and what is kept is narrow.
), judged AS MATERIALIZED (
    SELECT c.partner_id, c.tier = 'senior' AS senior, c.percentile > 1 - $13::float8 AS top,
           CASE WHEN c.tenant_id <> '00000000-0000-0000-0000-000000000000' AND c.tenant_id <> $1 OR $1 <> ALL (c.serves) THEN 1
                WHEN c.status IS DISTINCT FROM 'active' THEN 2
                WHEN c.partner_id = ANY ($8::uuid[]) THEN 3
                WHEN c.partner_id IN (SELECT w.partner_id FROM away AS w) THEN 4
                WHEN c.room < $7::float8 - 0.001 THEN 5
                WHEN c.partner_id IN (SELECT l.partner_id FROM lacking AS l WHERE l.filter > 0) THEN
                     CASE WHEN c.partner_id IN (SELECT l.partner_id FROM lacking AS l WHERE l.filter = 6) THEN 6
                          WHEN c.partner_id IN (SELECT l.partner_id FROM lacking AS l WHERE l.filter = 7) THEN 7
                          WHEN c.partner_id IN (SELECT l.partner_id FROM lacking AS l WHERE l.filter = 8) THEN 8
                          ELSE 9 END
                WHEN $3 IS NOT NULL AND c.industry_bits & (SELECT n.industry FROM needs AS n) = 0 THEN 6
                WHEN ~c.channel_bits & (SELECT n.channels FROM needs AS n) <> 0 THEN 7
                WHEN ~c.language_bits & (SELECT n.languages FROM needs AS n) <> 0 THEN 8
                WHEN $6 IS NOT NULL AND c.region_bits <> 0 AND c.region_bits & (SELECT n.region FROM needs AS n) = 0 THEN 9
                WHEN c.partner_id IN (SELECT r.partner_id FROM rivals AS r) THEN 10
                ELSE 0 END AS filter,
           -- Weights are looked up once, not for each partner.
           (SELECT ($11::float8[])[1]) * c.points / 100 + (SELECT ($11::float8[])[2]) * COALESCE(c.percentile, $10)
           + (SELECT ($11::float8[])[3]) * CASE WHEN c.skills = 0 THEN 1 ELSE $14::float8 / c.skills END
           + (SELECT ($11::float8[])[4]) * c.week_share * (
                 GREATEST(0, LEAST(480, o.next + c.open_for) - o.next) + GREATEST(0, LEAST(480, o.next + c.open_for - 1440))) / 480 AS part
    FROM fleet.partner_capacity AS c
    -- Minutes from the client's opening to the partner's next; three days more keep it positive.
    CROSS JOIN LATERAL (SELECT (c.opens_utc - $15::int + 4320) % 1440 AS next) AS o
), tiers AS (
    SELECT COALESCE(bool_or(senior), false) AS any_senior FROM judged WHERE $9 AND filter = 0
-- Twice, rather than once and kept: what is computed is less work than what would be stored.
), ordered AS NOT MATERIALIZED (
    SELECT j.partner_id, j.filter, j.part,
           CASE WHEN j.filter > 0 OR NOT $9 THEN j.filter
                WHEN t.any_senior AND NOT j.senior THEN 11
                WHEN NOT t.any_senior AND j.top IS NOT TRUE THEN 12
                ELSE 0 END AS verdict
    FROM judged AS j CROSS JOIN tiers AS t
), counted AS (
    SELECT array_agg(v.verdict ORDER BY v.verdict) AS filters, array_agg(v.n ORDER BY v.verdict) AS removed
    FROM (SELECT verdict, count(*) AS n FROM ordered WHERE verdict > 0 GROUP BY verdict) AS v
), best AS (
    SELECT o.partner_id, COALESCE(n.n, 0) AS recent, o.part - (SELECT ($11::float8[])[5]) * LEAST(1, COALESCE(n.n, 0) / $12::float8) AS total
    FROM ordered AS o
    LEFT JOIN recent AS n ON n.partner_id = o.partner_id
    WHERE o.verdict = 0
    ORDER BY total DESC, o.partner_id
    LIMIT $16
)
SELECT b.partner_id AS "partner_id?", c.tenant_id AS "tenant_id?", c.tier, c.status, c.serves, c.industries, c.channels, c.languages,
       c.regions, c.week_share, c.opens_utc, c.open_for, c.load::float8 AS load, c.cap::float8 AS cap, c.score::float8 AS score,
       c.computed_at AS "computed_at?", c.percentile, b.recent AS "recent?",
       COALESCE(k.filters, '{}') AS "filters!", COALESCE(k.removed, '{}') AS "removed!", (SELECT count(*) FROM judged) AS "looked_at!"
FROM counted AS k
LEFT JOIN best AS b ON true
LEFT JOIN fleet.partner_capacity AS c ON c.partner_id = b.partner_id
ORDER BY b.total DESC, b.partner_id
