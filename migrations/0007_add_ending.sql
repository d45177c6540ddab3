-- Ending a job: the one way out, for settle, cancel, rescue and expiry.

-- Moves jobs to the history, each guarded by its claim (I1) or, without one, by not running; says which were moved.
-- In the same statement's transaction: their output, what they held of limits, the counting, and the jobs that waited for them.
-- p_workers and p_tokens null: only jobs that nobody runs are ended. Without p_release the caller sees to those that waited.
CREATE FUNCTION fleet.end_jobs(
    p_ids uuid[], p_workers uuid[], p_tokens bigint[], p_states fleet.job_state[], p_reasons text[], p_outputs jsonb[], p_release boolean DEFAULT true
) RETURNS uuid[]
LANGUAGE plpgsql
SET plan_cache_mode = force_generic_plan SET enable_seqscan = off
AS $$
DECLARE
    v_now        timestamptz := fleet.clock();
    v_ended      uuid[];
    v_dependents boolean;
    v_blocked    boolean;
BEGIN
    WITH input AS (
        SELECT * FROM unnest(p_ids, p_workers, p_tokens, p_states, p_reasons, p_outputs) AS r (id, worker_id, token, state, reason, output)
    ), ended AS (
        DELETE FROM fleet.job j USING input i
        WHERE j.id = i.id
          AND CASE WHEN i.worker_id IS NULL THEN j.state <> 'running'
              ELSE j.state = 'running' AND j.worker_id = i.worker_id AND j.token = i.token END  -- I1
        RETURNING j.id, j.tenant_id, j.kind, j.version, j.queue, j.priority, i.state AS end_state, j.run_at, j.expires_at, j.created_at, j.started_at,
            COALESCE(i.reason, CASE i.state WHEN 'cancelled' THEN j.cancel_reason END) AS reason, j.attempt, j.max_attempts, j.crashes, j.snoozes, j.claim_no,
            j.timeout_ms, j.unique_key, j.unique_until_started, j.concurrency_key, j.concurrency_limit, j.worker_id, j.parent_id, j.step, j.traceparent, j.tags,
            j.metadata, j.payload, i.output, j.held, j.has_dependents, j.blockers
    ), kept AS (
        INSERT INTO fleet.job_history (id, tenant_id, kind, version, queue, priority, state, run_at, expires_at, created_at, started_at, finished_at, reason,
            attempt, max_attempts, crashes, snoozes, claim_no, timeout_ms, unique_key, unique_until_started, concurrency_key, concurrency_limit, worker_id, parent_id, step,
            traceparent, tags, metadata, payload)
        SELECT id, tenant_id, kind, version, queue, priority, end_state, run_at, expires_at, created_at, started_at, v_now, reason,
            attempt, max_attempts, crashes, snoozes, claim_no, timeout_ms, unique_key, unique_until_started, concurrency_key, concurrency_limit, worker_id, parent_id, step,
            traceparent, tags, metadata, payload
        FROM ended
    ), outputs AS (
        INSERT INTO fleet.job_output (job_id, tenant_id, at, output) SELECT id, tenant_id, v_now, output FROM ended WHERE output IS NOT NULL
    ), released AS (
        INSERT INTO fleet.bucket_release (bucket_id, n) SELECT unnest(held) AS b, count(*) FROM ended WHERE held IS NOT NULL GROUP BY b
    ), counted AS (
        INSERT INTO fleet.flow (at, queue, tenant_id, kind, event, n, run_ms)
        SELECT v_now, queue, tenant_id, kind, end_state::text, count(*),
            COALESCE(fleet.ms(sum(v_now - started_at) FILTER (WHERE worker_id IS NOT NULL)), 0)
        FROM ended GROUP BY queue, tenant_id, kind, end_state
        UNION ALL  -- these did not leave running: with them the number that runs follows from the totals
        SELECT v_now, queue, tenant_id, kind, 'ended_waiting', count(*), 0 FROM ended WHERE worker_id IS NULL GROUP BY queue, tenant_id, kind
    )
    SELECT array_agg(id), bool_or(has_dependents), bool_or(blockers > 0) INTO v_ended, v_dependents, v_blocked FROM ended;

    IF v_blocked THEN
        -- It waits for nobody any more: what it waited for must not touch it again, should it be revived.
        DELETE FROM fleet.job_dependency WHERE job_id = ANY (v_ended);
    END IF;
    IF v_dependents AND p_release THEN
        PERFORM fleet.release_dependents(v_ended);
    END IF;
    RETURN COALESCE(v_ended, '{}');
END $$;

-- Jobs that waited for these: one blocker fewer where it completed; cancelled, and theirs in turn, where it did not.
-- Nothing calls itself here: a chain may be longer than the server's stack allows calls within calls.
CREATE FUNCTION fleet.release_dependents(p_ended uuid[]) RETURNS void
LANGUAGE plpgsql AS $$
DECLARE
    v_freed uuid[];
    v_ended uuid[] := p_ended;
    v_lost  uuid[];
    v_why   text[];
BEGIN
    WITH tie AS (
        DELETE FROM fleet.job_dependency d USING fleet.job_history h
        WHERE d.depends_on = ANY (p_ended) AND h.id = d.depends_on AND h.state = 'completed'
        RETURNING d.job_id
    ), fewer AS (SELECT job_id, count(*) AS n FROM tie GROUP BY job_id),
    freed AS (
        UPDATE fleet.job j SET blockers = j.blockers - f.n,
            state = CASE WHEN j.blockers > f.n THEN 'blocked' WHEN j.run_at > fleet.clock() THEN 'scheduled' ELSE 'available' END::fleet.job_state
        FROM fewer f WHERE j.id = f.job_id AND j.state = 'blocked'
        RETURNING j.id, j.state
    )
    SELECT array_agg(id) FILTER (WHERE state = 'available') INTO v_freed FROM freed;
    IF v_freed IS NOT NULL THEN
        PERFORM fleet.announce(v_freed);
    END IF;

    LOOP
        -- Whoever waits for these, for those, and so on, in the order in which rows are locked everywhere.
        WITH RECURSIVE tie AS (
            DELETE FROM fleet.job_dependency d USING fleet.job_history h
            WHERE d.depends_on = ANY (v_ended) AND h.id = d.depends_on AND h.state <> 'completed'
            RETURNING d.job_id, d.depends_on, h.state
        ), lost AS (
            SELECT job_id, depends_on, state FROM tie
            UNION
            SELECT d.job_id, d.depends_on, 'cancelled' FROM lost l
            JOIN fleet.job j ON j.id = l.job_id AND j.state <> 'running'
            JOIN fleet.job_dependency d ON d.depends_on = l.job_id
        )
        SELECT array_agg(job_id ORDER BY job_id), array_agg(why ORDER BY job_id) INTO v_lost, v_why
        FROM (SELECT DISTINCT ON (job_id) job_id, format('depends on %s, which was %s', depends_on, state) AS why FROM lost ORDER BY job_id, depends_on) t;
        EXIT WHEN v_lost IS NULL;
        -- Once more for what was tied to one of them before its row was locked.
        v_ended := fleet.end_jobs(v_lost, NULL, NULL, array_fill('cancelled'::fleet.job_state, ARRAY[cardinality(v_lost)]), v_why, NULL, false);
    END LOOP;
END $$;

-- Gives running jobs back, each guarded by its claim (I1): after an error, a snooze, an interruption or a crash.
-- A crash, a snooze or an interruption gives its attempt back; what is due at once is available, the rest scheduled.
-- A job whose cancellation was asked for is not given back but ended as cancelled.
CREATE FUNCTION fleet.return_jobs(
    p_ids uuid[], p_workers uuid[], p_tokens bigint[], p_run_ats timestamptz[], p_events text[]
) RETURNS uuid[]
LANGUAGE plpgsql
SET plan_cache_mode = force_generic_plan SET enable_seqscan = off
AS $$
DECLARE
    v_now       timestamptz := fleet.clock();
    v_back      uuid[];
    v_cancelled uuid[];
BEGIN
    -- Before the look at cancellations: one that is about to commit is waited for, and then seen.
    PERFORM FROM fleet.job j JOIN unnest(p_ids, p_workers, p_tokens) AS i (id, worker_id, token) ON i.id = j.id AND i.worker_id = j.worker_id AND i.token = j.token
    WHERE j.state = 'running' ORDER BY j.id FOR UPDATE OF j;
    SELECT fleet.end_jobs(array_agg(j.id), array_agg(j.worker_id), array_agg(j.token), array_agg('cancelled'::fleet.job_state), array_agg(j.cancel_reason), NULL)
    INTO v_cancelled
    FROM fleet.job j JOIN unnest(p_ids, p_workers, p_tokens) AS i (id, worker_id, token) ON i.id = j.id AND i.worker_id = j.worker_id AND i.token = j.token
    WHERE j.state = 'running' AND j.cancel_requested_at IS NOT NULL
    HAVING count(*) > 0;

    WITH input AS (
        SELECT * FROM unnest(p_ids, p_workers, p_tokens, p_run_ats, p_events) AS r (id, worker_id, token, run_at, event)
    ), was AS (
        SELECT j.id, j.held, j.started_at, i.event FROM fleet.job j JOIN input i ON i.id = j.id
        WHERE j.state = 'running' AND j.worker_id = i.worker_id AND j.token = i.token  -- I1
        FOR UPDATE OF j
    ), back AS (
        UPDATE fleet.job j
        SET state = CASE WHEN i.run_at > v_now THEN 'scheduled' ELSE 'available' END::fleet.job_state,
            run_at = COALESCE(i.run_at, j.run_at), worker_id = NULL, token = NULL, held = NULL,
            attempt = j.attempt - CASE WHEN i.event = 'retried' THEN 0 ELSE 1 END,
            crashes = j.crashes + CASE WHEN i.event = 'crashed' THEN 1 ELSE 0 END,
            snoozes = j.snoozes + CASE WHEN i.event = 'snoozed' THEN 1 ELSE 0 END
        FROM input i JOIN was w ON w.id = i.id
        WHERE j.id = i.id AND j.state = 'running' AND j.worker_id = i.worker_id AND j.token = i.token
        RETURNING j.id, j.state, j.queue, j.tenant_id, j.kind, i.event, w.held AS gave_back, w.started_at AS began
    ), released AS (
        INSERT INTO fleet.bucket_release (bucket_id, n) SELECT unnest(gave_back) AS b, count(*) FROM back WHERE gave_back IS NOT NULL GROUP BY b
    ), counted AS (
        INSERT INTO fleet.flow (at, queue, tenant_id, kind, event, n, run_ms)
        SELECT v_now, queue, tenant_id, kind, event, count(*), COALESCE(fleet.ms(sum(v_now - began)), 0)
        FROM back GROUP BY queue, tenant_id, kind, event
    )
    SELECT array_agg(id) INTO v_back FROM back;
    PERFORM fleet.announce(v_back);
    RETURN COALESCE(v_back, '{}') || COALESCE(v_cancelled, '{}');
END $$;
