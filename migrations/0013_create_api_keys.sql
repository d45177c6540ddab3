-- Keys of the control API: 256 bits shown once, stored as their SHA-256.

CREATE TABLE fleet.api_key (
    id           uuid PRIMARY KEY,
    prefix       text NOT NULL UNIQUE CHECK (prefix ~ '^[0-9a-f]{8}$'),
    hash         bytea NOT NULL CHECK (octet_length(hash) = 32),
    name         text NOT NULL CHECK (length(name) BETWEEN 1 AND 100),
    tenant_id    uuid,
    scopes       text[] NOT NULL CHECK (cardinality(scopes) BETWEEN 1 AND 20),
    kinds        text[] CHECK (cardinality(kinds) BETWEEN 1 AND 1000),
    created_at   timestamptz NOT NULL,
    expires_at   timestamptz,
    revoked_at   timestamptz,
    last_used_at timestamptz,
    -- A tenant's key never reaches over its tenant.
    CONSTRAINT api_key_admin_has_no_tenant CHECK (tenant_id IS NULL OR NOT ('admin' = ANY (scopes)))
);
COMMENT ON TABLE fleet.api_key IS 'Who may call the API. The API''s role cannot read it: keys are checked before any role is taken.';
COMMENT ON COLUMN fleet.api_key.prefix IS 'The part of the key that people see; finds the row.';
COMMENT ON COLUMN fleet.api_key.hash IS 'SHA-256 of the whole key, which has 256 random bits: no salt or stretching is needed.';
COMMENT ON COLUMN fleet.api_key.tenant_id IS 'Whose rows it reaches; null: the platform''s own, every tenant''s.';
COMMENT ON COLUMN fleet.api_key.kinds IS 'Kinds it may enqueue; null: any.';
COMMENT ON COLUMN fleet.api_key.last_used_at IS 'Written at most once a minute.';

-- No policy: whoever does not own the table sees nothing of it.
ALTER TABLE fleet.api_key ENABLE ROW LEVEL SECURITY;
