-- Claim: hands up to n jobs of a queue to one worker. See ARCHITECTURE.md, "How a claim works".
--
--  1. The queue's lock: claims of one queue run one after another (batches make that cheap), so caps can be exact.
--  2. Arrivals are folded into lanes: a lane is a line of alike jobs, claimable or not as a whole.
--  3. Priority level by level, a window of lanes that have something due is taken, tenants in turn from where this worker's
--     last claim stopped (weighted round robin), each lane read from its remembered head, so the cost follows the batch, not the backlog.
--  4. Where limits apply, each bucket's allowance cuts the pick (I10). 5. The pick is marked running, with the claim's token (I1, I2).

-- The buckets these lanes count in: of their rules, of their concurrency keys, and, where workers died with their jobs twice,
-- the worker's own, which lets one such job through at a time.
CREATE FUNCTION fleet.buckets_of(p_lanes fleet.lane[], p_worker uuid)
RETURNS TABLE (lane bigint, bucket_id bigint, key_limit smallint, scope text, rule_id bigint, tenant_id uuid, key text, burst integer)
LANGUAGE sql STABLE AS $$
    SELECT l.id, fleet.bucket_of(w.scope, w.rule_id, w.tenant_id, w.key), l.concurrency_limit, w.*
    FROM unnest(p_lanes) l CROSS JOIN LATERAL (
        SELECT 'rule' AS scope, r.id AS rule_id, CASE WHEN r.per_tenant THEN l.tenant_id END AS tenant_id, NULL AS key, r.burst
        FROM fleet.limit_rule r
        WHERE (r.queue IS NULL OR r.queue = l.queue) AND (r.kind IS NULL OR r.kind = l.kind) AND (r.tenant_id IS NULL OR r.tenant_id = l.tenant_id)
        UNION ALL
        SELECT 'key', NULL, l.tenant_id, l.concurrency_key, NULL WHERE l.concurrency_key IS NOT NULL
        UNION ALL
        SELECT 'suspects', NULL, NULL, p_worker::text, NULL WHERE l.suspect) w
$$;

-- Makes those that are missing, and says which lane counts in which. Under the limits lock.
CREATE FUNCTION fleet.open_buckets(p_lanes fleet.lane[], p_worker uuid, p_now timestamptz) RETURNS TABLE (lane bigint, bucket_id bigint, key_limit smallint)
LANGUAGE plpgsql AS $$
#variable_conflict use_column
BEGIN
    RETURN QUERY
        WITH wanted AS (SELECT * FROM fleet.buckets_of(p_lanes, p_worker)),
        made AS (
            INSERT INTO fleet.bucket (scope, rule_id, tenant_id, key, tokens, refilled_at)
            SELECT DISTINCT scope, rule_id, tenant_id, key, COALESCE(burst, 0), p_now FROM wanted w
            WHERE NOT EXISTS (SELECT FROM fleet.bucket b WHERE b.id = w.bucket_id)
        )
        SELECT lane, bucket_id, key_limit FROM wanted;
END $$;

-- A bucket's tokens at a time, if its rule has a rate.
CREATE FUNCTION fleet.tokens_at(b fleet.bucket, r fleet.limit_rule, p_now timestamptz) RETURNS double precision
LANGUAGE sql STABLE AS $$
    SELECT LEAST(r.burst, b.tokens + r.rate * GREATEST(0, extract(epoch FROM p_now - b.refilled_at)))
$$;

-- Folds what was given back, and refills token buckets up to their burst. Under the limits lock.
CREATE FUNCTION fleet.refresh_buckets(p_buckets bigint[], p_now timestamptz) RETURNS void
LANGUAGE plpgsql AS $$
BEGIN
    WITH back AS (DELETE FROM fleet.bucket_release RETURNING bucket_id, n),
    summed AS (SELECT bucket_id, sum(n) AS n FROM back GROUP BY bucket_id)
    UPDATE fleet.bucket b SET running = b.running - s.n FROM summed s WHERE b.id = s.bucket_id;
    UPDATE fleet.bucket b SET tokens = fleet.tokens_at(b, r, p_now), refilled_at = p_now
    FROM fleet.limit_rule r WHERE r.id = b.rule_id AND r.rate IS NOT NULL AND b.id = ANY (p_buckets);
END $$;

-- How many more jobs a bucket lets through at a time; its rule is null where it is of no rule.
CREATE FUNCTION fleet.allowance(b fleet.bucket, r fleet.limit_rule, p_key_limit smallint, p_now timestamptz) RETURNS integer
LANGUAGE sql STABLE AS $$
    SELECT GREATEST(0, CASE b.scope
        WHEN 'key' THEN p_key_limit - b.running
        WHEN 'suspects' THEN 1 - b.running
        ELSE LEAST(r.cap - b.running, floor(fleet.tokens_at(b, r, p_now))) END)::integer
$$;

CREATE FUNCTION fleet.claim(
    p_worker uuid, p_token bigint, p_queue text, p_limit integer, p_kinds text[], p_versions smallint[],
    p_turn uuid[],      -- by level: the tenant whose turn it was last
    p_left integer[]    -- by level: what is left of that turn
) RETURNS TABLE (
    id uuid, tenant_id uuid, kind text, version smallint, queue text, priority smallint, attempt smallint, max_attempts smallint,
    crashes smallint, claim_no integer, timeout_ms integer, run_at timestamptz, created_at timestamptz, started_at timestamptz,
    expires_at timestamptz, parent_id uuid, step text, traceparent text, tags text[], metadata jsonb, payload jsonb, level smallint, turn_left integer
)
LANGUAGE plpgsql
-- Planned once a session, for the large tables to come and not for the empty ones of a new installation: left to itself the server
-- takes the few lanes of one claim for a better plan each time, and planning costs as much as claiming.
SET plan_cache_mode = force_generic_plan SET enable_seqscan = off SET enable_bitmapscan = off SET enable_hashjoin = off SET enable_mergejoin = off SET jit = off
AS $$
#variable_conflict use_column
DECLARE
    no_tenant   CONSTANT uuid := '00000000-0000-0000-0000-000000000000';
    last_tenant CONSTANT uuid := 'ffffffff-ffff-ffff-ffff-ffffffffffff';
    v_now      timestamptz;
    v_age      interval;
    v_margin   timestamptz;   -- rows younger than this may still be uncommitted: heads never pass it
    v_paused_t text[];
    v_paused_k text[];
    v_gated    boolean;       -- does any limit rule exist at all
    v_locked   boolean := false;
    v_room     integer := p_limit;
    v_turn     uuid;
    v_left     integer;
    v_window   fleet.lane[];
    v_width    integer;
    v_last     uuid;
    v_got      integer;
    v_rows     tid[];
    v_closed   bigint[];      -- lanes of the level that this claim found closed, or without a job it may take
    v_shut     bigint[];
    v_quota    integer;
    -- What the window's lanes count in: lane, bucket, and how many more of it the bucket lets through.
    v_lanes    bigint[];
    v_buckets  bigint[];
    v_limits   smallint[];
    v_rooms    integer[];
    -- By lane all its buckets, as text: arrays of arrays would have to be of one length.
    v_holders  bigint[];
    v_holds    text[];
    v_turns    jsonb := '{}';
BEGIN
    PERFORM pg_advisory_xact_lock(hashtext('fleet.queue'), hashtext(p_queue));
    v_now := fleet.clock();  -- after the lock: what waited for it must not act on an old time
    v_margin := v_now - interval '250 milliseconds';

    -- I2: only a worker with a living lease claims. The row lock makes rescue, which ends the worker first, wait for this claim.
    PERFORM FROM fleet.worker w WHERE w.id = p_worker AND w.ended_at IS NULL AND w.lease_until > v_now FOR SHARE;
    IF NOT FOUND THEN
        RAISE EXCEPTION 'worker % has no living lease', p_worker USING ERRCODE = 'FL010';
    END IF;
    IF EXISTS (SELECT FROM fleet.pause p WHERE p.scope = 'queue' AND p.name = p_queue AND (p.until IS NULL OR p.until > v_now)) THEN
        RETURN;
    END IF;
    SELECT array_agg(p.name) FILTER (WHERE p.scope = 'tenant'), array_agg(p.name) FILTER (WHERE p.scope = 'kind') INTO v_paused_t, v_paused_k
    FROM fleet.pause p WHERE p.until IS NULL OR p.until > v_now;
    SELECT make_interval(secs => q.age_step_s) INTO v_age FROM fleet.queue q WHERE q.name = p_queue;
    v_age := COALESCE(v_age, interval '60 seconds');
    v_gated := EXISTS (SELECT FROM fleet.limit_rule);

    IF EXISTS (SELECT FROM fleet.arrival a WHERE a.queue = p_queue) THEN
        PERFORM fleet.fold_arrivals(p_queue, v_now);
    END IF;

    FOR v_level IN 0..3 LOOP
        CONTINUE WHEN NOT EXISTS (SELECT FROM fleet.lane l WHERE l.queue = p_queue AND l.level = v_level AND l.active);
        v_turn := COALESCE(p_turn[v_level + 1], no_tenant);
        v_left := COALESCE(p_left[v_level + 1], 0);
        v_closed := '{}';
        FOR pass IN 1..16 LOOP
            EXIT WHEN v_room <= 0;
            v_width := LEAST(256, GREATEST(16, v_room / 2) * pass);  -- wider strides past what is closed
            -- The next lanes in turn that have something due: from the tenant after the last one served (or that one itself,
            -- where its turn is not used up), around the circle, oldest lane of a tenant first. OFFSET 0 has the jobs looked up lane by
            -- lane: the join that a nearly empty table makes look cheaper walks the whole index when there is a backlog.
            SELECT array_agg(w.l ORDER BY w.around, (w.l).tenant_id, (w.l).head) INTO v_window FROM (
                SELECT lanes.l, arc.around
                FROM (VALUES (0, v_turn, last_tenant), (1, no_tenant, v_turn)) AS arc (around, low, high)
                CROSS JOIN LATERAL (
                    SELECT l FROM fleet.lane l
                    WHERE l.queue = p_queue AND l.level = v_level AND l.active AND l.tenant_id BETWEEN arc.low AND arc.high
                      AND l.id <> ALL (v_closed)
                      AND (l.tenant_id <> v_turn OR (arc.around = 0) = (v_left > 0))
                      AND l.kind = ANY (p_kinds) AND l.version <= p_versions[array_position(p_kinds, l.kind)]
                      AND (v_paused_t IS NULL OR NOT (l.tenant_id::text = ANY (v_paused_t))) AND (v_paused_k IS NULL OR NOT (l.kind = ANY (v_paused_k)))
                      AND EXISTS (SELECT FROM fleet.job j WHERE j.lane = l.id AND j.shelf = 0 AND j.run_at >= l.head
                           AND j.run_at <= v_now - v_age * (l.priority - l.level) AND j.state = 'available' OFFSET 0)
                    ORDER BY l.queue, l.level, l.tenant_id, l.head LIMIT v_width) lanes
                ORDER BY arc.around LIMIT v_width) w;
            EXIT WHEN v_window IS NULL;

            SELECT NULL, NULL, NULL, NULL INTO v_lanes, v_buckets, v_rooms, v_holds;
            IF v_gated OR EXISTS (SELECT FROM unnest(v_window) l WHERE l.concurrency_key IS NOT NULL OR l.suspect) THEN
                IF NOT v_locked THEN
                    PERFORM pg_advisory_xact_lock(hashtext('fleet.limits'), 0);  -- I10: one claim at a time decides on limits
                    v_locked := true;
                    -- The caller's commit need not be durable: a claim that a crash of the server loses is made again. But a lost one may
                    -- still be worked on, and a limit would then let through one more.
                    PERFORM set_config('synchronous_commit', 'on', true);
                    v_now := GREATEST(v_now, fleet.clock());
                END IF;
                SELECT array_agg(x.lane), array_agg(x.bucket_id), array_agg(x.key_limit) INTO v_lanes, v_buckets, v_limits FROM fleet.open_buckets(v_window, p_worker, v_now) x;
                IF v_buckets IS NOT NULL THEN
                    PERFORM fleet.refresh_buckets(v_buckets, v_now);
                    SELECT array_agg(h.lane), array_agg(h.held) INTO v_holders, v_holds
                    FROM (SELECT g.lane, array_agg(g.bucket_id)::text AS held FROM unnest(v_lanes, v_buckets) AS g (lane, bucket_id) GROUP BY g.lane) h;
                    -- Of these the pick must look only at what can cut it.
                    SELECT array_agg(m.lane), array_agg(m.bucket_id), array_agg(m.allowed) INTO v_lanes, v_buckets, v_rooms
                    FROM (SELECT g.lane, g.bucket_id, fleet.allowance(b, r, g.key_limit, v_now) AS allowed
                        FROM unnest(v_lanes, v_buckets, v_limits) AS g (lane, bucket_id, key_limit) JOIN fleet.bucket b ON b.id = g.bucket_id
                        LEFT JOIN fleet.limit_rule r ON r.id = b.rule_id) m
                    WHERE m.allowed < v_room;
                END IF;
            END IF;

            SELECT GREATEST(1, ceil(v_room::float8 / count(DISTINCT (l).tenant_id)))::integer INTO v_quota FROM unnest(v_window) l;
            WITH rooms AS (
                SELECT * FROM unnest(v_lanes, v_buckets, v_rooms) AS m (lane, bucket_id, allowed)
            ), open AS (
                -- The tightest decides; a lane that nothing cuts is not listed.
                SELECT lane, min(allowed) AS allowed FROM rooms GROUP BY lane
            ), lanes AS (
                SELECT l.id, l.tenant_id, l.head, v_now - v_age * (l.priority - l.level) AS due_by, o.allowed,
                    CASE WHEN l.tenant_id = v_turn AND v_left > 0 THEN v_left ELSE v_quota * COALESCE(tw.weight, 1) END AS quota,
                    min(l.place) OVER (PARTITION BY l.tenant_id) AS turn
                FROM unnest(v_window) WITH ORDINALITY AS l (id, queue, priority, level, tenant_id, kind, version, concurrency_key, concurrency_limit, suspect, head, head_at, active, active_until, place)
                LEFT JOIN fleet.tenant_weight tw ON tw.tenant_id = l.tenant_id
                LEFT JOIN open o ON o.lane = l.id
                WHERE COALESCE(o.allowed, 1) > 0  -- a closed lane must not use up what others share with it
            ), due AS (
                SELECT d.row_id, l.id AS lane, l.tenant_id, l.turn, l.quota,
                    row_number() OVER (PARTITION BY l.turn ORDER BY d.run_at, d.id) AS nth
                FROM lanes l CROSS JOIN LATERAL (
                    SELECT j.ctid AS row_id, j.run_at, j.id FROM fleet.job j
                    WHERE j.lane = l.id AND j.shelf = 0 AND j.run_at >= l.head AND j.run_at <= l.due_by
                      AND j.state = 'available' AND (j.expires_at IS NULL OR j.expires_at > v_now OR j.claim_no > 0)
                    ORDER BY j.run_at, j.id LIMIT LEAST(l.quota, v_room, l.allowed) FOR UPDATE SKIP LOCKED) d
            ), fair AS (
                SELECT * FROM due WHERE nth <= quota ORDER BY turn, nth LIMIT v_room
            ), gates AS (
                SELECT f.row_id, row_number() OVER (PARTITION BY m.bucket_id ORDER BY f.turn, f.nth) <= m.allowed AS open
                FROM fair f JOIN rooms m ON m.lane = f.lane
            )
            SELECT CASE WHEN v_buckets IS NULL THEN ARRAY(SELECT row_id FROM fair) ELSE ARRAY(SELECT row_id FROM fair EXCEPT SELECT row_id FROM gates WHERE NOT open) END,
                last.tenant_id, last.unused,
                (SELECT array_agg(o.lane) FROM open o WHERE o.allowed <= 0)
            INTO v_rows, v_last, v_left, v_shut
            FROM (SELECT) AS one LEFT JOIN (SELECT tenant_id, quota - nth AS unused FROM fair ORDER BY turn DESC, nth DESC LIMIT 1) last ON true;

            RETURN QUERY
                WITH claimed AS (
                    UPDATE fleet.job j
                    SET state = 'running', worker_id = p_worker, token = p_token, claim_no = j.claim_no + 1, attempt = j.attempt + 1, started_at = v_now,
                        held = CASE WHEN v_holds IS NOT NULL THEN v_holds[array_position(v_holders, j.lane)]::bigint[] END,
                        unique_key = CASE WHEN j.unique_until_started THEN NULL ELSE j.unique_key END
                    WHERE j.ctid = ANY (v_rows) AND j.state = 'available'
                    RETURNING j.id, j.tenant_id, j.kind, j.version, j.queue, j.priority, j.attempt, j.max_attempts, j.crashes, j.claim_no, j.timeout_ms, j.run_at,
                        j.created_at, j.started_at, j.expires_at, j.parent_id, j.step, j.traceparent, j.tags, j.metadata, j.payload, j.lane, j.held
                ), heads AS (
                    -- Seldom, because every version of a lane's row stays while some old snapshot lives: when it moved far, or once a second.
                    UPDATE fleet.lane l SET head = LEAST(GREATEST(l.head, c.newest), v_margin), head_at = v_now, active_until = v_now + interval '30 seconds'
                    FROM (SELECT lane, max(run_at) AS newest, count(*) AS n FROM claimed GROUP BY lane) c
                    WHERE l.id = c.lane AND (c.n >= 100 OR l.head_at < v_now - interval '1 second')
                ), used AS (
                    UPDATE fleet.bucket b SET running = b.running + h.n, tokens = b.tokens - h.n
                    FROM (SELECT unnest(held) AS id, count(*) AS n FROM claimed WHERE held IS NOT NULL GROUP BY 1) h WHERE b.id = h.id
                ), counted AS (
                    INSERT INTO fleet.flow (at, queue, tenant_id, kind, event, n, wait_ms)
                    SELECT v_now, p_queue, tenant_id, kind, 'started', count(*), fleet.ms(sum(GREATEST(v_now - run_at, interval '0')))
                    FROM claimed GROUP BY tenant_id, kind
                )
                SELECT id, tenant_id, kind::text, version::smallint, queue::text, priority::smallint, attempt, max_attempts::smallint, crashes, claim_no,
                    timeout_ms::integer, run_at, created_at, started_at, expires_at, parent_id, step::text, traceparent::text, tags::text[], metadata::jsonb, payload,
                    NULL::smallint, NULL::integer
                FROM claimed;
            GET DIAGNOSTICS v_got = ROW_COUNT;

            v_room := v_room - v_got;
            v_left := CASE WHEN v_room <= 0 THEN GREATEST(0, v_left) ELSE 0 END;
            -- What is closed stays closed while this claim lasts: the next window is filled with others, and hides no open lane behind it.
            v_closed := v_closed || v_shut;
            IF v_got = 0 THEN
                EXIT WHEN cardinality(v_window) < v_width;  -- there are no others
                v_closed := v_closed || ARRAY(SELECT l.id FROM unnest(v_window) l);
            END IF;
            -- Where nothing was taken, on behind whoever stood in the way: thousands of closed lanes of one tenant are walked last.
            v_turn := COALESCE(v_last, CASE WHEN v_got = 0 THEN v_window[cardinality(v_window)].tenant_id END, v_turn);
            v_turns := v_turns || jsonb_build_object(v_level::text, jsonb_build_array(v_turn, v_left));
        END LOOP;
        EXIT WHEN v_room <= 0;
        -- Aged lanes that have nothing old enough any more stand at their own priority again, and are met there below.
        UPDATE fleet.lane l SET level = l.priority WHERE l.queue = p_queue AND l.level = v_level AND l.level < l.priority AND l.active
            AND NOT EXISTS (SELECT FROM fleet.job j WHERE j.lane = l.id AND j.shelf = 0 AND j.run_at >= l.head
                AND j.run_at <= v_now - v_age * (l.priority - l.level) AND j.state = 'available' OFFSET 0);
    END LOOP;

    -- Where the walk stopped, for this worker's next claim: rows without a job, one a level.
    RETURN QUERY
        SELECT NULL::uuid, (t.value->>0)::uuid, NULL::text, NULL::smallint, NULL::text, NULL::smallint, NULL::smallint, NULL::smallint, NULL::smallint, NULL::integer, NULL::integer,
            NULL::timestamptz, NULL::timestamptz, NULL::timestamptz, NULL::timestamptz, NULL::uuid, NULL::text, NULL::text, NULL::text[], NULL::jsonb, NULL::jsonb,
            t.key::smallint, (t.value->>1)::integer
        FROM jsonb_each(v_turns) t;
END $$;

-- Makes or wakes the lanes that announced themselves. Under the queue's lock.
CREATE FUNCTION fleet.fold_arrivals(p_queue text, p_now timestamptz) RETURNS void
LANGUAGE plpgsql AS $$
BEGIN
    WITH gone AS (DELETE FROM fleet.arrival WHERE queue = p_queue RETURNING *)
    INSERT INTO fleet.lane AS l (id, queue, priority, level, tenant_id, kind, version, concurrency_key, concurrency_limit, suspect, head, head_at, active_until)
    SELECT lane, min(queue), min(priority), min(priority), min(tenant_id::text)::uuid, min(kind), min(version), min(concurrency_key), min(concurrency_limit), bool_or(suspect), min(run_at), p_now, p_now + interval '30 seconds'
    FROM gone GROUP BY lane ORDER BY lane
    ON CONFLICT (id) DO UPDATE SET active = true, active_until = excluded.active_until, head = LEAST(l.head, excluded.head),
        concurrency_limit = excluded.concurrency_limit,
        level = CASE WHEN l.active THEN l.level ELSE l.priority END;
END $$;
