-- Schedules, the ticks they fired, and who changed what. How they are fired: jobs/queue/src/schedules/mod.rs.

CREATE TABLE fleet.schedule (
    id           uuid NOT NULL,
    tenant_id    uuid NOT NULL,
    definition   jsonb NOT NULL,
    name         text NOT NULL GENERATED ALWAYS AS (definition->>'name') STORED CHECK (length(name) BETWEEN 1 AND 100),
    kind         text NOT NULL GENERATED ALWAYS AS (definition->>'kind') STORED CHECK (length(kind) BETWEEN 1 AND 100),
    cron         text NOT NULL GENERATED ALWAYS AS (definition->>'cron') STORED CHECK (length(cron) BETWEEN 1 AND 40000),
    zone         text NOT NULL GENERATED ALWAYS AS (definition->>'zone') STORED CHECK (length(zone) BETWEEN 1 AND 100),
    origin       text NOT NULL CHECK (origin IN ('person', 'default')),
    revision     integer NOT NULL DEFAULT 1,
    paused_at    timestamptz,
    paused_by    text,
    pause_note   text CHECK (length(pause_note) BETWEEN 1 AND 1000),
    watermark    timestamptz NOT NULL,
    next_at      timestamptz,
    due_at       timestamptz,
    missed_count bigint NOT NULL DEFAULT 0,
    error        text CHECK (length(error) <= 2000),
    failures     smallint NOT NULL DEFAULT 0,
    created_at   timestamptz NOT NULL,
    updated_at   timestamptz NOT NULL,
    updated_by   text NOT NULL CHECK (length(updated_by) BETWEEN 1 AND 200),
    PRIMARY KEY (id, tenant_id),
    UNIQUE (tenant_id, name),
    CONSTRAINT schedule_pause_whole CHECK ((paused_at IS NULL) = (paused_by IS NULL) AND (paused_at IS NULL) = (pause_note IS NULL)),
    CONSTRAINT schedule_paused_is_not_due CHECK (paused_at IS NULL OR due_at IS NULL),
    -- I7: what is decided already never comes again.
    CONSTRAINT schedule_next_is_new CHECK (next_at > watermark)
) WITH (fillfactor = 70, autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 200);
COMMENT ON TABLE fleet.schedule IS 'What is to be enqueued, when, and what happens when it cannot be.';
COMMENT ON COLUMN fleet.schedule.definition IS 'All that a person can set: schedules::Definition.';
COMMENT ON COLUMN fleet.schedule.origin IS 'default: from the checked-in file, and nobody has edited it since.';
COMMENT ON COLUMN fleet.schedule.watermark IS 'Every tick up to here is decided: fired, skipped or dropped. It never goes back (I7).';
COMMENT ON COLUMN fleet.schedule.next_at IS 'The next tick by the calendar; none: there is no further one.';
COMMENT ON COLUMN fleet.schedule.due_at IS 'When that tick is looked at: its time with its jitter, or later after an error; none while paused.';
COMMENT ON COLUMN fleet.schedule.missed_count IS 'Ticks dropped because nobody could fire them in time; a round counts at most 1,000.';
COMMENT ON COLUMN fleet.schedule.failures IS 'Rounds in a row in which the tick could not be fired; the tick stays due.';
CREATE INDEX schedule_due ON fleet.schedule (due_at) WHERE due_at IS NOT NULL;

CREATE TABLE fleet.schedule_tick (
    schedule_id uuid NOT NULL,
    tick_at     timestamptz NOT NULL,
    tenant_id   uuid NOT NULL,
    cause       text NOT NULL CHECK (cause IN ('time', 'hand')),
    outcome     text NOT NULL CHECK (outcome IN ('fired', 'skipped')),
    job_id      uuid NOT NULL,
    decided_at  timestamptz NOT NULL,
    -- I7: one row, hence one job, a tick.
    PRIMARY KEY (schedule_id, tick_at),
    -- Ticks by time are whole seconds, runs by hand never are: neither can take the other's key.
    CONSTRAINT schedule_tick_cause CHECK ((cause = 'time') = (tick_at = date_trunc('second', tick_at, 'UTC')))
) WITH (autovacuum_vacuum_scale_factor = 0.05, autovacuum_vacuum_threshold = 500);
COMMENT ON TABLE fleet.schedule_tick IS 'Every tick decided with a job: the one it enqueued, or the one that was in its way.';
CREATE INDEX schedule_tick_age ON fleet.schedule_tick (decided_at);

CREATE TABLE fleet.schedule_history (
    schedule_id uuid NOT NULL,
    tenant_id   uuid NOT NULL,
    revision    integer NOT NULL,
    name        text NOT NULL,
    action      text NOT NULL CHECK (action IN ('created', 'edited', 'paused', 'resumed', 'deleted')),
    definition  jsonb NOT NULL,
    note        text CHECK (length(note) <= 1000),
    by          text NOT NULL CHECK (length(by) BETWEEN 1 AND 200),
    at          timestamptz NOT NULL,
    PRIMARY KEY (schedule_id, revision)
);
COMMENT ON TABLE fleet.schedule_history IS 'Append-only: each schedule as it stood after each change.';
CREATE INDEX schedule_history_name ON fleet.schedule_history (tenant_id, name);

DO $$
DECLARE
    t text;
BEGIN
    FOREACH t IN ARRAY ARRAY['schedule', 'schedule_tick', 'schedule_history'] LOOP
        EXECUTE format('ALTER TABLE fleet.%I ENABLE ROW LEVEL SECURITY', t);
        EXECUTE format('CREATE POLICY tenant ON fleet.%I USING (fleet.may_see(tenant_id)) WITH CHECK (fleet.may_see(tenant_id))', t);
        EXECUTE format('GRANT SELECT, INSERT ON fleet.%I TO fleet_api', t);
    END LOOP;
END $$;
GRANT UPDATE, DELETE ON fleet.schedule TO fleet_api;
GRANT UPDATE ON fleet.schedule_tick TO fleet_api;
