-- doctor.i2_running_without_worker
-- I2: running if and only if leased. Rescue takes the jobs of a worker whose lease ran out within seconds.
SELECT count(*) AS "broken!"
FROM fleet.job j
LEFT JOIN fleet.worker w ON w.id = j.worker_id AND w.ended_at IS NULL AND w.lease_until > fleet.clock() - interval '15 seconds'
WHERE j.state = 'running' AND w.id IS NULL
