-- The audit (I13): what a key changed. Rows are added and never altered, not even by the owner.

CREATE TABLE fleet.audit (
    id          bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    at          timestamptz NOT NULL DEFAULT fleet.clock(),
    key_id      uuid NOT NULL,
    key_name    text NOT NULL,
    tenant_id   uuid NOT NULL,
    action      text NOT NULL CHECK (length(action) BETWEEN 1 AND 100),
    subject     text CHECK (length(subject) <= 400),
    jobs        uuid[],
    reason      text CHECK (length(reason) <= 1000),
    detail      jsonb,
    request_ids text[] NOT NULL CHECK (cardinality(request_ids) >= 1)
);
COMMENT ON TABLE fleet.audit IS 'One row a changing action. Enqueues that shared a commit share a row for each key and tenant.';
COMMENT ON COLUMN fleet.audit.tenant_id IS 'Whose rows were changed; the nil id: the platform''s.';
COMMENT ON COLUMN fleet.audit.jobs IS 'The jobs that were made or changed.';
CREATE INDEX audit_by_tenant ON fleet.audit (tenant_id, id);

CREATE FUNCTION fleet.refuse_alteration() RETURNS trigger
LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'rows of % are never altered', TG_TABLE_NAME USING ERRCODE = 'FL013';
END $$;
CREATE TRIGGER audit_stands BEFORE UPDATE OR DELETE OR TRUNCATE ON fleet.audit
    FOR EACH STATEMENT EXECUTE FUNCTION fleet.refuse_alteration();

ALTER TABLE fleet.audit ENABLE ROW LEVEL SECURITY;
CREATE POLICY tenant ON fleet.audit USING (fleet.may_see(tenant_id)) WITH CHECK (fleet.may_see(tenant_id));
GRANT SELECT, INSERT ON fleet.audit TO fleet_api;
