-- A fleet that has run for a while: jobs that wait, jobs that will, and jobs that ended, over many tenants.
-- The session says how many: bench.ready, bench.scheduled, bench.history, bench.tenants; and of which kind: bench.kind.

-- Partitions for a week back, as they would be there by now.
SELECT set_config('fleet.now', (now() - interval '6 days')::text, false);
SELECT fleet.make_partitions(6);
SELECT set_config('fleet.now', '', false);

-- Ids as their time would have made them: UUIDv7, with digits of the row's number for what is random in real ones.
CREATE FUNCTION pg_temp.id_at(at timestamptz, n bigint) RETURNS uuid LANGUAGE sql IMMUTABLE AS $$
    SELECT (lpad(to_hex((extract(epoch FROM at) * 1000)::bigint), 12, '0') || '7' || substr(md5(n::text), 1, 3) || '8' || substr(md5(n::text), 4, 15))::uuid
$$;
CREATE FUNCTION pg_temp.tenant(n bigint) RETURNS uuid LANGUAGE sql STABLE AS $$
    SELECT lpad(to_hex(n % current_setting('bench.tenants')::bigint + 1), 32, '0')::uuid
$$;

-- Ready: enqueued over the last hour, oldest first.
INSERT INTO fleet.job (id, tenant_id, kind, queue, state, run_at, created_at, payload)
SELECT pg_temp.id_at(at, n), pg_temp.tenant(n), current_setting('bench.kind'), 'default', 'available', at, at, '{}'
FROM generate_series(1, current_setting('bench.ready')::bigint) n,
    LATERAL (SELECT now() - interval '1 hour' + n * interval '1 hour' / (current_setting('bench.ready')::bigint + 1) AS at) t;

-- Scheduled: due from an hour on, over a day.
INSERT INTO fleet.job (id, tenant_id, kind, queue, state, run_at, created_at, payload)
SELECT pg_temp.id_at(now(), -n), pg_temp.tenant(n), current_setting('bench.kind'), 'default', 'scheduled',
    now() + interval '1 hour' + n * interval '1 day' / current_setting('bench.scheduled')::bigint, now(), '{}'
FROM generate_series(1, current_setting('bench.scheduled')::bigint) n;

-- Ended over six days: one in a hundred was discarded.
INSERT INTO fleet.job_history (id, tenant_id, kind, version, queue, priority, state, run_at, created_at, started_at, finished_at, reason,
    attempt, max_attempts, crashes, snoozes, claim_no, payload)
SELECT pg_temp.id_at(at, n), pg_temp.tenant(n), current_setting('bench.kind'), 1, 'default', 2,
    CASE WHEN n % 100 = 0 THEN 'discarded' ELSE 'completed' END::fleet.job_state, at, at, at, at,
    CASE WHEN n % 100 = 0 THEN 'attempts exhausted' END, 1, 20, 0, 0, 1, '{}'
FROM generate_series(1, current_setting('bench.history')::bigint) n,
    LATERAL (SELECT now() - interval '6 days' + n * interval '6 days' / (current_setting('bench.history')::bigint + 1) AS at) t;

-- What an enqueue would have announced and counted.
INSERT INTO fleet.arrival (queue, lane, priority, tenant_id, kind, version, suspect, run_at)
SELECT queue, lane, min(priority), min(tenant_id::text)::uuid, min(kind), min(version), false, min(run_at)
FROM fleet.job WHERE state = 'available' GROUP BY queue, lane;
INSERT INTO fleet.total (queue, tenant_id, kind, event, n)
SELECT queue, tenant_id, kind, 'enqueued', count(*) FROM fleet.job GROUP BY 1, 2, 3;
