-- doctor.i3_available_but_unseen
-- I3: every lane with a job that may run is walked by the claim from that job on, or announced to it.
WITH waiting AS (
    SELECT lane, min(run_at) AS oldest, min(queue) AS queue FROM fleet.job
    WHERE shelf = 0 AND state = 'available' AND run_at < fleet.clock() - interval '10 minutes'
    GROUP BY lane
)
SELECT count(*) AS "broken!"
FROM waiting w LEFT JOIN fleet.lane l ON l.id = w.lane
WHERE (l.id IS NULL OR NOT l.active OR l.head > w.oldest)
  AND NOT EXISTS (SELECT FROM fleet.arrival a WHERE a.queue = w.queue AND a.lane = w.lane)
