-- How much more work each partner can take: what it is busy with, how it has done, the score of the two, and who asks for it anew.

ALTER TABLE fleet.partners
    ADD COLUMN max_load  numeric(8, 2) CHECK (max_load >= 0),
    ADD COLUMN zone      text NOT NULL DEFAULT 'UTC' CHECK (timezone(zone, timestamp '2000-01-01') IS NOT NULL),
    ADD COLUMN work_days smallint[] NOT NULL DEFAULT '{1,2,3,4,5}' CHECK (work_days <@ '{1,2,3,4,5,6,7}'::smallint[] AND cardinality(work_days) > 0),
    ADD COLUMN opens     time NOT NULL DEFAULT '09:00',
    ADD COLUMN closes    time NOT NULL DEFAULT '17:00',
    ADD CONSTRAINT partners_open_before_they_close CHECK (opens < closes);
COMMENT ON COLUMN fleet.partners.max_load IS 'How much load it takes at most; null: what its tier takes.';
COMMENT ON COLUMN fleet.partners.zone IS 'Where its working hours are; an unknown zone is refused by the CHECK.';
COMMENT ON COLUMN fleet.partners.work_days IS '1 is Monday.';
ALTER TABLE fleet.campaigns ADD COLUMN ended_on date;
COMMENT ON COLUMN fleet.campaigns.ended_on IS 'Null while it runs: only then does it count towards its partner''s load.';
CREATE INDEX campaigns_running ON fleet.campaigns (partner_id) INCLUDE (tenant_id) WHERE ended_on IS NULL AND partner_id IS NOT NULL;

CREATE TABLE fleet.client_assignments (
    tenant_id     uuid NOT NULL,
    assignment_id uuid NOT NULL DEFAULT fleet.new_id(),
    client_id     uuid NOT NULL,
    partner_id    uuid NOT NULL,
    weight        numeric(4, 1) NOT NULL DEFAULT 1 CHECK (weight > 0),
    started_at    timestamptz NOT NULL DEFAULT fleet.clock(),
    ended_at      timestamptz CHECK (ended_at >= started_at),
    PRIMARY KEY (tenant_id, assignment_id)
);
COMMENT ON TABLE fleet.client_assignments IS 'Which partner looks after which client. A client has one at a time.';
COMMENT ON COLUMN fleet.client_assignments.weight IS 'What it adds to the load: 1 for most, 2 for high value, 0.5 once onboarded and dormant.';
CREATE UNIQUE INDEX client_assignments_one ON fleet.client_assignments (tenant_id, client_id) WHERE ended_at IS NULL;
CREATE INDEX client_assignments_active ON fleet.client_assignments (partner_id) INCLUDE (tenant_id, weight) WHERE ended_at IS NULL;

CREATE TABLE fleet.partner_tickets (
    tenant_id            uuid NOT NULL,
    ticket_id            uuid NOT NULL DEFAULT fleet.new_id(),
    partner_id           uuid NOT NULL,
    opened_at            timestamptz NOT NULL DEFAULT fleet.clock(),
    on_clock             boolean NOT NULL DEFAULT true,
    first_response_at    timestamptz CHECK (first_response_at >= opened_at),
    first_response_hours double precision,
    closed_at            timestamptz CHECK (closed_at >= opened_at),
    PRIMARY KEY (tenant_id, ticket_id),
    CONSTRAINT partner_tickets_response_is_counted CHECK ((first_response_at IS NULL) = (first_response_hours IS NULL))
);
COMMENT ON TABLE fleet.partner_tickets IS 'Tickets as capacity reads them.';
COMMENT ON COLUMN fleet.partner_tickets.on_clock IS 'Whether a promise is running: not while the ticket waits for the client.';
COMMENT ON COLUMN fleet.partner_tickets.first_response_hours IS 'In the partner''s working hours as they were when it answered; filled in by a trigger.';
CREATE INDEX partner_tickets_open ON fleet.partner_tickets (partner_id) INCLUDE (tenant_id) WHERE closed_at IS NULL AND on_clock;
CREATE INDEX partner_tickets_answered ON fleet.partner_tickets (partner_id, first_response_at) INCLUDE (tenant_id, first_response_hours) WHERE first_response_at IS NOT NULL;

CREATE TABLE fleet.campaign_outcomes (
    tenant_id   uuid NOT NULL,
    outcome_id  uuid NOT NULL DEFAULT fleet.new_id(),
    campaign_id uuid NOT NULL,
    partner_id  uuid NOT NULL,
    goal_met    boolean NOT NULL,
    decided_at  timestamptz NOT NULL DEFAULT fleet.clock(),
    PRIMARY KEY (tenant_id, outcome_id)
);
COMMENT ON TABLE fleet.campaign_outcomes IS 'One row for each goal of a campaign that fell due: met or not, and who ran it then.';
CREATE INDEX campaign_outcomes_by_partner ON fleet.campaign_outcomes (partner_id, decided_at) INCLUDE (tenant_id, goal_met);

CREATE TABLE fleet.partner_leaves (
    tenant_id  uuid NOT NULL,
    leave_id   uuid NOT NULL DEFAULT fleet.new_id(),
    partner_id uuid NOT NULL,
    starts_at  timestamptz NOT NULL,
    ends_at    timestamptz NOT NULL CHECK (ends_at > starts_at),
    PRIMARY KEY (tenant_id, leave_id)
);
COMMENT ON TABLE fleet.partner_leaves IS 'When partners take no new work.';
CREATE INDEX partner_leaves_by_partner ON fleet.partner_leaves (partner_id, ends_at);

CREATE TABLE fleet.capacity_priors (
    tenant_id        uuid NOT NULL DEFAULT '00000000-0000-0000-0000-000000000000',
    tier             text NOT NULL CHECK (tier IN ('standard', 'senior')),
    sla_mean         double precision NOT NULL CHECK (sla_mean BETWEEN 0 AND 1),
    success_mean     double precision NOT NULL CHECK (success_mean BETWEEN 0 AND 1),
    success_strength double precision NOT NULL CHECK (success_strength > 0),
    learned_at       timestamptz NOT NULL,
    PRIMARY KEY (tenant_id, tier)
);
COMMENT ON TABLE fleet.capacity_priors IS 'What partners of a tier are like, for judging those of whom little is known. Learned anew by each capacity.score_all.';

CREATE FUNCTION fleet.refuse_change() RETURNS trigger
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    RAISE EXCEPTION '%.% is only added to', TG_TABLE_SCHEMA, TG_TABLE_NAME USING ERRCODE = 'FL002', HINT = 'Add a row that says what holds from now on.';
END $$;
COMMENT ON FUNCTION fleet.refuse_change() IS 'For tables whose rows are a history.';

CREATE TABLE fleet.capacity_settings (
    tenant_id  uuid NOT NULL DEFAULT '00000000-0000-0000-0000-000000000000' CHECK (tenant_id = '00000000-0000-0000-0000-000000000000'),
    version    integer NOT NULL CHECK (version > 0),
    settings   jsonb NOT NULL CHECK (jsonb_typeof(settings) = 'object' AND pg_column_size(settings) <= 8192),
    changed_by text NOT NULL CHECK (length(changed_by) BETWEEN 1 AND 200),
    reason     fleet.reason_text,
    changed_at timestamptz NOT NULL DEFAULT fleet.clock(),
    PRIMARY KEY (tenant_id, version),
    CONSTRAINT capacity_settings_name_loads CHECK (jsonb_typeof(settings #> '{loads,ticket}') IS NOT DISTINCT FROM 'number'
        AND jsonb_typeof(settings #> '{loads,campaign}') IS NOT DISTINCT FROM 'number')
);
COMMENT ON TABLE fleet.capacity_settings IS 'Weights, tiers'' caps and thresholds by version; the latest holds. A score names the version it used, so none is ever changed or removed.';
COMMENT ON COLUMN fleet.capacity_settings.settings IS 'Checked by fleet_jobs::capacity::Settings when saved and when used; what is left out has its default, except loads, which capacity.reconcile reads here.';
INSERT INTO fleet.capacity_settings (version, settings, changed_by, reason) VALUES (1, '{
    "weights": {"sla": 0.40, "response": 0.25, "success": 0.35}, "caps": {"standard": 15, "senior": 30}, "loads": {"ticket": 0.1, "campaign": 0.05},
    "sla_strength": 20, "response_half_life": 4, "response_unknown": 0.5, "slot": 1, "near_full": 0.1, "margin": 0.05, "news": 5}', 'migration', 'what the platform begins with');
CREATE TRIGGER only_added_to BEFORE UPDATE OR DELETE ON fleet.capacity_settings FOR EACH ROW EXECUTE FUNCTION fleet.refuse_change();

CREATE TABLE fleet.partner_capacity (
    tenant_id      uuid NOT NULL,
    partner_id     uuid NOT NULL,
    load           numeric(10, 2) NOT NULL CHECK (load >= 0),
    cap            numeric(8, 2) NOT NULL CHECK (cap >= 0),
    score          numeric(5, 2) NOT NULL CHECK (score BETWEEN 0 AND 100),
    confidence     numeric(4, 3) NOT NULL CHECK (confidence BETWEEN 0 AND 1),
    level          text NOT NULL CHECK (level IN ('open', 'near_full', 'full')),
    components     jsonb NOT NULL CHECK (jsonb_typeof(components) = 'object'),
    inputs_version bigint NOT NULL CHECK (inputs_version > 0),
    settings_version integer NOT NULL,
    computed_at    timestamptz NOT NULL,
    -- What a choice of a partner (0027) needs beside these.
    tier           text,
    status         text,
    serves         uuid[],
    industries     text[],
    channels       text[],
    languages      text[],
    regions        text[],
    percentile     double precision,
    week_share     real,
    opens_utc      smallint,
    open_for       smallint,
    PRIMARY KEY (tenant_id, partner_id),
    FOREIGN KEY (tenant_id, partner_id) REFERENCES fleet.partners ON DELETE CASCADE
) WITH (fillfactor = 70);  -- every row is rewritten each hour
COMMENT ON TABLE fleet.partner_capacity IS 'Each partner''s capacity as it was computed last.';
COMMENT ON COLUMN fleet.partner_capacity.level IS 'Falls at a headroom of 0.1 and 0, rises again only 0.05 above, as the settings begin, so that an alert does not flap.';
COMMENT ON COLUMN fleet.partner_capacity.components IS 'What the score is made of, with the figures that each part rests on.';
COMMENT ON COLUMN fleet.partner_capacity.inputs_version IS 'Rises with each computation. One is stored only over the version that it read with its inputs, so an older never takes the place of a newer.';
CREATE UNIQUE INDEX partner_capacity_by_id ON fleet.partner_capacity (partner_id);

CREATE TABLE fleet.capacity_history (
    tenant_id   uuid NOT NULL,
    partner_id  uuid NOT NULL,
    inputs_version bigint NOT NULL,
    load        numeric(10, 2) NOT NULL,
    cap         numeric(8, 2) NOT NULL,
    score       numeric(5, 2) NOT NULL,
    level       text NOT NULL,
    computed_at timestamptz NOT NULL,
    settings_version integer NOT NULL,
    PRIMARY KEY (tenant_id, partner_id, inputs_version)
);
COMMENT ON TABLE fleet.capacity_history IS 'Every capacity that differed from the one before it. Only added to; capacity.reconcile drops what is over 400 days old.';
CREATE INDEX capacity_history_by_time ON fleet.capacity_history (computed_at);

-- Hours of a span that lie within a calendar's working hours.
CREATE FUNCTION fleet.working_hours(began timestamptz, ended timestamptz, zone text, work_days smallint[], opens time, closes time) RETURNS double precision
LANGUAGE sql STABLE PARALLEL SAFE AS $$
    SELECT COALESCE(sum(GREATEST(0, extract(epoch FROM
               LEAST(ended, timezone(zone, day + closes)) - GREATEST(began, timezone(zone, day + opens))))), 0)::float8 / 3600
    FROM generate_series(timezone(zone, began)::date::timestamp, timezone(zone, ended)::date::timestamp, interval '1 day') AS d (day)
    WHERE extract(isodow FROM day) = ANY (work_days)
$$;
COMMENT ON FUNCTION fleet.working_hours(timestamptz, timestamptz, text, smallint[], time, time) IS 'Hours of a span that lie within working hours; daylight saving counts as the clock on the wall does.';

CREATE FUNCTION fleet.count_first_response() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    IF NEW.first_response_at IS NULL THEN
        NEW.first_response_hours := NULL;
    ELSIF TG_OP = 'INSERT' OR NEW.first_response_at IS DISTINCT FROM OLD.first_response_at THEN
        -- A partner nobody knows keeps the calendar of most.
        NEW.first_response_hours := COALESCE(
            (SELECT fleet.working_hours(NEW.opened_at, NEW.first_response_at, p.zone, p.work_days, p.opens, p.closes)
             FROM fleet.partners AS p WHERE p.partner_id = NEW.partner_id),
            fleet.working_hours(NEW.opened_at, NEW.first_response_at, 'UTC', '{1,2,3,4,5}', '09:00', '17:00'));
    END IF;
    RETURN NEW;
END $$;
COMMENT ON FUNCTION fleet.count_first_response() IS 'Counts a first response in the partner''s working hours, whoever records it.';
CREATE TRIGGER partner_tickets_count BEFORE INSERT OR UPDATE ON fleet.partner_tickets FOR EACH ROW EXECUTE FUNCTION fleet.count_first_response();

-- A change asks for the score in the transaction that makes it; thirty seconds of changes to a partner are one job.
-- The key holds until the job starts, so that no change falls between a job that has read and one that was never enqueued.
-- Partners that were never scored wait for the hourly pass: a bulk load must not be a job a partner.
CREATE FUNCTION fleet.ask_capacity(changed uuid[]) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp
SET enable_seqscan = off  -- small tables must not teach the cached plan to scan what will be large
AS $$
DECLARE
    v_many    CONSTANT integer := 100;
    v_partner record;
    v_soon    timestamptz := fleet.clock() + interval '30 seconds';
BEGIN
    -- Where nobody runs the family there is nobody to ask.
    IF NOT EXISTS (SELECT FROM fleet.kind AS k WHERE k.kind = 'capacity.score_all') THEN
        RETURN;
    END IF;
    IF (SELECT count(*) FROM fleet.partner_capacity AS c WHERE c.partner_id = ANY (changed)) > v_many THEN
        PERFORM fleet.enqueue('capacity.score_all', '{}', jsonb_build_object('tenant_id', '00000000-0000-0000-0000-000000000000', 'run_at', v_soon,
            'unique', jsonb_build_object('key', 'capacity.score_all', 'scope', 'started')));
        RETURN;
    END IF;
    -- In one order, so that two transactions never wait for each other's keys. Whom a job waits for needs no other: to look costs a tenth of
    -- what it costs to be told that it is a duplicate.
    FOR v_partner IN
        SELECT c.tenant_id, c.partner_id FROM fleet.partner_capacity AS c
        WHERE c.partner_id = ANY (changed) AND NOT EXISTS (
            SELECT FROM fleet.job AS j
            WHERE j.tenant_id = c.tenant_id AND j.unique_key = 'capacity.score ' || c.partner_id AND j.state IN ('scheduled', 'available'))
        ORDER BY c.partner_id
    LOOP
        PERFORM fleet.enqueue('capacity.score', jsonb_build_object('partner_id', v_partner.partner_id),
            jsonb_build_object('tenant_id', v_partner.tenant_id, 'run_at', v_soon,
                'unique', jsonb_build_object('key', 'capacity.score ' || v_partner.partner_id, 'scope', 'started')));
    END LOOP;
EXCEPTION WHEN SQLSTATE 'FL004' THEN
    NULL; -- The queue is full: a change is not refused for that, and the hourly pass finds it.
END $$;
COMMENT ON FUNCTION fleet.ask_capacity(uuid[]) IS 'Enqueues the scoring of these partners, as far as they have been scored before.';
REVOKE ALL ON FUNCTION fleet.ask_capacity(uuid[]) FROM PUBLIC;

-- Everybody is scored anew by what holds from now on, whoever stores it.
CREATE FUNCTION fleet.capacity_settings_changed() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    IF EXISTS (SELECT FROM fleet.kind AS k WHERE k.kind = 'capacity.score_all') THEN
        PERFORM fleet.enqueue('capacity.score_all', '{}', jsonb_build_object('tenant_id', '00000000-0000-0000-0000-000000000000',
            'unique', jsonb_build_object('key', 'capacity.score_all settings', 'scope', 'started')));
    END IF;
    RETURN NULL;
EXCEPTION WHEN SQLSTATE 'FL004' THEN
    RETURN NULL; -- The queue is full: the hourly pass finds it.
END $$;
COMMENT ON FUNCTION fleet.capacity_settings_changed() IS 'After another version of the settings: asks for everybody''s score.';
CREATE TRIGGER capacity_settings_changed AFTER INSERT ON fleet.capacity_settings FOR EACH ROW EXECUTE FUNCTION fleet.capacity_settings_changed();

CREATE FUNCTION fleet.capacity_input_changed() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    v_changed uuid[];
BEGIN
    IF TG_OP = 'INSERT' THEN
        v_changed := ARRAY(SELECT DISTINCT n.partner_id FROM new_rows AS n);
    ELSIF TG_OP = 'DELETE' THEN
        v_changed := ARRAY(SELECT DISTINCT o.partner_id FROM old_rows AS o);
    ELSE
        v_changed := ARRAY(SELECT o.partner_id FROM old_rows AS o UNION SELECT n.partner_id FROM new_rows AS n);
    END IF;
    IF v_changed <> '{}' THEN
        PERFORM fleet.ask_capacity(v_changed);
    END IF;
    RETURN NULL;
END $$;
COMMENT ON FUNCTION fleet.capacity_input_changed() IS 'After a statement that changed what capacity is computed from.';

DO $$
DECLARE
    v_table text;
BEGIN
    FOREACH v_table IN ARRAY ARRAY['client_assignments', 'partner_tickets', 'campaign_outcomes', 'partner_leaves', 'campaigns', 'sla_outcomes'] LOOP
        EXECUTE format('CREATE TRIGGER capacity_input_added AFTER INSERT ON fleet.%I REFERENCING NEW TABLE AS new_rows
            FOR EACH STATEMENT EXECUTE FUNCTION fleet.capacity_input_changed()', v_table);
        EXECUTE format('CREATE TRIGGER capacity_input_altered AFTER UPDATE ON fleet.%I REFERENCING OLD TABLE AS old_rows NEW TABLE AS new_rows
            FOR EACH STATEMENT EXECUTE FUNCTION fleet.capacity_input_changed()', v_table);
        EXECUTE format('CREATE TRIGGER capacity_input_removed AFTER DELETE ON fleet.%I REFERENCING OLD TABLE AS old_rows
            FOR EACH STATEMENT EXECUTE FUNCTION fleet.capacity_input_changed()', v_table);
    END LOOP;
END $$;

CREATE FUNCTION fleet.partner_changed() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    PERFORM fleet.ask_capacity(ARRAY[NEW.partner_id]);
    RETURN NULL;
END $$;
COMMENT ON FUNCTION fleet.partner_changed() IS 'After a partner''s tier, status or cap changed; its figures, which every board writes, are none of it.';
CREATE TRIGGER capacity_input_altered AFTER UPDATE ON fleet.partners
    FOR EACH ROW WHEN ((OLD.tier, OLD.status, OLD.max_load) IS DISTINCT FROM (NEW.tier, NEW.status, NEW.max_load))
    EXECUTE FUNCTION fleet.partner_changed();

ALTER TABLE fleet.client_assignments ENABLE ROW LEVEL SECURITY;
ALTER TABLE fleet.partner_tickets ENABLE ROW LEVEL SECURITY;
ALTER TABLE fleet.campaign_outcomes ENABLE ROW LEVEL SECURITY;
ALTER TABLE fleet.partner_leaves ENABLE ROW LEVEL SECURITY;
ALTER TABLE fleet.capacity_priors ENABLE ROW LEVEL SECURITY;
ALTER TABLE fleet.capacity_settings ENABLE ROW LEVEL SECURITY;
ALTER TABLE fleet.partner_capacity ENABLE ROW LEVEL SECURITY;
ALTER TABLE fleet.capacity_history ENABLE ROW LEVEL SECURITY;
CREATE POLICY own_tenant ON fleet.client_assignments USING (fleet.may_see(tenant_id));
CREATE POLICY own_tenant ON fleet.partner_tickets USING (fleet.may_see(tenant_id));
CREATE POLICY own_tenant ON fleet.campaign_outcomes USING (fleet.may_see(tenant_id));
CREATE POLICY own_tenant ON fleet.partner_leaves USING (fleet.may_see(tenant_id));
CREATE POLICY own_tenant ON fleet.capacity_settings USING (fleet.may_see(tenant_id));
CREATE POLICY own_tenant ON fleet.capacity_priors USING (fleet.may_see(tenant_id));
CREATE POLICY own_tenant ON fleet.partner_capacity USING (fleet.may_see(tenant_id));
CREATE POLICY own_tenant ON fleet.capacity_history USING (fleet.may_see(tenant_id));
GRANT SELECT ON fleet.client_assignments, fleet.partner_tickets, fleet.campaign_outcomes, fleet.partner_leaves, fleet.partner_capacity, fleet.capacity_history TO fleet_api;
GRANT SELECT, INSERT ON fleet.capacity_settings TO fleet_api;
GRANT UPDATE (max_load, status, name, active_since, industries, channels, languages, regions, serves, zone, work_days, opens, closes) ON fleet.partners TO fleet_api;
GRANT INSERT, DELETE ON fleet.partner_leaves TO fleet_api;
