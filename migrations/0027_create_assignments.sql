-- Which partner looks after which client, and why: decisions with their rationale, slots kept while a person decides,
-- clients that wait for room, and who wakes them.

CREATE TABLE fleet.assignment_settings (
    tenant_id  uuid NOT NULL DEFAULT '00000000-0000-0000-0000-000000000000' CHECK (tenant_id = '00000000-0000-0000-0000-000000000000'),
    version    integer NOT NULL CHECK (version > 0),
    settings   jsonb NOT NULL CHECK (jsonb_typeof(settings) = 'object' AND pg_column_size(settings) <= 8192),
    changed_by text NOT NULL CHECK (length(changed_by) BETWEEN 1 AND 200),
    reason     fleet.reason_text,
    changed_at timestamptz NOT NULL DEFAULT fleet.clock(),
    PRIMARY KEY (tenant_id, version)
);
COMMENT ON TABLE fleet.assignment_settings IS 'Weights and thresholds by version; the latest holds. A decision names the version it used, so none is ever changed or removed.';
COMMENT ON COLUMN fleet.assignment_settings.settings IS 'Checked by fleet_jobs::assignment::Settings when saved and when used; what is left out has its default.';
INSERT INTO fleet.assignment_settings (version, settings, changed_by, reason) VALUES (1, '{
    "weights": {"capacity": 0.45, "leaderboard": 0.35, "skills": 0.15, "hours": 0.05, "recent": 0.10},
    "recent_full": 5, "unranked_percentile": 0.5, "high_value_budget_micros": 10000000000, "top_share": 0.2,
    "reservation_hours": 24, "confidence_slope": 12, "review_high_value": false, "alert_hours": 24, "rebalance_to": 0.8}', 'migration', 'what the platform begins with');

CREATE TRIGGER only_added_to BEFORE UPDATE OR DELETE ON fleet.assignment_settings FOR EACH ROW EXECUTE FUNCTION fleet.refuse_change();

CREATE TABLE fleet.assignment_decisions (
    tenant_id        uuid NOT NULL,
    decision_id      uuid NOT NULL DEFAULT fleet.new_id(),
    client_id        uuid NOT NULL,
    partner_id       uuid,
    mode             text NOT NULL CHECK (mode IN ('auto', 'batch', 'manual', 'transfer', 'rebalance', 'review', 'detach')),
    outcome          text NOT NULL CHECK (outcome IN ('assigned', 'pending_approval', 'waitlisted', 'detached', 'released')),
    settings_version integer NOT NULL,
    confidence       double precision CHECK (confidence BETWEEN 0 AND 1),
    rationale        jsonb NOT NULL CHECK (jsonb_typeof(rationale) = 'object' AND pg_column_size(rationale) <= 65536),
    reason           fleet.reason_text,
    decided_by       text NOT NULL CHECK (length(decided_by) BETWEEN 1 AND 200),
    decided_at       timestamptz NOT NULL DEFAULT fleet.clock(),
    PRIMARY KEY (tenant_id, decision_id),
    CONSTRAINT assignment_decisions_of_a_partner CHECK (partner_id IS NOT NULL OR outcome = 'waitlisted'),
    CONSTRAINT assignment_decisions_by_hand_say_why CHECK (mode <> 'manual' OR length(reason) > 0)
);
COMMENT ON TABLE fleet.assignment_decisions IS 'Each decision on who looks after a client, by the fleet or by a person, with what it rested on. Only added to.';
COMMENT ON COLUMN fleet.assignment_decisions.mode IS 'auto and batch: the fleet; manual, transfer: a person; rebalance: the fleet on a person''s behalf; review: what became of a proposal; detach: the partner leaves, or the client is closed.';
CREATE INDEX assignment_decisions_by_client ON fleet.assignment_decisions (tenant_id, client_id, decided_at DESC);
CREATE INDEX assignment_decisions_by_time ON fleet.assignment_decisions (decided_at) INCLUDE (mode, outcome);
CREATE TRIGGER only_added_to BEFORE UPDATE OR DELETE ON fleet.assignment_decisions FOR EACH ROW EXECUTE FUNCTION fleet.refuse_change();

ALTER TABLE fleet.client_assignments
    ADD COLUMN decision_id     uuid,
    ADD COLUMN load_after      numeric(10, 2),
    ADD COLUMN cap_then        numeric(8, 2),
    ADD COLUMN manual_overload boolean NOT NULL DEFAULT false,
    ADD CONSTRAINT client_assignments_within_cap CHECK (load_after IS NULL OR load_after <= cap_then OR manual_overload);
COMMENT ON COLUMN fleet.client_assignments.decision_id IS 'Why it is so; null for what was brought in from elsewhere.';
COMMENT ON COLUMN fleet.client_assignments.load_after IS 'The partner''s load with this client, when its slot was taken. A load may pass its cap later (tickets come, a cap is lowered), which is why the guard stands here and not on partner_capacity.';
CREATE INDEX client_assignments_recent ON fleet.client_assignments (started_at) INCLUDE (partner_id);
CREATE INDEX client_assignments_of_client ON fleet.client_assignments (tenant_id, client_id, started_at DESC);

CREATE INDEX clients_by_id ON fleet.clients (client_id);
CREATE INDEX clients_exclusive ON fleet.clients (industry) INCLUDE (tenant_id, client_id) WHERE exclusive;
CREATE INDEX clients_by_industry ON fleet.clients (industry) INCLUDE (tenant_id, client_id);

CREATE TABLE fleet.assignment_reservations (
    tenant_id      uuid NOT NULL,
    reservation_id uuid NOT NULL DEFAULT fleet.new_id(),
    client_id      uuid NOT NULL,
    partner_id     uuid NOT NULL,
    weight         numeric(4, 1) NOT NULL CHECK (weight > 0),
    decision_id    uuid NOT NULL,
    approval_id    uuid,
    load_after     numeric(10, 2) NOT NULL,
    cap_then       numeric(8, 2) NOT NULL,
    reserved_at    timestamptz NOT NULL DEFAULT fleet.clock(),
    expires_at     timestamptz NOT NULL,
    ended_at       timestamptz,
    ended_as       text CHECK (ended_as IN ('assigned', 'released', 'expired')),
    PRIMARY KEY (tenant_id, reservation_id),
    CONSTRAINT assignment_reservations_within_cap CHECK (load_after <= cap_then),
    CONSTRAINT assignment_reservations_expire_later CHECK (expires_at > reserved_at),
    CONSTRAINT assignment_reservations_end_as_something CHECK ((ended_at IS NULL) = (ended_as IS NULL))
);
COMMENT ON TABLE fleet.assignment_reservations IS 'Slots kept while a person decides. An open one counts towards its partner''s load like a client.';
CREATE UNIQUE INDEX assignment_reservations_one ON fleet.assignment_reservations (tenant_id, client_id) WHERE ended_at IS NULL;
CREATE INDEX assignment_reservations_open ON fleet.assignment_reservations (partner_id) INCLUDE (tenant_id, weight) WHERE ended_at IS NULL;
CREATE TRIGGER capacity_input_added AFTER INSERT ON fleet.assignment_reservations REFERENCING NEW TABLE AS new_rows
    FOR EACH STATEMENT EXECUTE FUNCTION fleet.capacity_input_changed();
CREATE TRIGGER capacity_input_altered AFTER UPDATE ON fleet.assignment_reservations REFERENCING OLD TABLE AS old_rows NEW TABLE AS new_rows
    FOR EACH STATEMENT EXECUTE FUNCTION fleet.capacity_input_changed();

CREATE TABLE fleet.assignment_waitlist (
    tenant_id   uuid NOT NULL,
    client_id   uuid NOT NULL,
    weight      numeric(4, 1) NOT NULL CHECK (weight > 0),
    decision_id uuid NOT NULL,
    why         text NOT NULL CHECK (length(why) BETWEEN 1 AND 60),
    exclude     uuid[] NOT NULL DEFAULT '{}' CHECK (cardinality(exclude) <= 1000),
    since       timestamptz NOT NULL DEFAULT fleet.clock(),
    tried_at    timestamptz NOT NULL DEFAULT fleet.clock(),
    alerted_at  timestamptz,
    PRIMARY KEY (tenant_id, client_id)
);
COMMENT ON TABLE fleet.assignment_waitlist IS 'Clients that no partner could take. Tried again when capacity rises, not by the clock.';
COMMENT ON COLUMN fleet.assignment_waitlist.exclude IS 'Partners that a person would not have for it.';
COMMENT ON COLUMN fleet.assignment_waitlist.alerted_at IS 'When it was told that it waits for too long.';
CREATE INDEX assignment_waitlist_by_age ON fleet.assignment_waitlist (since);

-- Whoever makes room wakes those who wait, in the transaction that makes it. However many do, one job waits to look at all of them:
-- the key holds until that job starts, so that no room appears between a job that has read and one that was never enqueued.
CREATE FUNCTION fleet.wake_waitlist(room numeric) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    -- A client that is being put on the list is seen here, or else sees this room: it looks once more under this lock (waitlist::lock).
    PERFORM pg_advisory_xact_lock_shared(hashtextextended('fleet.waitlist', 0));
    IF NOT EXISTS (SELECT FROM fleet.assignment_waitlist AS w WHERE w.weight <= room)
       OR NOT EXISTS (SELECT FROM fleet.kind AS k WHERE k.kind = 'assignment.batch') THEN
        RETURN;
    END IF;
    PERFORM fleet.enqueue('assignment.batch', '{"queue": "waitlist"}', jsonb_build_object('tenant_id', '00000000-0000-0000-0000-000000000000',
        'unique', jsonb_build_object('key', 'assignment.batch waitlist', 'scope', 'started')));
EXCEPTION WHEN SQLSTATE 'FL004' THEN
    NULL; -- The queue is full: room is not refused for that, and the hourly pass over all capacities wakes again.
END $$;
COMMENT ON FUNCTION fleet.wake_waitlist(numeric) IS 'Enqueues a look at the waitlist, where anybody on it would fit into that much room.';
REVOKE ALL ON FUNCTION fleet.wake_waitlist(numeric) FROM PUBLIC;

-- Partners with a client that is a rival: of the same industry, where either of the two wants to be the only one.
CREATE FUNCTION fleet.rivals_of(p_tenant uuid, p_client uuid) RETURNS TABLE (partner_id uuid)
LANGUAGE sql STABLE ROWS 50
SET jit = off  -- nearly always it finds nothing; drawn into the statement around it, its estimate would have that compiled for longer than it runs
AS $$
    SELECT h.partner_id
    FROM fleet.clients AS c
    CROSS JOIN LATERAL (
        -- In two, so that the few who ask for it are found by their own index.
        SELECT o.tenant_id, o.client_id FROM fleet.clients AS o WHERE o.industry = c.industry AND o.exclusive
        UNION ALL
        SELECT o.tenant_id, o.client_id FROM fleet.clients AS o WHERE c.exclusive AND o.industry = c.industry AND NOT o.exclusive) AS o
    CROSS JOIN LATERAL (
        SELECT a.partner_id FROM fleet.client_assignments AS a WHERE a.tenant_id = o.tenant_id AND a.client_id = o.client_id AND a.ended_at IS NULL
        UNION ALL
        SELECT r.partner_id FROM fleet.assignment_reservations AS r WHERE r.tenant_id = o.tenant_id AND r.client_id = o.client_id AND r.ended_at IS NULL) AS h
    WHERE c.tenant_id = p_tenant AND c.client_id = p_client AND (o.tenant_id, o.client_id) <> (c.tenant_id, c.client_id)
$$;
COMMENT ON FUNCTION fleet.rivals_of(uuid, uuid) IS 'Where a client cannot go, because a competitor is there and one of them asked for exclusivity.';

-- A score follows the square root of the headroom (fleet_jobs::capacity), so that it can follow a slot at once; the next computation says
-- it exactly, and what it is where there was no headroom at all.
CREATE FUNCTION fleet.score_at(score numeric, room numeric, new_room numeric) RETURNS numeric
LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
    SELECT CASE WHEN new_room <= 0 THEN 0 WHEN room <= 0 THEN score ELSE LEAST(100, round(score * sqrt(new_room / room), 2)) END
$$;

-- Takes a slot of a partner for a client, where there is one: the only way in, whoever assigns. No row: no slot.
-- The guard is one UPDATE. It is asked only once the row is locked, so that what it reads besides that row (is the partner active, whom
-- else does it serve) is of a moment at which nobody else can take a slot of it. A refusal leaves no lock behind: who goes on to the
-- next partner never waits for one while holding another.
-- Stored computations compare inputs_version, so one that read before this cannot overwrite it.
CREATE FUNCTION fleet.take_slot(p_tenant uuid, p_client uuid, p_partner uuid, p_weight numeric, p_by_hand boolean, p_overload boolean)
RETURNS TABLE (load_after numeric, cap_then numeric)
LANGUAGE plpgsql AS $$
BEGIN
    PERFORM FROM fleet.partner_capacity AS c WHERE c.partner_id = p_partner FOR NO KEY UPDATE;
    UPDATE fleet.partner_capacity AS c
    SET load = c.load + p_weight, score = fleet.score_at(c.score, c.cap - c.load, c.cap - c.load - p_weight), inputs_version = c.inputs_version + 1
    WHERE c.partner_id = p_partner AND (c.load + p_weight <= c.cap OR p_overload)
      AND EXISTS (
          SELECT FROM fleet.partners AS p
          WHERE p.partner_id = p_partner AND p.status = 'active' AND (p.serves IS NULL OR p_tenant = ANY (p.serves))
            AND p.tenant_id IN ('00000000-0000-0000-0000-000000000000', p_tenant))
      -- As fleet.rivals_of, from the partner's side: it has few clients.
      AND (p_by_hand OR NOT EXISTS (
          SELECT FROM fleet.clients AS me
          CROSS JOIN LATERAL (
              SELECT a.tenant_id, a.client_id FROM fleet.client_assignments AS a WHERE a.partner_id = p_partner AND a.ended_at IS NULL
              UNION ALL
              SELECT r.tenant_id, r.client_id FROM fleet.assignment_reservations AS r WHERE r.partner_id = p_partner AND r.ended_at IS NULL) AS h
          JOIN fleet.clients AS o ON o.tenant_id = h.tenant_id AND o.client_id = h.client_id
          WHERE me.tenant_id = p_tenant AND me.client_id = p_client AND o.industry = me.industry AND (o.exclusive OR me.exclusive)
            AND (o.tenant_id, o.client_id) <> (p_tenant, p_client)))
    RETURNING c.load, c.cap INTO load_after, cap_then;
    IF NOT FOUND THEN
        RAISE EXCEPTION 'no slot' USING ERRCODE = 'FL010';
    END IF;
    RETURN NEXT;
EXCEPTION WHEN SQLSTATE 'FL010' THEN
    RETURN;
END $$;
COMMENT ON FUNCTION fleet.take_slot(uuid, uuid, uuid, numeric, boolean, boolean) IS 'Raises a partner''s load by a client''s weight if it stays within the cap; the caller inserts the row that the weight is of, in the same transaction.';

CREATE FUNCTION fleet.free_slot(p_partner uuid, p_weight numeric) RETURNS void
LANGUAGE sql AS $$
    UPDATE fleet.partner_capacity AS c
    SET load = GREATEST(0, c.load - p_weight), score = fleet.score_at(c.score, c.cap - c.load, c.cap - GREATEST(0, c.load - p_weight)),
        inputs_version = c.inputs_version + 1
    WHERE c.partner_id = p_partner
$$;
COMMENT ON FUNCTION fleet.free_slot(uuid, numeric) IS 'Gives a slot back; the caller ends the row that the weight is of, in the same transaction.';

-- A tenant's session cannot read the platform's partners; a person of the tenant may name one all the same.
CREATE FUNCTION fleet.partner_for(p_tenant uuid, p_partner uuid) RETURNS TABLE (status text, serves boolean, load numeric, cap numeric)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
    SELECT p.status, p.tenant_id IN ('00000000-0000-0000-0000-000000000000', p_tenant) AND (p.serves IS NULL OR p_tenant = ANY (p.serves)), c.load, c.cap
    FROM fleet.partners AS p
    LEFT JOIN fleet.partner_capacity AS c ON c.partner_id = p.partner_id
    WHERE p.partner_id = p_partner AND (fleet.may_see(p_tenant) OR current_setting('role', true) IS DISTINCT FROM 'fleet_api')
      AND p.tenant_id IN ('00000000-0000-0000-0000-000000000000', p_tenant)
$$;
COMMENT ON FUNCTION fleet.partner_for(uuid, uuid) IS 'Whether a partner works for a tenant, and how much room it has; nothing where the session may not see the tenant, or the partner is another''s.';

-- What a choice among ten thousand partners reads stands in one row each, in fleet.partner_capacity: so one look finds whatever has changed
-- since the last (fleet_jobs::assignment::roster).
COMMENT ON COLUMN fleet.partner_capacity.tier IS 'This, and all that a partner knows and where and for whom it works, is copied for choosing; fleet.partners and the leaderboard say what is so.';
COMMENT ON COLUMN fleet.partner_capacity.week_share IS 'How many of Monday to Friday it works, 0 to 1.';
COMMENT ON COLUMN fleet.partner_capacity.opens_utc IS 'Minute of the UTC day at which it opens, as its zone stands: put right every hour. May lie before midnight or after the next.';
COMMENT ON COLUMN fleet.partner_capacity.open_for IS 'Minutes of its working day.';
COMMENT ON COLUMN fleet.partner_capacity.percentile IS 'Of the run that assignment_standing names; null where it is not ranked there.';

CREATE TABLE fleet.assignment_standing (
    tenant_id  uuid NOT NULL DEFAULT '00000000-0000-0000-0000-000000000000' PRIMARY KEY,
    run_id     uuid,
    offsets_at timestamptz
);
COMMENT ON TABLE fleet.assignment_standing IS 'One row: which leaderboard run the percentiles of partner_capacity are from, and as of which hour the zones.';
INSERT INTO fleet.assignment_standing DEFAULT VALUES;

CREATE FUNCTION fleet.utc_minutes(zone text, at timestamptz) RETURNS integer
LANGUAGE sql STABLE PARALLEL SAFE AS $$ SELECT (extract(epoch FROM timezone(zone, at) - timezone('UTC', at)) / 60)::integer $$;
COMMENT ON FUNCTION fleet.utc_minutes(text, timestamptz) IS 'By how much a zone''s clock is ahead of UTC at a moment.';

CREATE FUNCTION fleet.copy_profiles(changed uuid[]) RETURNS void
LANGUAGE sql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
    UPDATE fleet.partner_capacity AS c
    SET tier = p.tier, status = p.status, serves = p.serves, industries = p.industries, channels = p.channels, languages = p.languages,
        regions = p.regions,
        week_share = (SELECT count(*) FROM unnest(p.work_days) AS d (day) WHERE d.day <= 5) / 5.0,
        opens_utc = extract(epoch FROM p.opens) / 60 - fleet.utc_minutes(p.zone, fleet.clock()),
        open_for = extract(epoch FROM p.closes - p.opens) / 60,
        percentile = (SELECT e.percentile FROM fleet.assignment_standing AS s
                      JOIN fleet.leaderboard_entries AS e ON e.tenant_id = s.tenant_id AND e.run_id = s.run_id
                      WHERE e.subject_id = p.partner_id AND e.subject_tenant_id = s.tenant_id AND e.status = 'ranked')
    FROM fleet.partners AS p
    WHERE c.partner_id = ANY (changed) AND p.partner_id = c.partner_id
$$;
COMMENT ON FUNCTION fleet.copy_profiles(uuid[]) IS 'Copies what choosing reads of these partners to their capacities.';
REVOKE ALL ON FUNCTION fleet.copy_profiles(uuid[]) FROM PUBLIC;

CREATE FUNCTION fleet.capacity_begun() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    v_new uuid[] := ARRAY(SELECT n.partner_id FROM new_rows AS n WHERE n.tier IS NULL ORDER BY n.partner_id);
BEGIN
    IF v_new <> '{}' THEN
        PERFORM fleet.copy_profiles(v_new);
        PERFORM fleet.wake_waitlist((SELECT max(n.cap - n.load) FROM new_rows AS n));
    END IF;
    RETURN NULL;
END $$;
COMMENT ON FUNCTION fleet.capacity_begun() IS 'After partners were scored for the first time: from now on they can be chosen.';
CREATE TRIGGER capacity_begun AFTER INSERT ON fleet.partner_capacity REFERENCING NEW TABLE AS new_rows
    FOR EACH STATEMENT EXECUTE FUNCTION fleet.capacity_begun();

CREATE FUNCTION fleet.capacity_rose() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    -- More room than before; or the same, of a partner that is back.
    v_room numeric := (SELECT max(n.cap - n.load) FROM new_rows AS n JOIN old_rows AS o ON o.partner_id = n.partner_id
                       WHERE n.cap - n.load > o.cap - o.load OR n.score > 0 AND o.score = 0);
BEGIN
    IF v_room > 0 THEN
        PERFORM fleet.wake_waitlist(v_room);
    END IF;
    RETURN NULL;
END $$;
COMMENT ON FUNCTION fleet.capacity_rose() IS 'After a statement that may have given partners room.';
CREATE TRIGGER capacity_rose AFTER UPDATE ON fleet.partner_capacity REFERENCING OLD TABLE AS old_rows NEW TABLE AS new_rows
    FOR EACH STATEMENT EXECUTE FUNCTION fleet.capacity_rose();

-- A partner that is back, learns something, or may work elsewhere, is as good as room.
CREATE FUNCTION fleet.profile_changed() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    PERFORM fleet.copy_profiles(ARRAY[NEW.partner_id]);
    PERFORM fleet.wake_waitlist(c.cap - c.load) FROM fleet.partner_capacity AS c WHERE c.partner_id = NEW.partner_id AND NEW.status = 'active';
    RETURN NULL;
END $$;
COMMENT ON FUNCTION fleet.profile_changed() IS 'After a change of what a partner is, knows, and where and for whom it may work.';
-- Named to come before capacity_input_altered: the partner's capacity is locked before its score is asked for, as by whoever takes a slot.
CREATE TRIGGER capacity_copied AFTER UPDATE ON fleet.partners
    FOR EACH ROW WHEN ((OLD.status, OLD.tier, OLD.industries, OLD.channels, OLD.languages, OLD.regions, OLD.serves, OLD.zone, OLD.work_days, OLD.opens, OLD.closes)
        IS DISTINCT FROM (NEW.status, NEW.tier, NEW.industries, NEW.channels, NEW.languages, NEW.regions, NEW.serves, NEW.zone, NEW.work_days, NEW.opens, NEW.closes))
    EXECUTE FUNCTION fleet.profile_changed();
SELECT fleet.copy_profiles(ARRAY(SELECT partner_id FROM fleet.partner_capacity));

ALTER TABLE fleet.assignment_settings ENABLE ROW LEVEL SECURITY;
ALTER TABLE fleet.assignment_decisions ENABLE ROW LEVEL SECURITY;
ALTER TABLE fleet.assignment_reservations ENABLE ROW LEVEL SECURITY;
ALTER TABLE fleet.assignment_waitlist ENABLE ROW LEVEL SECURITY;
ALTER TABLE fleet.assignment_standing ENABLE ROW LEVEL SECURITY;
CREATE POLICY own_tenant ON fleet.assignment_settings USING (fleet.may_see(tenant_id));
CREATE POLICY own_tenant ON fleet.assignment_decisions USING (fleet.may_see(tenant_id));
CREATE POLICY own_tenant ON fleet.assignment_reservations USING (fleet.may_see(tenant_id));
CREATE POLICY own_tenant ON fleet.assignment_waitlist USING (fleet.may_see(tenant_id));
CREATE POLICY own_tenant ON fleet.assignment_standing USING (fleet.may_see(tenant_id));
GRANT SELECT, INSERT ON fleet.assignment_settings, fleet.assignment_decisions TO fleet_api;
GRANT SELECT, DELETE ON fleet.assignment_waitlist TO fleet_api;
GRANT SELECT ON fleet.assignment_reservations TO fleet_api;
GRANT UPDATE (ended_at, ended_as) ON fleet.assignment_reservations TO fleet_api;
-- A person of the platform assigns by hand within the request; the policies keep a tenant's key to its own rows.
GRANT INSERT ON fleet.client_assignments TO fleet_api;
GRANT UPDATE (ended_at) ON fleet.client_assignments TO fleet_api;
GRANT UPDATE (load, score, inputs_version) ON fleet.partner_capacity TO fleet_api;
GRANT UPDATE (partner_id) ON fleet.campaigns TO fleet_api;
GRANT UPDATE (name, status, plan, monthly_budget_micros, industry, channels, languages, region, exclusive, zone) ON fleet.clients TO fleet_api;
