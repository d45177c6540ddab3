-- Live jobs, ended jobs, and what hangs on them.

CREATE TYPE fleet.job_state AS ENUM ('blocked', 'scheduled', 'available', 'running', 'completed', 'cancelled', 'discarded');

CREATE TABLE fleet.job (
    id                   uuid NOT NULL,
    tenant_id            uuid NOT NULL,
    kind                 fleet.name_text NOT NULL,
    version              fleet.positive_smallint NOT NULL DEFAULT 1,
    queue                fleet.name_text NOT NULL,
    priority             fleet.priority_level NOT NULL DEFAULT 2,
    state                fleet.job_state NOT NULL CHECK (state IN ('blocked', 'scheduled', 'available', 'running')),
    -- Where the indexes file the row: 0 may be or is being run, 1 waits for its time, 2 waits for other jobs.
    -- A claim turns available into running and leaves the shelf as it is: no indexed value changes, so the update is heap-only.
    shelf                smallint NOT NULL GENERATED ALWAYS AS (CASE state WHEN 'scheduled' THEN 1 WHEN 'blocked' THEN 2 ELSE 0 END) STORED,
    -- A lane is a first-in-first-out line of jobs that are alike in everything the claim decides by, so that it is claimable or not as a whole.
    -- 64 bits of MD5: two lanes of one installation meeting by chance is a matter of 10^-8 at a million lanes, and nobody can aim for another's.
    -- Every part is cast outright, because what joins a text to another type is not immutable; and no function: it would be parsed in every insert.
    lane                 bigint NOT NULL GENERATED ALWAYS AS (('x' || left(md5(queue || E'\x1f' || priority::text || E'\x1f' || tenant_id::text
        || E'\x1f' || kind || E'\x1f' || version::text || E'\x1f' || COALESCE(concurrency_key, '') || E'\x1f' || (crashes > 1)::text), 16))::bit(64)::bigint) STORED,
    run_at               timestamptz NOT NULL,
    expires_at           timestamptz,
    created_at           timestamptz NOT NULL,
    attempt              smallint NOT NULL DEFAULT 0,
    max_attempts         fleet.attempt_limit NOT NULL DEFAULT 20,
    crashes              smallint NOT NULL DEFAULT 0,
    snoozes              integer NOT NULL DEFAULT 0,
    claim_no             integer NOT NULL DEFAULT 0,
    timeout_ms           fleet.positive_integer,
    unique_key           fleet.key_text,
    unique_until_started boolean NOT NULL DEFAULT false,
    concurrency_key      fleet.key_text,
    concurrency_limit    fleet.positive_smallint,
    blockers             integer NOT NULL DEFAULT 0,
    has_dependents       boolean NOT NULL DEFAULT false,
    worker_id            uuid,
    token                bigint,
    started_at           timestamptz,
    held                 bigint[],
    cancel_requested_at  timestamptz,
    cancel_reason        fleet.reason_text,
    parent_id            uuid,
    step                 fleet.label_text,
    traceparent          fleet.label_text,
    tags                 fleet.tag_list,
    metadata             fleet.metadata_json,
    progress             fleet.progress_json,
    payload              jsonb NOT NULL,
    PRIMARY KEY (id, tenant_id),
    -- I2: running if and only if a worker holds a claim on it.
    CONSTRAINT job_running_is_claimed CHECK ((state = 'running') = (worker_id IS NOT NULL AND token IS NOT NULL)),
    -- I4: attempts are bounded.
    CONSTRAINT job_attempt_bounded CHECK (attempt BETWEEN 0 AND max_attempts),
    CONSTRAINT job_blocked_has_blockers CHECK (blockers >= 0 AND (state = 'blocked') = (blockers > 0)),
    CONSTRAINT job_concurrency_whole CHECK ((concurrency_key IS NULL) = (concurrency_limit IS NULL))
) WITH (
    fillfactor = 45,                         -- room for the claim's heap-only update beside every row of a page, and it is the longer one
    autovacuum_vacuum_scale_factor = 0.02, autovacuum_vacuum_threshold = 1000,
    autovacuum_vacuum_cost_delay = 0, autovacuum_analyze_scale_factor = 0.05
);
COMMENT ON TABLE fleet.job IS 'Live jobs only; an ended job moves to fleet.job_history in the statement that ends it.';
COMMENT ON COLUMN fleet.job.priority IS '0 is the most urgent, 3 the least.';
COMMENT ON COLUMN fleet.job.version IS 'Payload version; a worker claims only versions it serves.';
COMMENT ON COLUMN fleet.job.lane IS 'The line it stands in: jobs alike in queue, priority, tenant, kind, version, concurrency key, and in whether workers died with them twice.';
COMMENT ON COLUMN fleet.job.run_at IS 'Not before; and the order inside a lane.';
COMMENT ON COLUMN fleet.job.expires_at IS 'Not started by then: discarded. One that was started goes on past it.';
COMMENT ON COLUMN fleet.job.attempt IS 'Attempts begun that count: crashes, snoozes and interruptions give theirs back.';
COMMENT ON COLUMN fleet.job.crashes IS 'How often the worker died with it; counted apart from attempts (I4).';
COMMENT ON COLUMN fleet.job.claim_no IS 'How often it was claimed, for whatever reason.';
COMMENT ON COLUMN fleet.job.token IS 'With worker_id the fence: the claim''s number in the worker''s process. No other claim ever has the pair (I1).';
COMMENT ON COLUMN fleet.job.held IS 'Buckets (caps, concurrency key) this claim counts in; given back when it leaves running.';
COMMENT ON COLUMN fleet.job.blockers IS 'Dependencies not yet completed.';

-- What may run, lane by lane, in order. Names nothing that a claim changes.
CREATE INDEX job_ready ON fleet.job (lane, run_at, id) WHERE shelf = 0;
-- What waits for its time.
CREATE INDEX job_due ON fleet.job (run_at) WHERE shelf = 1;
-- Pages of what waits for its time or for others must not walk past what may run.
CREATE INDEX job_apart ON fleet.job (shelf, id) WHERE shelf > 0;
CREATE INDEX job_expiring ON fleet.job (expires_at) WHERE expires_at IS NOT NULL;
CREATE INDEX job_by_tenant ON fleet.job (tenant_id, id);
-- I5: at most one live job per unique key.
CREATE UNIQUE INDEX job_unique_key ON fleet.job (tenant_id, unique_key) WHERE unique_key IS NOT NULL;

CREATE TABLE fleet.job_history (
    -- Its columns have the types of fleet.job's, to the domain: reading both as one walks their indexes only then.
    id uuid NOT NULL, tenant_id uuid NOT NULL, kind fleet.name_text NOT NULL, version fleet.positive_smallint NOT NULL, queue fleet.name_text NOT NULL,
    priority fleet.priority_level NOT NULL,
    state fleet.job_state NOT NULL CHECK (state IN ('completed', 'cancelled', 'discarded')),
    run_at timestamptz NOT NULL, expires_at timestamptz, created_at timestamptz NOT NULL, started_at timestamptz,
    finished_at timestamptz NOT NULL, reason text,
    attempt smallint NOT NULL, max_attempts fleet.attempt_limit NOT NULL, crashes smallint NOT NULL, snoozes integer NOT NULL, claim_no integer NOT NULL,
    timeout_ms fleet.positive_integer, unique_key fleet.key_text, unique_until_started boolean NOT NULL DEFAULT false,
    concurrency_key fleet.key_text, concurrency_limit fleet.positive_smallint,
    worker_id uuid, parent_id uuid, step fleet.label_text, traceparent fleet.label_text, tags fleet.tag_list, metadata fleet.metadata_json, payload jsonb NOT NULL
) PARTITION BY RANGE (finished_at);
COMMENT ON TABLE fleet.job_history IS 'Ended jobs, by day of their end. Retention drops partitions; nothing in the claim path reads it.';
COMMENT ON COLUMN fleet.job_history.reason IS 'Why it ended so, where it did not simply complete.';
CREATE INDEX job_history_id ON fleet.job_history (id);
CREATE INDEX job_history_by_tenant ON fleet.job_history (tenant_id, id);
-- Failures are few beside completions: listing them must not walk past millions of the others. The state is in the predicate and not in the
-- key, because under row-level security an enum's equality is no index condition (it is not leakproof).
CREATE INDEX job_history_failed ON fleet.job_history (id) WHERE state <> 'completed';

CREATE TABLE fleet.attempt (
    job_id uuid NOT NULL, tenant_id uuid NOT NULL, kind text NOT NULL, attempt smallint NOT NULL, claim_no integer NOT NULL,
    outcome text NOT NULL CHECK (outcome IN ('failed', 'timed_out', 'panicked', 'crashed', 'snoozed', 'interrupted', 'cancelled', 'discarded')),
    error text CHECK (octet_length(error) <= 16384),
    fingerprint text,
    worker_id uuid, started_at timestamptz, ended_at timestamptz NOT NULL
) PARTITION BY RANGE (ended_at);
COMMENT ON TABLE fleet.attempt IS 'Append-only: every attempt that did not simply succeed.';
COMMENT ON COLUMN fleet.attempt.fingerprint IS 'Groups alike errors: kind and error text without its numbers and ids.';
CREATE INDEX attempt_job ON fleet.attempt (job_id);

CREATE TABLE fleet.job_log (
    job_id uuid NOT NULL, tenant_id uuid NOT NULL, at timestamptz NOT NULL, seq integer NOT NULL,
    level text NOT NULL CHECK (level IN ('debug', 'info', 'warn', 'error')), message text NOT NULL
) PARTITION BY RANGE (at);
COMMENT ON TABLE fleet.job_log IS 'What a handler logged: at most 1,000 lines or 256 KiB a job.';
CREATE INDEX job_log_job ON fleet.job_log (job_id, seq);

CREATE TABLE fleet.job_output (
    job_id uuid NOT NULL, tenant_id uuid NOT NULL, at timestamptz NOT NULL, output jsonb NOT NULL
) PARTITION BY RANGE (at);
COMMENT ON TABLE fleet.job_output IS 'Results, apart from the job so that a large one never fattens the claim path.';
CREATE INDEX job_output_job ON fleet.job_output (job_id);

CREATE TABLE fleet.job_step (
    job_id uuid NOT NULL, tenant_id uuid NOT NULL, name text NOT NULL CHECK (length(name) BETWEEN 1 AND 200),
    result jsonb NOT NULL, at timestamptz NOT NULL,
    PRIMARY KEY (job_id, name)
);
COMMENT ON TABLE fleet.job_step IS 'Finished steps of a job: after a crash they are not run again.';
CREATE INDEX job_step_age ON fleet.job_step (at);

CREATE TABLE fleet.job_dependency (
    job_id uuid NOT NULL, tenant_id uuid NOT NULL, depends_on uuid NOT NULL,
    PRIMARY KEY (job_id, depends_on)
);
COMMENT ON TABLE fleet.job_dependency IS 'A blocked job and what it waits for; the row goes when that job completes.';
CREATE INDEX job_dependency_on ON fleet.job_dependency (depends_on);

CREATE TABLE fleet.unique_window (
    tenant_id uuid NOT NULL, unique_key text NOT NULL, job_id uuid NOT NULL, until timestamptz NOT NULL,
    PRIMARY KEY (tenant_id, unique_key)
);
COMMENT ON TABLE fleet.unique_window IS 'Unique keys whose scope is a time window: held until then, whether the job still lives or not.';
CREATE INDEX unique_window_age ON fleet.unique_window (until);
