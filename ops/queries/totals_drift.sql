-- doctor.totals_drift
-- The totals, from which depths are told, count what is there.
WITH told AS (
    SELECT queue, sum(CASE event WHEN 'enqueued' THEN n WHEN 'completed' THEN -n WHEN 'cancelled' THEN -n WHEN 'discarded' THEN -n ELSE 0 END) AS n
    FROM (SELECT queue, event, n::bigint FROM fleet.flow UNION ALL SELECT queue, event, n FROM fleet.total) f GROUP BY queue
), there AS (SELECT queue, count(*) AS n FROM fleet.job GROUP BY queue)
SELECT count(*) AS "broken!" FROM told FULL JOIN there USING (queue) WHERE COALESCE(told.n, 0) <> COALESCE(there.n, 0)
