-- What each scheduler process last did, for people to see.

CREATE TABLE fleet.duty (
    name     text NOT NULL CHECK (length(name) BETWEEN 1 AND 50),
    process  uuid NOT NULL,
    host     text NOT NULL,
    ran_at   timestamptz NOT NULL,
    took_ms  double precision NOT NULL,
    rounds   bigint NOT NULL,
    failures bigint NOT NULL,
    error    text CHECK (length(error) <= 2000),
    result   jsonb NOT NULL,
    noted_at timestamptz NOT NULL,
    PRIMARY KEY (name, process)
) WITH (fillfactor = 50, autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 200);
COMMENT ON TABLE fleet.duty IS 'The last round of each upkeep duty, by process; written once a minute, so that an idle fleet stays idle.';
COMMENT ON COLUMN fleet.duty.error IS 'Of the last round; none: it went well.';
COMMENT ON COLUMN fleet.duty.rounds IS 'Since the process started.';
COMMENT ON COLUMN fleet.duty.noted_at IS 'When this row was written; a process that is gone stops writing.';

ALTER TABLE fleet.duty ENABLE ROW LEVEL SECURITY;
CREATE POLICY admin ON fleet.duty USING (current_setting('fleet.tenant', true) = '*');
GRANT SELECT ON fleet.duty TO fleet_api;
