-- What campaigns did, day by day; the rows that were refused; and the days that look too good to be true.

CREATE SEQUENCE fleet.metric_seq AS bigint;
COMMENT ON SEQUENCE fleet.metric_seq IS 'Numbers metric rows in the order in which they commit: whoever draws from it first takes the ingest lock (fleet_jobs::metrics::store).';

CREATE TABLE fleet.campaign_metrics (
    tenant_id        uuid NOT NULL,
    client_id        uuid NOT NULL,
    partner_id       uuid,
    campaign_id      uuid NOT NULL,
    day              date NOT NULL,
    agent_variant    text NOT NULL DEFAULT 'baseline' CHECK (length(agent_variant) BETWEEN 1 AND 40),
    impressions      bigint NOT NULL CHECK (impressions >= 0),
    clicks           bigint NOT NULL CHECK (clicks BETWEEN 0 AND impressions),
    conversions      bigint NOT NULL CHECK (conversions BETWEEN 0 AND clicks),
    spend_micros     bigint NOT NULL CHECK (spend_micros >= 0),
    revenue_micros   bigint NOT NULL CHECK (revenue_micros >= 0),
    currency         text NOT NULL CHECK (currency ~ '^[A-Z]{3}$'),
    conversion_hours smallint CHECK (conversion_hours BETWEEN 0 AND 24),
    seq              bigint NOT NULL DEFAULT nextval('fleet.metric_seq'),
    PRIMARY KEY (tenant_id, campaign_id, day, agent_variant)
) WITH (
    fillfactor = 90, -- platforms restate recent days; the upsert finds room beside the row
    autovacuum_vacuum_insert_scale_factor = 0.05, autovacuum_analyze_scale_factor = 0.02
);
COMMENT ON TABLE fleet.campaign_metrics IS 'One row a campaign, day and agent variant. Sent again, a row replaces the earlier one under a new seq.';
COMMENT ON COLUMN fleet.campaign_metrics.agent_variant IS 'Which agent configuration ran it, so that a tuned one can be compared with the baseline.';
COMMENT ON COLUMN fleet.campaign_metrics.spend_micros IS 'Millionths of the currency''s unit.';
COMMENT ON COLUMN fleet.campaign_metrics.conversion_hours IS 'In how many hours of the day conversions happened; null where the source does not say.';
COMMENT ON COLUMN fleet.campaign_metrics.seq IS 'Rises with every write, in commit order: its maximum is the watermark of a leaderboard run.';
-- Boards read a span of days, of one tenant or of all.
CREATE INDEX campaign_metrics_by_day ON fleet.campaign_metrics (day);
CREATE INDEX campaign_metrics_by_seq ON fleet.campaign_metrics (seq);

CREATE TABLE fleet.metric_quarantine (
    tenant_id   uuid NOT NULL,
    digest      text NOT NULL CHECK (length(digest) = 64),
    source      text NOT NULL CHECK (length(source) BETWEEN 1 AND 200),
    line        bigint NOT NULL CHECK (line >= 0),
    field       text CHECK (length(field) <= 60),
    reason      text NOT NULL CHECK (length(reason) BETWEEN 1 AND 60),
    raw         text NOT NULL CHECK (length(raw) <= 4096),
    campaign_id uuid,
    day         date,
    received_at timestamptz NOT NULL DEFAULT fleet.clock(),
    resolved_at timestamptz,
    PRIMARY KEY (tenant_id, digest)
);
COMMENT ON TABLE fleet.metric_quarantine IS 'Metric rows that were refused, each with its place and reason. The nil tenant holds those whose tenant could not be read.';
COMMENT ON COLUMN fleet.metric_quarantine.digest IS 'SHA-256 of the line: the same bad line sent again is the same row.';
COMMENT ON COLUMN fleet.metric_quarantine.line IS 'Line of the source; 0 where the row was found in the table and not in a file.';
COMMENT ON COLUMN fleet.metric_quarantine.resolved_at IS 'When a good row for the same campaign and day came in.';
CREATE INDEX metric_quarantine_by_time ON fleet.metric_quarantine (received_at) WHERE resolved_at IS NULL;
CREATE INDEX metric_quarantine_open ON fleet.metric_quarantine (tenant_id, campaign_id, day) WHERE resolved_at IS NULL;

CREATE TABLE fleet.metric_holds (
    tenant_id   uuid NOT NULL,
    hold_id     uuid NOT NULL DEFAULT fleet.new_id(),
    campaign_id uuid NOT NULL,
    client_id   uuid NOT NULL,
    partner_id  uuid,
    day         date NOT NULL,
    rule        text NOT NULL CHECK (rule IN ('ctr_outlier', 'cvr_outlier', 'revenue_outlier', 'revenue_without_clicks', 'cvr_too_high', 'conversions_in_few_hours')),
    detail      jsonb NOT NULL CHECK (jsonb_typeof(detail) = 'object'),
    opened_at   timestamptz NOT NULL DEFAULT fleet.clock(),
    cleared_at  timestamptz,
    cleared_by  text CHECK (length(cleared_by) BETWEEN 1 AND 200),
    note        text CHECK (length(note) <= 1000),
    PRIMARY KEY (tenant_id, hold_id),
    CONSTRAINT metric_holds_cleared_by_someone CHECK ((cleared_at IS NULL) = (cleared_by IS NULL))
);
COMMENT ON TABLE fleet.metric_holds IS 'Anomalies. While one is open its campaign, client and partner keep their old rank and cannot be promoted.';
COMMENT ON COLUMN fleet.metric_holds.detail IS 'The figures that broke the rule: value, median, z and n for outliers.';
-- A cleared hold stays, so that the next scan does not open it again.
CREATE UNIQUE INDEX metric_holds_once ON fleet.metric_holds (tenant_id, campaign_id, day, rule);
CREATE INDEX metric_holds_open ON fleet.metric_holds (opened_at) WHERE cleared_at IS NULL;

CREATE TABLE fleet.metric_scans (
    tenant_id  uuid NOT NULL DEFAULT '00000000-0000-0000-0000-000000000000',
    window_end date NOT NULL,
    watermark  bigint NOT NULL,
    rules      text NOT NULL,
    scanned_at timestamptz NOT NULL DEFAULT fleet.clock(),
    PRIMARY KEY (tenant_id, window_end, rules)
);
COMMENT ON TABLE fleet.metric_scans IS 'How far anomalies were looked for, so that ten boards over one set of metrics cost one scan.';
COMMENT ON COLUMN fleet.metric_scans.rules IS 'Digest of the thresholds the scan used.';

ALTER TABLE fleet.campaign_metrics ENABLE ROW LEVEL SECURITY;
ALTER TABLE fleet.metric_quarantine ENABLE ROW LEVEL SECURITY;
ALTER TABLE fleet.metric_holds ENABLE ROW LEVEL SECURITY;
ALTER TABLE fleet.metric_scans ENABLE ROW LEVEL SECURITY;
CREATE POLICY own_tenant ON fleet.campaign_metrics USING (fleet.may_see(tenant_id));
CREATE POLICY own_tenant ON fleet.metric_quarantine USING (fleet.may_see(tenant_id));
CREATE POLICY own_tenant ON fleet.metric_holds USING (fleet.may_see(tenant_id));
CREATE POLICY own_tenant ON fleet.metric_scans USING (fleet.may_see(tenant_id));
GRANT SELECT, INSERT, UPDATE ON fleet.campaign_metrics, fleet.metric_quarantine TO fleet_api;
GRANT USAGE ON SEQUENCE fleet.metric_seq TO fleet_api;
GRANT SELECT ON fleet.metric_holds, fleet.metric_scans TO fleet_api;
GRANT UPDATE (cleared_at, cleared_by, note) ON fleet.metric_holds TO fleet_api;
