-- Decisions that wait for a person, and when they do: nothing is applied before somebody approves.

CREATE DOMAIN fleet.decision_name AS text CHECK (VALUE ~ '^[a-z][a-z_]{0,59}$');
CREATE DOMAIN fleet.share AS double precision CHECK (VALUE BETWEEN 0 AND 1);

CREATE TABLE fleet.approval_policies (
    tenant_id uuid NOT NULL DEFAULT '00000000-0000-0000-0000-000000000000',
    decision  fleet.decision_name NOT NULL,
    version   integer NOT NULL CHECK (version > 0),
    review    text NOT NULL CHECK (review IN ('never', 'below_threshold', 'always')),
    threshold fleet.share NOT NULL,
    set_by    text NOT NULL CHECK (length(set_by) BETWEEN 1 AND 200),
    set_at    timestamptz NOT NULL DEFAULT fleet.clock(),
    note      fleet.reason_text,
    PRIMARY KEY (tenant_id, decision, version)
);
COMMENT ON TABLE fleet.approval_policies IS 'Which decisions of software wait for a person. Only added to: the newest version holds; a tenant without one has the platform''s.';
COMMENT ON COLUMN fleet.approval_policies.threshold IS 'Confidence below which a decision waits, where review says so.';
INSERT INTO fleet.approval_policies (decision, version, review, threshold, set_by) VALUES
    ('assignment', 1, 'below_threshold', 0.85, 'the platform'),
    ('rebalance', 1, 'always', 0, 'the platform'),
    ('triage', 1, 'below_threshold', 0.75, 'the platform'),
    ('triage_model', 1, 'always', 0, 'the platform');

CREATE TABLE fleet.approvals (
    tenant_id   uuid NOT NULL,
    approval_id uuid NOT NULL DEFAULT fleet.new_id(),
    decision    fleet.decision_name NOT NULL,
    subject     uuid NOT NULL,
    status      text NOT NULL DEFAULT 'pending' CHECK (status IN ('pending', 'approved', 'rejected', 'corrected', 'expired', 'withdrawn')),
    revision    integer NOT NULL DEFAULT 1 CHECK (revision > 0),
    proposal    jsonb NOT NULL CHECK (pg_column_size(proposal) <= 262144),
    rationale   jsonb NOT NULL CHECK (pg_column_size(rationale) <= 262144),
    confidence  fleet.share,
    threshold   fleet.share,
    correction  jsonb CHECK (pg_column_size(correction) <= 65536),
    apply_kind  fleet.name_text NOT NULL,
    asked_at    timestamptz NOT NULL DEFAULT fleet.clock(),
    expires_at  timestamptz,
    decided_at  timestamptz,
    decided_by  text CHECK (length(decided_by) BETWEEN 1 AND 200),
    note        fleet.reason_text,
    PRIMARY KEY (tenant_id, approval_id),
    CONSTRAINT approvals_decided_iff_ended CHECK ((status = 'pending') = (decided_at IS NULL)),
    CONSTRAINT approvals_person_decides CHECK (status NOT IN ('approved', 'rejected', 'corrected') OR decided_by IS NOT NULL),
    CONSTRAINT approvals_corrected_iff_told_how CHECK ((status = 'corrected') = (correction IS NOT NULL))
);
COMMENT ON TABLE fleet.approvals IS 'What software would do and a person decides.';
COMMENT ON COLUMN fleet.approvals.subject IS 'Whom or what it is about: a client, a ticket.';
COMMENT ON COLUMN fleet.approvals.revision IS 'Rises when a waiting proposal is replaced, so that nobody approves what was not shown.';
COMMENT ON COLUMN fleet.approvals.proposal IS 'What is applied when it is approved, in the shape of whoever asked.';
COMMENT ON COLUMN fleet.approvals.rationale IS 'What it rests on, for the person.';
COMMENT ON COLUMN fleet.approvals.correction IS 'What the person wants instead.';
COMMENT ON COLUMN fleet.approvals.apply_kind IS 'The kind of the job that is enqueued with the decision, and carries it out.';
COMMENT ON COLUMN fleet.approvals.expires_at IS 'When it stops waiting, unapplied; null: never.';
CREATE UNIQUE INDEX approvals_one_pending ON fleet.approvals (tenant_id, decision, subject) WHERE status = 'pending';
CREATE UNIQUE INDEX approvals_by_id ON fleet.approvals (approval_id);
CREATE INDEX approvals_waiting ON fleet.approvals (decision, approval_id) WHERE status = 'pending';
CREATE INDEX approvals_by_subject ON fleet.approvals (subject, approval_id);

ALTER TABLE fleet.approval_policies ENABLE ROW LEVEL SECURITY;
ALTER TABLE fleet.approvals ENABLE ROW LEVEL SECURITY;
-- The platform's rules hold for every tenant that has none of its own, so all may read them.
CREATE POLICY own_tenant_or_platform ON fleet.approval_policies
    USING (fleet.may_see(tenant_id) OR tenant_id = '00000000-0000-0000-0000-000000000000')
    WITH CHECK (fleet.may_see(tenant_id));
CREATE POLICY own_tenant ON fleet.approvals USING (fleet.may_see(tenant_id));
GRANT SELECT, INSERT ON fleet.approval_policies TO fleet_api;
GRANT SELECT ON fleet.approvals TO fleet_api;
GRANT UPDATE (status, correction, decided_at, decided_by, note) ON fleet.approvals TO fleet_api;
-- A decision enqueues its job by the name of its kind (fleet.enqueue), which wakes who sleeps.
GRANT SELECT (worker_id, queue) ON fleet.sleeper TO fleet_api;
