-- doctor.i4_attempts_over_bound
-- I4: attempts are bounded, crashes are bounded.
SELECT count(*) AS "broken!" FROM fleet.job WHERE attempt > max_attempts OR crashes > 3
