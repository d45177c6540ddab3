-- The audit (I13): what a key changed. Rows are added and never altered, not even by the owner.

CREATE DOMAIN fleet.subject_text AS text CHECK (length(VALUE) <= 400);
CREATE DOMAIN fleet.request_id_list AS text[] CHECK (cardinality(VALUE) >= 1);

CREATE TABLE fleet.audit (
    id          bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    at          timestamptz NOT NULL DEFAULT fleet.clock(),
    key_id      uuid NOT NULL,
    key_name    text NOT NULL,
    tenant_id   uuid NOT NULL,
    action      fleet.name_text NOT NULL,
    subject     fleet.subject_text,
    jobs        uuid[],
    reason      fleet.reason_text,
    detail      jsonb,
    request_ids fleet.request_id_list NOT NULL
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
