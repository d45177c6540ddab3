-- Answers kept for Idempotency-Key: the same request again gets the same answer, and does nothing again.

CREATE TABLE fleet.idempotency (
    tenant_id  uuid NOT NULL,
    key        text NOT NULL CHECK (length(key) BETWEEN 1 AND 200),
    request    bytea NOT NULL CHECK (octet_length(request) = 32),
    status     smallint,
    answer     jsonb,
    expires_at timestamptz NOT NULL,
    PRIMARY KEY (tenant_id, key),
    CONSTRAINT idempotency_answered_whole CHECK ((status IS NULL) = (answer IS NULL))
);
COMMENT ON TABLE fleet.idempotency IS 'Committed together with what the request did, so that a lost answer can be asked for again.';
COMMENT ON COLUMN fleet.idempotency.request IS 'SHA-256 of route and body: the same key with another request is refused.';
COMMENT ON COLUMN fleet.idempotency.status IS 'Null only inside the transaction that does the work; the row makes a twin request wait for it.';
CREATE INDEX idempotency_age ON fleet.idempotency (expires_at);

ALTER TABLE fleet.idempotency ENABLE ROW LEVEL SECURITY;
CREATE POLICY tenant ON fleet.idempotency USING (fleet.may_see(tenant_id)) WITH CHECK (fleet.may_see(tenant_id));
GRANT SELECT, INSERT, UPDATE ON fleet.idempotency TO fleet_api;
