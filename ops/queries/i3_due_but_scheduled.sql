-- doctor.i3_due_but_scheduled
-- I3: a job whose time has come is available within seconds, as long as a scheduler runs.
SELECT count(*) AS "broken!" FROM fleet.job WHERE shelf = 1 AND run_at < fleet.clock() - interval '30 seconds'
