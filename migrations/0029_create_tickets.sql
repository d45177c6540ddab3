-- Tickets: what clients ask for, who answers, what was promised, and why each was sorted as it was.

CREATE DOMAIN fleet.message_text AS text CHECK (length(VALUE) <= 100000);
CREATE DOMAIN fleet.subject_line AS text CHECK (length(VALUE) <= 500);
CREATE DOMAIN fleet.category_text AS text CHECK (VALUE ~ '^[a-z][a-z0-9_]{0,59}$');

CREATE TABLE fleet.tickets (
    tenant_id        uuid NOT NULL,
    ticket_id        uuid NOT NULL DEFAULT fleet.new_id(),
    client_id        uuid NOT NULL,
    partner_id       uuid,
    external_id      fleet.label_text,
    subject          fleet.subject_line NOT NULL DEFAULT '',
    status           text NOT NULL DEFAULT 'open' CHECK (status IN ('open', 'in_progress', 'resolved', 'escalated')),
    waiting          boolean NOT NULL DEFAULT false,
    priority         text NOT NULL DEFAULT 'medium' CHECK (priority IN ('low', 'medium', 'high')),
    escalation_level smallint NOT NULL DEFAULT 0 CHECK (escalation_level BETWEEN 0 AND 3),
    assigned_to      text NOT NULL GENERATED ALWAYS AS (CASE escalation_level WHEN 0 THEN 'tier1' WHEN 1 THEN 'partner' WHEN 2 THEN 'senior' ELSE 'admin' END) STORED,
    watched          boolean NOT NULL DEFAULT false,
    wants_partner    boolean NOT NULL DEFAULT false,
    category         fleet.category_text,
    language         text CHECK (length(language) BETWEEN 2 AND 8),
    sentiment        double precision CHECK (sentiment BETWEEN -1 AND 1),
    simhash          bigint,
    suggestions      jsonb NOT NULL DEFAULT '[]' CHECK (jsonb_typeof(suggestions) = 'array'),
    reply_draft      fleet.message_text,
    needs_review     boolean NOT NULL DEFAULT false,
    review_since     timestamptz,
    human_set        text[] NOT NULL DEFAULT '{}' CHECK (human_set <@ '{category,priority,route}'::text[]),
    revision         integer NOT NULL DEFAULT 1 CHECK (revision > 0),
    version          integer NOT NULL DEFAULT 1 CHECK (version > 0),
    triaged_revision integer,
    opened_at        timestamptz NOT NULL DEFAULT fleet.clock(),
    first_response_at    timestamptz CHECK (first_response_at >= opened_at),
    first_response_hours double precision,
    closed_at        timestamptz CHECK (closed_at >= opened_at),
    on_clock         boolean NOT NULL GENERATED ALWAYS AS (status <> 'resolved' AND NOT waiting AND escalation_level IN (1, 2)) STORED,
    PRIMARY KEY (tenant_id, ticket_id),
    CONSTRAINT tickets_resolved_is_closed CHECK ((status = 'resolved') = (closed_at IS NOT NULL)),
    CONSTRAINT tickets_partners_have_one CHECK (escalation_level NOT IN (1, 2) OR partner_id IS NOT NULL),
    CONSTRAINT tickets_response_is_counted CHECK (first_response_at IS NULL OR partner_id IS NULL OR first_response_hours IS NOT NULL),
    CONSTRAINT tickets_review_has_begun CHECK (needs_review = (review_since IS NOT NULL))
) WITH (fillfactor = 70);  -- each is rewritten a few times: sorted, answered, closed
COMMENT ON TABLE fleet.tickets IS 'What clients ask for. Deleting one is allowed; its jobs find it gone and end.';
COMMENT ON COLUMN fleet.tickets.partner_id IS 'Who answers, or answered before it was escalated to an admin.';
COMMENT ON COLUMN fleet.tickets.external_id IS 'What the portal calls it: the same twice is the same ticket.';
COMMENT ON COLUMN fleet.tickets.waiting IS 'For the customer: no promise runs meanwhile.';
COMMENT ON COLUMN fleet.tickets.escalation_level IS '0 Tier 1, 1 a partner, 2 a senior partner, 3 an admin. High at level 3 is what the documents call critical.';
COMMENT ON COLUMN fleet.tickets.watched IS 'An admin keeps an eye on what a partner does with it.';
COMMENT ON COLUMN fleet.tickets.wants_partner IS 'It is for a partner, and none had room; triage.route_backlog looks again.';
COMMENT ON COLUMN fleet.tickets.simhash IS 'Of its text: near texts differ in few bits.';
COMMENT ON COLUMN fleet.tickets.human_set IS 'What a person has decided, and triage therefore leaves alone.';
COMMENT ON COLUMN fleet.tickets.revision IS 'Rises with what the customer says; a job for an older one has nothing to do.';
COMMENT ON COLUMN fleet.tickets.version IS 'Rises with every change; an edit names the version that it looked at.';
COMMENT ON COLUMN fleet.tickets.first_response_hours IS 'In the partner''s working hours as they were when it answered; filled in by a trigger.';
COMMENT ON COLUMN fleet.tickets.on_clock IS 'Whether it counts towards its partner''s load.';
CREATE UNIQUE INDEX tickets_external ON fleet.tickets (tenant_id, external_id) WHERE external_id IS NOT NULL;
CREATE INDEX tickets_by_client ON fleet.tickets (tenant_id, client_id, opened_at DESC) INCLUDE (simhash);
CREATE INDEX tickets_by_id ON fleet.tickets (ticket_id);
CREATE INDEX tickets_live ON fleet.tickets (tenant_id, ticket_id DESC) WHERE status <> 'resolved';
CREATE INDEX tickets_for_review ON fleet.tickets (tenant_id, ticket_id DESC) WHERE needs_review;
CREATE INDEX tickets_wanting ON fleet.tickets (opened_at) WHERE wants_partner;
CREATE INDEX tickets_untriaged ON fleet.tickets (opened_at) WHERE triaged_revision IS DISTINCT FROM revision AND status <> 'resolved';
CREATE INDEX tickets_open ON fleet.tickets (partner_id) INCLUDE (tenant_id) WHERE on_clock;
CREATE INDEX tickets_answered ON fleet.tickets (partner_id, first_response_at) INCLUDE (tenant_id, first_response_hours) WHERE first_response_at IS NOT NULL AND partner_id IS NOT NULL;

CREATE TABLE fleet.ticket_messages (
    tenant_id   uuid NOT NULL,
    message_id  uuid NOT NULL DEFAULT fleet.new_id(),
    ticket_id   uuid NOT NULL,
    author      text NOT NULL CHECK (author IN ('customer', 'staff', 'automatic')),
    body        fleet.message_text NOT NULL,
    external_id fleet.key_text,
    sent_at     timestamptz NOT NULL DEFAULT fleet.clock(),
    PRIMARY KEY (tenant_id, message_id),
    FOREIGN KEY (tenant_id, ticket_id) REFERENCES fleet.tickets ON DELETE CASCADE
);
COMMENT ON TABLE fleet.ticket_messages IS 'What was said, as it was said; the model and the logs see it masked.';
COMMENT ON COLUMN fleet.ticket_messages.external_id IS 'The e-mail''s Message-ID or the like: the same under two tickets of a client within a day makes them candidates for a merge.';
CREATE INDEX ticket_messages_of ON fleet.ticket_messages (tenant_id, ticket_id, message_id);
CREATE INDEX ticket_messages_external ON fleet.ticket_messages (tenant_id, external_id) WHERE external_id IS NOT NULL;

CREATE TABLE fleet.ticket_clocks (
    tenant_id      uuid NOT NULL,
    ticket_id      uuid NOT NULL,
    clock          text NOT NULL CHECK (clock IN ('first_response', 'next_response', 'resolution')),
    message_id     uuid NOT NULL DEFAULT '00000000-0000-0000-0000-000000000000',
    state          text NOT NULL CHECK (state IN ('running', 'paused', 'met', 'breached')),
    target_minutes integer NOT NULL CHECK (target_minutes > 0),
    used_minutes   double precision NOT NULL DEFAULT 0 CHECK (used_minutes >= 0),
    running_since  timestamptz,
    due_at         timestamptz,
    warned         smallint NOT NULL DEFAULT 0 CHECK (warned IN (0, 75, 90)),
    decided_at     timestamptz,
    job_id         uuid,
    PRIMARY KEY (tenant_id, ticket_id, clock, message_id),
    FOREIGN KEY (tenant_id, ticket_id) REFERENCES fleet.tickets ON DELETE CASCADE,
    CONSTRAINT ticket_clocks_run_from_somewhen CHECK ((state = 'running') = (running_since IS NOT NULL)),
    CONSTRAINT ticket_clocks_run_to_somewhen CHECK (state <> 'running' OR due_at IS NOT NULL),
    CONSTRAINT ticket_clocks_are_decided_once CHECK ((state IN ('met', 'breached')) = (decided_at IS NOT NULL))
);
COMMENT ON TABLE fleet.ticket_clocks IS 'What a ticket''s owner was promised, one row a promise: met or breached at most once.';
COMMENT ON COLUMN fleet.ticket_clocks.message_id IS 'The unanswered message of a next response; nil for the others, of which a ticket has one.';
COMMENT ON COLUMN fleet.ticket_clocks.used_minutes IS 'Business minutes that ran before running_since.';
COMMENT ON COLUMN fleet.ticket_clocks.due_at IS 'When the target is used up if nothing pauses it.';
COMMENT ON COLUMN fleet.ticket_clocks.job_id IS 'The job that waits for its next threshold.';
CREATE INDEX ticket_clocks_due ON fleet.ticket_clocks (due_at) WHERE state = 'running';
CREATE INDEX ticket_clocks_decided ON fleet.ticket_clocks (decided_at) WHERE state IN ('met', 'breached');

CREATE TABLE fleet.business_hours (
    tenant_id uuid PRIMARY KEY,
    zone      text NOT NULL DEFAULT 'UTC' CHECK (timezone(zone, timestamp '2000-01-01') IS NOT NULL),
    work_days smallint[] NOT NULL DEFAULT '{1,2,3,4,5}' CHECK (work_days <@ '{1,2,3,4,5,6,7}'::smallint[] AND cardinality(work_days) BETWEEN 1 AND 7),
    opens     smallint NOT NULL DEFAULT 540 CHECK (opens BETWEEN 0 AND 1439),
    closes    smallint NOT NULL DEFAULT 1020 CHECK (closes BETWEEN 1 AND 1440),
    CONSTRAINT business_hours_open_before_they_close CHECK (opens < closes)
);
COMMENT ON TABLE fleet.business_hours IS 'When a tenant''s promises run; without a row Monday to Friday, 9 to 17 UTC.';
COMMENT ON COLUMN fleet.business_hours.opens IS 'Minutes after midnight on the zone''s clocks; 1440 is the end of the day.';

CREATE TABLE fleet.holidays (
    tenant_id uuid NOT NULL,
    day       date NOT NULL,
    name      fleet.label_text NOT NULL DEFAULT '',
    PRIMARY KEY (tenant_id, day)
);
COMMENT ON TABLE fleet.holidays IS 'Days on which no promise of a tenant runs.';

CREATE TABLE fleet.triage_settings (
    tenant_id uuid NOT NULL,
    version   integer NOT NULL CHECK (version > 0),
    settings  jsonb NOT NULL CHECK (jsonb_typeof(settings) = 'object' AND pg_column_size(settings) <= 65536),
    set_by    fleet.label_text NOT NULL,
    set_at    timestamptz NOT NULL DEFAULT fleet.clock(),
    PRIMARY KEY (tenant_id, version)
);
COMMENT ON TABLE fleet.triage_settings IS 'What triage is turned by: the latest row of the tenant, else of the platform, else the defaults of the code. Only added to.';
CREATE TRIGGER triage_settings_stand BEFORE UPDATE OR DELETE OR TRUNCATE ON fleet.triage_settings
    FOR EACH STATEMENT EXECUTE FUNCTION fleet.refuse_alteration();

CREATE TABLE fleet.triage_decisions (
    tenant_id        uuid NOT NULL,
    decision_id      uuid NOT NULL DEFAULT fleet.new_id(),
    ticket_id        uuid NOT NULL,
    revision         integer NOT NULL,
    model_version    fleet.label_text NOT NULL,
    settings_version integer NOT NULL,
    category         fleet.category_text NOT NULL,
    priority         text NOT NULL CHECK (priority IN ('low', 'medium', 'high')),
    route            text NOT NULL CHECK (route IN ('tier1', 'partner', 'admin')),
    confidence       fleet.share NOT NULL,
    threshold        fleet.share NOT NULL,
    outcome          text NOT NULL CHECK (outcome IN ('applied', 'review')),
    explanation      jsonb NOT NULL CHECK (jsonb_typeof(explanation) = 'object' AND pg_column_size(explanation) <= 65536),
    decided_at       timestamptz NOT NULL DEFAULT fleet.clock(),
    PRIMARY KEY (tenant_id, decision_id),
    FOREIGN KEY (tenant_id, ticket_id) REFERENCES fleet.tickets ON DELETE CASCADE
);
COMMENT ON TABLE fleet.triage_decisions IS 'Why each ticket was sorted as it was: features, rules that hit, the threshold, the model.';
COMMENT ON COLUMN fleet.triage_decisions.model_version IS '`rules` where there was no model, `person` where a person had said what it is about.';
CREATE UNIQUE INDEX triage_decisions_once ON fleet.triage_decisions (tenant_id, ticket_id, revision, model_version);
CREATE INDEX triage_decisions_by_time ON fleet.triage_decisions (decided_at);

CREATE TABLE fleet.triage_labels (
    tenant_id     uuid NOT NULL,
    ticket_id     uuid NOT NULL,
    revision      integer NOT NULL,
    text          fleet.message_text NOT NULL,
    label         fleet.category_text NOT NULL,
    predicted     fleet.category_text,
    confidence    fleet.share,
    model_version fleet.label_text,
    source        text NOT NULL CHECK (source IN ('approved', 'corrected', 'edited')),
    labelled_at   timestamptz NOT NULL DEFAULT fleet.clock(),
    PRIMARY KEY (tenant_id, ticket_id, revision)
);
COMMENT ON TABLE fleet.triage_labels IS 'What people said a ticket is about: training data, with personal data masked. Outlives the ticket.';
COMMENT ON COLUMN fleet.triage_labels.predicted IS 'What triage had said, so that its precision can be counted.';
CREATE INDEX triage_labels_by_time ON fleet.triage_labels (labelled_at);

CREATE TABLE fleet.ticket_links (
    tenant_id uuid NOT NULL,
    ticket_id uuid NOT NULL,
    other_id  uuid NOT NULL,
    reason    text NOT NULL CHECK (reason IN ('text', 'message_id')),
    distance  smallint NOT NULL CHECK (distance BETWEEN 0 AND 64),
    linked_at timestamptz NOT NULL DEFAULT fleet.clock(),
    PRIMARY KEY (tenant_id, ticket_id, other_id),
    FOREIGN KEY (tenant_id, ticket_id) REFERENCES fleet.tickets ON DELETE CASCADE,
    FOREIGN KEY (tenant_id, other_id) REFERENCES fleet.tickets (tenant_id, ticket_id) ON DELETE CASCADE,
    CONSTRAINT ticket_links_join_two CHECK (ticket_id <> other_id)
);
COMMENT ON TABLE fleet.ticket_links IS 'Tickets that look like an earlier one of the same client: candidates for a merge, by a person.';
CREATE INDEX ticket_links_back ON fleet.ticket_links (tenant_id, other_id);

CREATE TABLE fleet.kb_articles (
    tenant_id  uuid NOT NULL,
    article_id uuid NOT NULL DEFAULT fleet.new_id(),
    title      fleet.label_text NOT NULL CHECK (title <> ''),
    body       fleet.message_text NOT NULL,
    published  boolean NOT NULL DEFAULT true,
    updated_at timestamptz NOT NULL DEFAULT fleet.clock(),
    PRIMARY KEY (tenant_id, article_id)
);
COMMENT ON TABLE fleet.kb_articles IS 'What is known already, to be suggested; the platform''s are everybody''s.';
CREATE INDEX kb_articles_changed ON fleet.kb_articles (tenant_id, updated_at) WHERE published;

ALTER TABLE fleet.partner_escalations ADD COLUMN ticket_id uuid;
COMMENT ON COLUMN fleet.partner_escalations.ticket_id IS 'What was escalated; null where it was no ticket of ours.';
CREATE UNIQUE INDEX partner_escalations_once ON fleet.partner_escalations (tenant_id, ticket_id, partner_id) WHERE closed_at IS NULL AND ticket_id IS NOT NULL;

-- From here on tickets themselves are what capacity reads.
INSERT INTO fleet.tickets (tenant_id, ticket_id, client_id, partner_id, subject, status, waiting, escalation_level, opened_at, first_response_at, first_response_hours, closed_at)
SELECT tenant_id, ticket_id, '00000000-0000-0000-0000-000000000000', partner_id, '', CASE WHEN closed_at IS NULL THEN 'open' ELSE 'resolved' END, NOT on_clock, 1,
       opened_at, first_response_at, first_response_hours, closed_at
FROM fleet.partner_tickets;
DROP TABLE fleet.partner_tickets;
CREATE TRIGGER tickets_count BEFORE INSERT OR UPDATE OF first_response_at, partner_id ON fleet.tickets FOR EACH ROW EXECUTE FUNCTION fleet.count_first_response();

CREATE FUNCTION fleet.tickets_changed() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    v_changed uuid[];
BEGIN
    IF TG_OP = 'INSERT' THEN
        v_changed := ARRAY(SELECT DISTINCT n.partner_id FROM new_rows AS n WHERE n.partner_id IS NOT NULL);
    ELSIF TG_OP = 'DELETE' THEN
        v_changed := ARRAY(SELECT DISTINCT o.partner_id FROM old_rows AS o WHERE o.partner_id IS NOT NULL);
    ELSE
        v_changed := ARRAY(
            SELECT DISTINCT p.partner_id
            FROM old_rows AS o
            JOIN new_rows AS n ON n.tenant_id = o.tenant_id AND n.ticket_id = o.ticket_id
            CROSS JOIN LATERAL (VALUES (o.partner_id), (n.partner_id)) AS p (partner_id)
            WHERE (o.partner_id, o.on_clock, o.first_response_at) IS DISTINCT FROM (n.partner_id, n.on_clock, n.first_response_at)
              AND p.partner_id IS NOT NULL);
    END IF;
    IF v_changed <> '{}' THEN
        PERFORM fleet.ask_capacity(v_changed);
    END IF;
    RETURN NULL;
END $$;
COMMENT ON FUNCTION fleet.tickets_changed() IS 'After a statement that changed tickets: asks for the capacity of those partners whose work it changed.';
CREATE TRIGGER capacity_input_added AFTER INSERT ON fleet.tickets REFERENCING NEW TABLE AS new_rows
    FOR EACH STATEMENT EXECUTE FUNCTION fleet.tickets_changed();
CREATE TRIGGER capacity_input_altered AFTER UPDATE ON fleet.tickets REFERENCING OLD TABLE AS old_rows NEW TABLE AS new_rows
    FOR EACH STATEMENT EXECUTE FUNCTION fleet.tickets_changed();
CREATE TRIGGER capacity_input_removed AFTER DELETE ON fleet.tickets REFERENCING OLD TABLE AS old_rows
    FOR EACH STATEMENT EXECUTE FUNCTION fleet.tickets_changed();

-- A tenant's key routes and escalates its own tickets to partners of the platform, whose rows it may not read.
CREATE FUNCTION fleet.ticket_partner(tenant uuid, client uuid) RETURNS uuid
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
    SELECT p.partner_id
    FROM fleet.client_assignments AS a
    JOIN fleet.partners AS p ON p.partner_id = a.partner_id
    LEFT JOIN fleet.partner_capacity AS c ON c.partner_id = p.partner_id
    WHERE a.tenant_id = tenant AND a.client_id = client AND a.ended_at IS NULL AND p.status = 'active'
      AND (current_setting('role') <> 'fleet_api' OR fleet.may_see(tenant))
      -- A ticket weighs a tenth; one whose capacity was never computed has room.
      AND (c.partner_id IS NULL OR c.load + 0.1 <= c.cap)
      AND NOT EXISTS (SELECT FROM fleet.partner_leaves AS l
                      WHERE l.partner_id = p.partner_id AND l.starts_at <= fleet.clock() AND l.ends_at > fleet.clock())
$$;
COMMENT ON FUNCTION fleet.ticket_partner(uuid, uuid) IS 'The client''s own partner, where it can take a ticket now.';
REVOKE ALL ON FUNCTION fleet.ticket_partner(uuid, uuid) FROM PUBLIC;

CREATE FUNCTION fleet.ticket_senior(tenant uuid, except_for uuid) RETURNS uuid
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
    SELECT p.partner_id
    FROM fleet.partners AS p
    JOIN fleet.partner_capacity AS c ON c.partner_id = p.partner_id
    WHERE p.tier = 'senior' AND p.status = 'active' AND p.partner_id IS DISTINCT FROM except_for
      AND (current_setting('role') <> 'fleet_api' OR fleet.may_see(tenant))
      AND p.tenant_id IN (tenant, '00000000-0000-0000-0000-000000000000') AND (p.serves IS NULL OR tenant = ANY (p.serves))
      AND c.score > 0 AND c.load + 0.1 <= c.cap
    ORDER BY c.score DESC, p.partner_id
    LIMIT 1
$$;
COMMENT ON FUNCTION fleet.ticket_senior(uuid, uuid) IS 'The senior partner with most room that works for a tenant.';
REVOKE ALL ON FUNCTION fleet.ticket_senior(uuid, uuid) FROM PUBLIC;

DO $$
DECLARE
    v_table text;
BEGIN
    FOREACH v_table IN ARRAY ARRAY['tickets', 'ticket_messages', 'ticket_clocks', 'triage_decisions', 'triage_labels', 'ticket_links'] LOOP
        EXECUTE format('ALTER TABLE fleet.%I ENABLE ROW LEVEL SECURITY', v_table);
        EXECUTE format('CREATE POLICY own_tenant ON fleet.%I USING (fleet.may_see(tenant_id))', v_table);
    END LOOP;
    -- What the platform says holds for everybody, unless a tenant says otherwise for itself.
    FOREACH v_table IN ARRAY ARRAY['business_hours', 'holidays', 'triage_settings', 'kb_articles'] LOOP
        EXECUTE format('ALTER TABLE fleet.%I ENABLE ROW LEVEL SECURITY', v_table);
        EXECUTE format('CREATE POLICY own_tenant_or_platform ON fleet.%I FOR SELECT
            USING (fleet.may_see(tenant_id) OR tenant_id = ''00000000-0000-0000-0000-000000000000'')', v_table);
        EXECUTE format('CREATE POLICY own_tenant ON fleet.%I USING (fleet.may_see(tenant_id)) WITH CHECK (fleet.may_see(tenant_id))', v_table);
    END LOOP;
END $$;
GRANT SELECT ON fleet.tickets, fleet.ticket_messages, fleet.ticket_clocks, fleet.triage_decisions, fleet.triage_labels, fleet.ticket_links,
    fleet.business_hours, fleet.holidays, fleet.triage_settings, fleet.kb_articles TO fleet_api;
GRANT INSERT ON fleet.tickets, fleet.ticket_messages, fleet.ticket_clocks, fleet.triage_labels, fleet.triage_settings, fleet.sla_outcomes, fleet.partner_escalations
    TO fleet_api;
GRANT INSERT, UPDATE ON fleet.business_hours, fleet.kb_articles TO fleet_api;
GRANT INSERT, UPDATE, DELETE ON fleet.holidays TO fleet_api;
GRANT UPDATE (status, waiting, priority, escalation_level, partner_id, watched, wants_partner, category, needs_review, review_since, human_set, revision, version,
    first_response_at, closed_at) ON fleet.tickets TO fleet_api;
GRANT UPDATE (state, target_minutes, used_minutes, running_since, due_at, warned, decided_at, job_id) ON fleet.ticket_clocks TO fleet_api;
GRANT UPDATE (text, label, source, labelled_at) ON fleet.triage_labels TO fleet_api;
GRANT UPDATE (closed_at) ON fleet.partner_escalations TO fleet_api;
GRANT EXECUTE ON FUNCTION fleet.ticket_partner(uuid, uuid), fleet.ticket_senior(uuid, uuid) TO fleet_api;
