-- Where diagnostics.effect leaves its trace. On purpose without a unique constraint: a doubled effect must show.
CREATE TABLE fleet.diagnostic_effect (
    key     text NOT NULL,
    job_id  uuid NOT NULL,
    attempt integer NOT NULL,
    at      timestamptz NOT NULL
);
COMMENT ON TABLE fleet.diagnostic_effect IS 'One row an effect; a key that stands twice is a broken promise.';
CREATE INDEX diagnostic_effect_key ON fleet.diagnostic_effect (key);
