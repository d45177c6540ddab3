-- doctor.i10_bucket_miscounts
-- I10: a bucket counts exactly what runs under it.
WITH held AS (
    SELECT b AS bucket_id, count(*) AS n FROM fleet.job j CROSS JOIN unnest(j.held) b WHERE j.state = 'running' GROUP BY b
), released AS (SELECT bucket_id, sum(n) AS n FROM fleet.bucket_release GROUP BY bucket_id)
SELECT count(*) AS "broken!"
FROM fleet.bucket b LEFT JOIN held h ON h.bucket_id = b.id LEFT JOIN released r ON r.bucket_id = b.id
WHERE b.running - COALESCE(r.n, 0) <> COALESCE(h.n, 0)
