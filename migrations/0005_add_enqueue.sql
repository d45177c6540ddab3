-- Enqueue: the one way in, for the API, for handlers and for portals in SQL.

-- Live jobs of a queue, from the totals and what is not folded into them yet.
CREATE FUNCTION fleet.queue_depth(q text) RETURNS bigint
LANGUAGE plpgsql STABLE AS $$
BEGIN
    RETURN (SELECT COALESCE(sum(CASE event WHEN 'enqueued' THEN n WHEN 'completed' THEN -n WHEN 'cancelled' THEN -n WHEN 'discarded' THEN -n ELSE 0 END), 0)::bigint
        FROM (SELECT event, n::bigint FROM fleet.flow WHERE queue = q UNION ALL SELECT event, n FROM fleet.total WHERE queue = q) AS counted);
END $$;

-- Tells schedulers of a time that may come before they look again. In an idle fleet only: while lanes are walked they look often by themselves,
-- and NOTIFY would serialize the commits of the busy.
CREATE FUNCTION fleet.foretell(p_at timestamptz) RETURNS void
LANGUAGE plpgsql AS $$
BEGIN
    IF p_at < fleet.clock() + interval '10 seconds' AND NOT EXISTS (SELECT FROM fleet.lane WHERE active) THEN
        PERFORM pg_notify('fleet_scheduler', '');
    END IF;
END $$;

-- Enqueues many in one statement and answers for each, in order: inserted | duplicate | replaced | pushed | queue full,
-- and the id of the job that now stands for it. A duplicate never fails the batch (I5 is the unique index).
-- options holds what few jobs have: expires_at, unique {key, scope: live|started|window, window_s, on_duplicate: return|replace|push},
-- concurrency {key, limit}, tags, metadata, traceparent, parent_id, step, depends_on [ids].
CREATE FUNCTION fleet.enqueue_many(
    p_ids uuid[], p_tenants uuid[], p_kinds text[], p_versions smallint[], p_queues text[], p_priorities smallint[],
    p_max_attempts smallint[], p_timeouts integer[], p_run_ats timestamptz[], p_payloads jsonb[], p_options jsonb[]
) RETURNS TABLE (ord bigint, id uuid, outcome text, state fleet.job_state)
LANGUAGE plpgsql
SET plan_cache_mode = force_generic_plan  -- planning for the very jobs of each call costs more than inserting a few
SET enable_seqscan = off  -- small tables must not teach the cached plan to scan what will be large
AS $$
#variable_conflict use_column
DECLARE
    v_now      timestamptz := fleet.clock();
    v_rare     boolean := cardinality(array_remove(p_options, NULL)) > 0;  -- has any job what few have
    v_full     text[];
    v_taken    bigint[] := '{}';      -- ordinals that may not be inserted: window still held, or queue full
    v_inserted uuid[];
    v_windows  boolean := false;      -- has any a unique key for a window
    v_ties     boolean := false;      -- does any wait for others
BEGIN
    SELECT array_agg(name) INTO v_full FROM fleet.queue
    WHERE name = ANY (p_queues) AND max_depth IS NOT NULL
      AND fleet.queue_depth(name) + (SELECT count(*) FROM unnest(p_queues) q WHERE q = name) > max_depth;

    IF v_rare THEN
        SELECT bool_or(o->'unique'->>'scope' = 'window'), bool_or(o ? 'depends_on') INTO v_windows, v_ties FROM unnest(p_options) o;
    END IF;
    IF v_windows THEN
        v_taken := fleet.hold_windows(p_ids, p_tenants, p_queues, p_options, v_full, v_now);
    END IF;

    WITH input AS (
        SELECT * FROM unnest(p_ids, p_tenants, p_kinds, p_versions, p_queues, p_priorities, p_max_attempts, p_timeouts, p_run_ats, p_payloads, p_options)
            WITH ORDINALITY AS r (id, tenant_id, kind, version, queue, priority, max_attempts, timeout_ms, run_at, payload, o, ord)
        WHERE NOT (ord = ANY (v_taken)) AND (v_full IS NULL OR NOT (queue = ANY (v_full)))
    ), inserted AS (
        INSERT INTO fleet.job (id, tenant_id, kind, version, queue, priority, max_attempts, timeout_ms, payload, created_at, run_at, state, blockers,
            expires_at, unique_key, unique_until_started, concurrency_key, concurrency_limit, tags, metadata, traceparent, parent_id, step)
        SELECT i.id, i.tenant_id, i.kind, i.version, i.queue, i.priority, i.max_attempts, i.timeout_ms, i.payload, v_now, COALESCE(i.run_at, v_now),
            CASE WHEN o->'depends_on' IS NOT NULL AND jsonb_array_length(o->'depends_on') > 0 THEN 'blocked'
                 WHEN i.run_at > v_now THEN 'scheduled' ELSE 'available' END::fleet.job_state,
            COALESCE(jsonb_array_length(o->'depends_on'), 0),
            (o->>'expires_at')::timestamptz,
            CASE WHEN o->'unique'->>'scope' IN ('live', 'started') THEN o->'unique'->>'key' END,
            COALESCE(o->'unique'->>'scope' = 'started', false),
            o->'concurrency'->>'key', (o->'concurrency'->>'limit')::smallint,
            CASE WHEN o->'tags' IS NOT NULL THEN ARRAY(SELECT jsonb_array_elements_text(o->'tags')) END,
            o->'metadata', o->>'traceparent', (o->>'parent_id')::uuid, o->>'step'
        FROM input i
        ON CONFLICT (tenant_id, unique_key) WHERE unique_key IS NOT NULL DO NOTHING  -- I5
        RETURNING id, tenant_id, kind, version, queue, priority, state, lane, run_at, concurrency_key, concurrency_limit
    ), announced AS (
        INSERT INTO fleet.arrival (queue, lane, priority, tenant_id, kind, version, concurrency_key, concurrency_limit, suspect, run_at)
        SELECT queue, lane, min(priority), min(tenant_id::text)::uuid, min(kind), min(version), min(concurrency_key), min(concurrency_limit), false, min(run_at)
        FROM inserted WHERE state = 'available'
        GROUP BY queue, lane
        -- A lane that is surely walked for the next seconds, from before this job, needs no announcement.
        HAVING NOT EXISTS (
            SELECT FROM fleet.lane l WHERE l.id = inserted.lane AND l.active
              AND l.active_until > v_now + interval '5 seconds' AND l.head <= min(inserted.run_at))
    ), counted AS (
        INSERT INTO fleet.flow (at, queue, tenant_id, kind, event, n)
        SELECT v_now, queue, tenant_id, kind, 'enqueued', count(*) FROM inserted GROUP BY queue, tenant_id, kind
    )
    SELECT COALESCE(array_agg(id), '{}') INTO v_inserted FROM inserted;

    IF cardinality(array_remove(p_run_ats, NULL)) > 0 THEN
        PERFORM fleet.foretell(min(at)) FROM unnest(p_run_ats) AS r (at) WHERE at > v_now HAVING count(*) > 0;
    END IF;
    IF v_ties THEN
        PERFORM fleet.tie_dependencies(p_ids, p_tenants, p_options, v_inserted);
    END IF;

    IF cardinality(v_inserted) = cardinality(p_ids) AND NOT v_ties THEN
        -- Without a look at the table: what was just inserted is as it was meant to be.
        RETURN QUERY
            SELECT i.ord, i.id, 'inserted'::text, CASE WHEN i.run_at > v_now THEN 'scheduled' ELSE 'available' END::fleet.job_state
            FROM unnest(p_ids, p_run_ats) WITH ORDINALITY AS i (id, run_at, ord);
        RETURN;
    END IF;
    RETURN QUERY SELECT * FROM fleet.answer_duplicates(p_ids, p_tenants, p_queues, p_run_ats, p_payloads, p_options, v_inserted, v_full);
END $$;

-- Takes the unique keys whose scope is a time window; returns the ordinals whose window is still held by an earlier job.
-- What a full queue refuses takes none: the caller is to come back, and must not be told then that a job stands for it.
CREATE FUNCTION fleet.hold_windows(p_ids uuid[], p_tenants uuid[], p_queues text[], p_options jsonb[], p_full text[], p_now timestamptz) RETURNS bigint[]
LANGUAGE plpgsql AS $$
DECLARE
    r     record;
    taken bigint[] := '{}';
BEGIN
    -- One by one and in key order, so that two batches never wait for each other in a circle.
    FOR r IN
        SELECT i.id, i.tenant_id, i.ord, i.o->'unique'->>'key' AS key, make_interval(secs => (i.o->'unique'->>'window_s')::float8) AS width
        FROM unnest(p_ids, p_tenants, p_queues, p_options) WITH ORDINALITY AS i (id, tenant_id, queue, o, ord)
        WHERE i.o->'unique'->>'scope' = 'window' AND (p_full IS NULL OR NOT (i.queue = ANY (p_full))) ORDER BY 2, 4, 3
    LOOP
        INSERT INTO fleet.unique_window AS w (tenant_id, unique_key, job_id, until) VALUES (r.tenant_id, r.key, r.id, p_now + r.width)
        ON CONFLICT (tenant_id, unique_key) DO UPDATE SET job_id = excluded.job_id, until = excluded.until WHERE w.until <= p_now;
        IF NOT FOUND THEN taken := taken || r.ord; END IF;
    END LOOP;
    RETURN taken;
END $$;

-- Ties blocked jobs to what they wait for. A dependency that has completed already does not block; one that ended otherwise,
-- or that nobody knows, is an error naming it.
CREATE FUNCTION fleet.tie_dependencies(p_ids uuid[], p_tenants uuid[], p_options jsonb[], p_inserted uuid[]) RETURNS void
LANGUAGE plpgsql AS $$
DECLARE
    r      record;
    ended  fleet.job_state;
BEGIN
    FOR r IN
        SELECT DISTINCT i.id, i.tenant_id, d::uuid AS depends_on
        FROM unnest(p_ids, p_tenants, p_options) AS i (id, tenant_id, o), jsonb_array_elements_text(i.o->'depends_on') d
        WHERE i.id = ANY (p_inserted) ORDER BY 3, 1  -- rows are locked in one order everywhere
    LOOP
        -- The row lock holds off a settle of the dependency until this transaction ends; then it sees the tie.
        UPDATE fleet.job SET has_dependents = true WHERE id = r.depends_on AND tenant_id = r.tenant_id;
        IF FOUND THEN
            INSERT INTO fleet.job_dependency (job_id, tenant_id, depends_on) VALUES (r.id, r.tenant_id, r.depends_on);
            CONTINUE;
        END IF;
        SELECT h.state INTO ended FROM fleet.job_history h WHERE h.id = r.depends_on AND h.tenant_id = r.tenant_id LIMIT 1;
        IF ended IS DISTINCT FROM 'completed' THEN
            RAISE EXCEPTION 'job % depends on %, which %', r.id, r.depends_on, COALESCE('ended as ' || ended, 'does not exist')
                USING ERRCODE = 'FL003', HINT = 'Depend on jobs of the same tenant that are live or have completed.';
        END IF;
    END LOOP;
    -- blockers counted every id named; what does not block (completed, or named twice) is taken off here.
    UPDATE fleet.job j SET blockers = t.left, state = CASE WHEN t.left > 0 THEN 'blocked' WHEN j.run_at > fleet.clock() THEN 'scheduled' ELSE 'available' END::fleet.job_state
    FROM (SELECT b.id, (SELECT count(*) FROM fleet.job_dependency d WHERE d.job_id = b.id)::integer AS left FROM unnest(p_inserted) AS b (id)) t
    WHERE j.id = t.id AND j.state = 'blocked' AND j.blockers <> t.left;
    PERFORM fleet.announce(p_inserted);
END $$;

-- Tells the claim about jobs that became available outside an enqueue's insert.
CREATE FUNCTION fleet.announce(p_ids uuid[]) RETURNS void
LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO fleet.arrival (queue, lane, priority, tenant_id, kind, version, concurrency_key, concurrency_limit, suspect, run_at)
    SELECT queue, lane, min(priority), min(tenant_id::text)::uuid, min(kind), min(version), min(concurrency_key), min(concurrency_limit), bool_or(crashes > 1), min(run_at)
    FROM fleet.job WHERE id = ANY (p_ids) AND state = 'available'
    GROUP BY queue, lane;
END $$;

-- Answers for a batch in which not every job was inserted, or some wait for others. A separate statement of the function, so that under READ COMMITTED
-- it sees the rows that the insert ran into.
CREATE FUNCTION fleet.answer_duplicates(
    p_ids uuid[], p_tenants uuid[], p_queues text[], p_run_ats timestamptz[], p_payloads jsonb[], p_options jsonb[], p_inserted uuid[], p_full text[]
) RETURNS TABLE (ord bigint, id uuid, outcome text, state fleet.job_state)
LANGUAGE plpgsql AS $$
#variable_conflict use_column
DECLARE
    r       record;
    v_now   timestamptz := fleet.clock();
BEGIN
    FOR r IN
        SELECT i.*, i.o->'unique' AS u FROM unnest(p_ids, p_tenants, p_queues, p_run_ats, p_payloads, p_options)
            WITH ORDINALITY AS i (id, tenant_id, queue, run_at, payload, o, ord)
    LOOP
        ord := r.ord; id := r.id; state := NULL;
        IF r.id = ANY (p_inserted) THEN
            outcome := 'inserted';
            SELECT j.state INTO state FROM fleet.job j WHERE j.id = r.id AND j.tenant_id = r.tenant_id;
        ELSIF r.queue = ANY (p_full) THEN
            outcome := 'queue full';
        ELSIF r.u->>'scope' = 'window' THEN
            outcome := 'duplicate';
            SELECT w.job_id INTO id FROM fleet.unique_window w WHERE w.tenant_id = r.tenant_id AND w.unique_key = r.u->>'key';
            SELECT s.state INTO state FROM (SELECT j.state FROM fleet.job j WHERE j.id = answer_duplicates.id
                UNION ALL SELECT h.state FROM fleet.job_history h WHERE h.id = answer_duplicates.id) s LIMIT 1;
        ELSE
            SELECT d.id, d.outcome, d.state INTO id, outcome, state FROM fleet.meet_duplicate(r.tenant_id, r.u, r.payload, r.run_at) d;
        END IF;
        RETURN NEXT;
    END LOOP;
END $$;

-- What a duplicate does to the live job that holds its key: nothing, replace its payload, or push its run_at.
CREATE FUNCTION fleet.meet_duplicate(p_tenant uuid, p_unique jsonb, p_payload jsonb, p_run_at timestamptz)
RETURNS TABLE (id uuid, outcome text, state fleet.job_state)
LANGUAGE plpgsql AS $$
#variable_conflict use_column
DECLARE
    v_do  text := COALESCE(p_unique->>'on_duplicate', 'return');
    v_now timestamptz := fleet.clock();
BEGIN
    IF v_do = 'replace' THEN
        UPDATE fleet.job j SET payload = p_payload
        WHERE j.tenant_id = p_tenant AND j.unique_key = p_unique->>'key' AND j.state <> 'running'
        RETURNING j.id, j.state INTO id, state;
        IF FOUND THEN outcome := 'replaced'; RETURN NEXT; RETURN; END IF;
    ELSIF v_do = 'push' THEN
        UPDATE fleet.job j SET run_at = COALESCE(p_run_at, v_now), state = CASE WHEN j.state = 'blocked' THEN 'blocked' WHEN p_run_at > v_now THEN 'scheduled' ELSE 'available' END::fleet.job_state
        WHERE j.tenant_id = p_tenant AND j.unique_key = p_unique->>'key' AND j.state <> 'running'
        RETURNING j.id, j.state INTO id, state;
        IF FOUND THEN
            PERFORM fleet.announce(ARRAY[id]);
            outcome := 'pushed'; RETURN NEXT; RETURN;
        END IF;
    END IF;
    SELECT j.id, j.state INTO id, state FROM fleet.job j WHERE j.tenant_id = p_tenant AND j.unique_key = p_unique->>'key';
    -- The holder ended between our insert and here, or is not visible to this transaction's snapshot: the caller tries once more.
    outcome := CASE WHEN FOUND THEN 'duplicate' ELSE 'again' END;
    RETURN NEXT;
END $$;

-- The second front door: one job, from inside a caller's own transaction, in any language (I6).
CREATE FUNCTION fleet.enqueue(kind text, payload jsonb, options jsonb DEFAULT '{}'::jsonb) RETURNS uuid
LANGUAGE plpgsql AS $$
DECLARE
    k       fleet.kind;
    v       record;
    unknown text;
    v_queue text;
BEGIN
    SELECT * INTO k FROM fleet.kind WHERE fleet.kind.kind = enqueue.kind;
    IF NOT FOUND THEN
        RAISE EXCEPTION 'no kind "%" is registered', kind USING ERRCODE = 'FL001', HINT = 'SELECT kind FROM fleet.kind lists them.';
    END IF;
    SELECT o INTO unknown FROM jsonb_object_keys(options) o WHERE o <> ALL (ARRAY['tenant_id', 'queue', 'priority', 'run_at', 'max_attempts', 'timeout_ms', 'version',
        'expires_at', 'unique', 'concurrency', 'tags', 'metadata', 'traceparent', 'parent_id', 'step', 'depends_on']) LIMIT 1;
    IF FOUND THEN
        RAISE EXCEPTION 'option "%" is not known', unknown USING ERRCODE = 'FL002';
    END IF;
    IF octet_length(payload::text) > 1048576 THEN
        RAISE EXCEPTION 'payload of % bytes is over the limit of 1 MiB', octet_length(payload::text) USING ERRCODE = 'FL002', HINT = 'Store it elsewhere and enqueue its name.';
    END IF;
    v_queue := COALESCE(options->>'queue', k.queue);
    FOR attempt IN 1..5 LOOP
        SELECT * INTO v FROM fleet.enqueue_many(
            ARRAY[fleet.new_id()], ARRAY[COALESCE((options->>'tenant_id')::uuid, NULLIF(NULLIF(current_setting('fleet.tenant', true), '*'), '')::uuid, '00000000-0000-0000-0000-000000000000')],
            ARRAY[kind], ARRAY[COALESCE((options->>'version')::smallint, k.version)], ARRAY[v_queue],
            ARRAY[COALESCE((options->>'priority')::smallint, k.priority)], ARRAY[COALESCE((options->>'max_attempts')::smallint, k.max_attempts)],
            ARRAY[COALESCE((options->>'timeout_ms')::integer, k.timeout_ms)], ARRAY[(options->>'run_at')::timestamptz], ARRAY[payload], ARRAY[options]);
        EXIT WHEN v.outcome <> 'again';
    END LOOP;
    IF v.outcome = 'queue full' THEN
        RAISE EXCEPTION 'queue "%" is full', v_queue USING ERRCODE = 'FL004', HINT = 'Come back in 5 seconds.';
    ELSIF v.outcome = 'again' THEN
        RAISE EXCEPTION 'the job that holds this unique key is not visible to this transaction' USING ERRCODE = '40001';
    END IF;
    -- Only where somebody sleeps, so that a busy fleet's commits are never serialized by NOTIFY.
    PERFORM pg_notify('fleet_worker_' || replace(s.worker_id::text, '-', ''), v_queue)
    FROM (SELECT worker_id FROM fleet.sleeper WHERE queue = v_queue LIMIT 1) s WHERE v.state = 'available';
    RETURN v.id;
END $$;
COMMENT ON FUNCTION fleet.enqueue(text, jsonb, jsonb) IS 'Enqueues one job in the caller''s transaction and returns its id, or that of the job that holds its unique key.';
