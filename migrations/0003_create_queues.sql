-- What steers the claim: queues, kinds, pauses, lanes, limits; and the workers that claim.

CREATE TABLE fleet.queue (
    name        text PRIMARY KEY CHECK (length(name) BETWEEN 1 AND 100),
    max_depth   integer CHECK (max_depth > 0),
    age_step_s  integer NOT NULL DEFAULT 60 CHECK (age_step_s > 0),
    created_at  timestamptz NOT NULL DEFAULT now()
);
COMMENT ON COLUMN fleet.queue.max_depth IS 'Live jobs past which enqueue answers "queue full"; none: unbounded.';
COMMENT ON COLUMN fleet.queue.age_step_s IS 'A job that waited this long counts as one priority more urgent.';

CREATE TABLE fleet.kind (
    kind         text PRIMARY KEY,
    version      smallint NOT NULL,
    queue        text NOT NULL,
    priority     smallint NOT NULL,
    max_attempts smallint NOT NULL,
    timeout_ms   integer NOT NULL,
    schema       jsonb NOT NULL,
    example      jsonb NOT NULL,
    description  text NOT NULL DEFAULT '',
    updated_at   timestamptz NOT NULL DEFAULT now()
);
COMMENT ON TABLE fleet.kind IS 'Every kind a binary of this installation registered, with its defaults; so that SQL callers get the same ones.';

CREATE TABLE fleet.tenant_weight (
    tenant_id uuid PRIMARY KEY,
    weight    smallint NOT NULL CHECK (weight BETWEEN 1 AND 100)
);
COMMENT ON TABLE fleet.tenant_weight IS 'Share of a tenant in the fair walk; 1 where there is no row.';

CREATE TABLE fleet.pause (
    scope     text NOT NULL CHECK (scope IN ('queue', 'tenant', 'kind')),
    name      text NOT NULL,
    reason    text NOT NULL CHECK (length(reason) BETWEEN 1 AND 1000),
    paused_by text NOT NULL,
    since     timestamptz NOT NULL,
    until     timestamptz,
    PRIMARY KEY (scope, name)
);
COMMENT ON COLUMN fleet.pause.until IS 'Lifted by itself then; none: until resumed.';

CREATE TABLE fleet.lane (
    id                bigint PRIMARY KEY,
    queue             text NOT NULL,
    priority          smallint NOT NULL,
    level             smallint NOT NULL,
    tenant_id         uuid NOT NULL,
    kind              text NOT NULL,
    version           smallint NOT NULL,
    concurrency_key   text,
    concurrency_limit smallint,
    suspect           boolean NOT NULL,
    head              timestamptz NOT NULL,
    head_at           timestamptz NOT NULL,
    active            boolean NOT NULL DEFAULT true,
    active_until      timestamptz NOT NULL
) WITH (fillfactor = 50, autovacuum_vacuum_scale_factor = 0.02, autovacuum_vacuum_threshold = 500);
COMMENT ON TABLE fleet.lane IS 'Lines of alike jobs (see fleet.job.lane). Only claimers of the lane''s queue, under its lock, and the upkeep duties write here.';
COMMENT ON COLUMN fleet.lane.level IS 'Priority after ageing: the promote duty lowers it while the lane''s oldest job waits.';
COMMENT ON COLUMN fleet.lane.suspect IS 'Workers died with its jobs twice: each worker takes one of these at a time, so that the third death meets the one to blame and not its neighbours.';
COMMENT ON COLUMN fleet.lane.head IS 'No claimable job of the lane is older: a claim starts there and never walks the dead entries before it.';
COMMENT ON COLUMN fleet.lane.active_until IS 'It stays in the walk at least until then, so an enqueue that ends well before need not announce itself.';
CREATE INDEX lane_walk ON fleet.lane (queue, level, tenant_id, head) WHERE active;
CREATE INDEX lane_aged ON fleet.lane (queue, level) WHERE level < priority;

CREATE TABLE fleet.arrival (
    queue text NOT NULL, lane bigint NOT NULL, priority smallint NOT NULL, tenant_id uuid NOT NULL, kind text NOT NULL,
    version smallint NOT NULL, concurrency_key text, concurrency_limit smallint, suspect boolean NOT NULL, run_at timestamptz NOT NULL
) WITH (autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 500);
COMMENT ON TABLE fleet.arrival IS 'Lanes that gained a job while not surely being walked. An insert here never waits for anybody; the next claim folds it into fleet.lane.';
CREATE INDEX arrival_queue ON fleet.arrival (queue);

CREATE TABLE fleet.limit_rule (
    id         bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    name       text NOT NULL UNIQUE CHECK (length(name) BETWEEN 1 AND 100),
    queue      text,
    kind       text,
    tenant_id  uuid,
    per_tenant boolean NOT NULL DEFAULT false,
    cap        integer CHECK (cap >= 0),
    rate       double precision CHECK (rate > 0),
    burst      integer CHECK (burst >= 1),
    CONSTRAINT limit_rule_limits_something CHECK (cap IS NOT NULL OR rate IS NOT NULL),
    CONSTRAINT limit_rule_rate_has_burst CHECK ((rate IS NULL) = (burst IS NULL)),
    CONSTRAINT limit_rule_one_tenant CHECK (NOT (per_tenant AND tenant_id IS NOT NULL))
);
COMMENT ON TABLE fleet.limit_rule IS 'Caps (at most so many running) and rates (at most so many starts a second) over the jobs a rule selects; a null selector is any.';
COMMENT ON COLUMN fleet.limit_rule.per_tenant IS 'Each tenant has a bucket of its own, instead of all sharing one.';
COMMENT ON COLUMN fleet.limit_rule.rate IS 'Starts a second; with burst a token bucket.';

CREATE TABLE fleet.bucket (
    id          bigint PRIMARY KEY GENERATED ALWAYS AS (fleet.bucket_of(scope, rule_id, tenant_id, key)) STORED,
    scope       text NOT NULL,
    rule_id     bigint REFERENCES fleet.limit_rule ON DELETE CASCADE,
    tenant_id   uuid,
    key         text,
    running     integer NOT NULL DEFAULT 0,
    tokens      double precision NOT NULL DEFAULT 0,
    refilled_at timestamptz NOT NULL,
    CONSTRAINT bucket_says_whose CHECK (CASE scope
        WHEN 'rule' THEN rule_id IS NOT NULL AND key IS NULL
        WHEN 'key' THEN rule_id IS NULL AND tenant_id IS NOT NULL AND key IS NOT NULL
        WHEN 'suspects' THEN rule_id IS NULL AND tenant_id IS NULL AND key IS NOT NULL
        ELSE false END),
    CONSTRAINT bucket_running_not_negative CHECK (running >= 0)
) WITH (fillfactor = 50);
COMMENT ON TABLE fleet.bucket IS 'What is in use of a limit. Written only under the limits lock, by claims.';
COMMENT ON COLUMN fleet.bucket.scope IS 'rule: of a limit rule, and of one tenant where it is per tenant; key: of a tenant''s concurrency key; suspects: of a worker, for jobs that workers died with twice.';
COMMENT ON COLUMN fleet.bucket.key IS 'The concurrency key; of suspects the worker''s id.';

CREATE TABLE fleet.bucket_release (bucket_id bigint NOT NULL, n integer NOT NULL)
    WITH (autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 500);
COMMENT ON TABLE fleet.bucket_release IS 'What jobs that left running gave back. Insert-only, so that a settle never waits for a claim; the next claim folds it into fleet.bucket.';

CREATE TABLE fleet.worker (
    id           uuid PRIMARY KEY,
    host         text NOT NULL,
    pid          integer NOT NULL,
    version      text NOT NULL,
    queues       jsonb NOT NULL,
    kinds        text[] NOT NULL,
    capacity     integer NOT NULL,
    running      integer NOT NULL DEFAULT 0,
    started_at   timestamptz NOT NULL,
    renewed_at   timestamptz NOT NULL,
    lease_until  timestamptz NOT NULL,
    cpu          real,
    memory_bytes bigint,
    draining     boolean NOT NULL DEFAULT false,
    ended_at     timestamptz,
    end_reason   text CHECK (end_reason IN ('stopped', 'lease expired'))
) WITH (fillfactor = 50, autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 200);
COMMENT ON TABLE fleet.worker IS 'One row a worker process; a restarted process is a new worker. Ended ones stay a day for people to see.';
COMMENT ON COLUMN fleet.worker.lease_until IS 'Renewed by the worker; past it, by the database''s clock, its jobs are rescued.';
COMMENT ON COLUMN fleet.worker.queues IS 'Queue name to the number of handlers it runs at most for it.';
COMMENT ON COLUMN fleet.worker.cpu IS 'Share of one core, averaged over the sampling interval.';
CREATE INDEX worker_living ON fleet.worker (lease_until) WHERE ended_at IS NULL;

-- Hints only, so they need not survive a crash of the server: polling is the truth.
CREATE UNLOGGED TABLE fleet.sleeper (queue text NOT NULL, worker_id uuid NOT NULL, PRIMARY KEY (queue, worker_id));
COMMENT ON TABLE fleet.sleeper IS 'Workers asleep for want of jobs of a queue; an enqueue wakes one of them.';

CREATE TABLE fleet.cancel_signal (worker_id uuid NOT NULL, job_id uuid NOT NULL, token bigint NOT NULL, PRIMARY KEY (worker_id, job_id, token));
COMMENT ON TABLE fleet.cancel_signal IS 'Running jobs to be cancelled, for their worker to find.';

-- Counting without counting rows.
CREATE TABLE fleet.flow (
    at timestamptz NOT NULL, queue text NOT NULL, tenant_id uuid NOT NULL, kind text NOT NULL, event text NOT NULL,
    n integer NOT NULL, wait_ms bigint NOT NULL DEFAULT 0, run_ms bigint NOT NULL DEFAULT 0
) WITH (autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 1000);
COMMENT ON TABLE fleet.flow IS 'What the verbs did, one row a batch and group; folded into fleet.counter and fleet.total.';
COMMENT ON COLUMN fleet.flow.event IS 'enqueued, started, completed, cancelled, discarded, or why it went back: retried, snoozed, interrupted, crashed; ended_waiting counts again those that ended without running.';
CREATE TABLE fleet.counter (
    minute timestamptz NOT NULL, queue text NOT NULL, tenant_id uuid NOT NULL, kind text NOT NULL, event text NOT NULL,
    n bigint NOT NULL, wait_ms bigint NOT NULL, run_ms bigint NOT NULL,
    PRIMARY KEY (minute, queue, tenant_id, kind, event)
);
COMMENT ON TABLE fleet.counter IS 'Events a minute.';
CREATE TABLE fleet.total (
    queue text NOT NULL, tenant_id uuid NOT NULL, kind text NOT NULL, event text NOT NULL, n bigint NOT NULL,
    PRIMARY KEY (queue, tenant_id, kind, event)
) WITH (fillfactor = 50);
COMMENT ON TABLE fleet.total IS 'Events since the beginning; live jobs are enqueued minus ended.';

-- When a lease ends. A server that just started gives every lease its full length, because nobody could renew while it was down;
-- unless its start lies ahead, because the clock went back since.
CREATE FUNCTION fleet.lease_end(lease_until timestamptz, ttl interval) RETURNS timestamptz
LANGUAGE sql STABLE AS $$
    SELECT GREATEST(lease_until, CASE WHEN pg_postmaster_start_time() <= fleet.clock() THEN pg_postmaster_start_time() + ttl END)
$$;
