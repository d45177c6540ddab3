-- doctor.i10_cap_exceeded
-- I10: no more run than a cap allows, unless it was set while more ran.
WITH held AS (SELECT b AS bucket_id, count(*) AS n FROM fleet.job j CROSS JOIN unnest(j.held) b WHERE j.state = 'running' GROUP BY b)
SELECT count(*) AS "broken!"
FROM fleet.bucket b JOIN fleet.limit_rule r ON r.id = b.rule_id JOIN held h ON h.bucket_id = b.id
WHERE h.n > r.cap
