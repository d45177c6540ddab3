-- doctor.i3_blocked_without_dependency
-- I3: what is blocked waits for something that will free it.
SELECT count(*) AS "broken!"
FROM fleet.job j
WHERE j.state = 'blocked' AND j.blockers <> (SELECT count(*) FROM fleet.job_dependency d WHERE d.job_id = j.id)
