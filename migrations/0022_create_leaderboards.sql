-- Boards, the runs that compute them, and their entries.
-- A board points at one run; a refresh builds another beside it and moves the pointer, so a reader sees one whole run or the other.

CREATE TABLE fleet.leaderboards (
    tenant_id        uuid NOT NULL,
    board_id         uuid NOT NULL DEFAULT fleet.new_id(),
    name             text NOT NULL CHECK (length(name) BETWEEN 1 AND 200),
    subject_kind     text NOT NULL CHECK (subject_kind IN ('partner', 'client', 'campaign')),
    period           text NOT NULL CHECK (period IN ('day', 'week', 'month', 'rolling_30d', 'all')),
    industry         text CHECK (length(industry) BETWEEN 1 AND 60),
    scoring_criteria jsonb NOT NULL CHECK (jsonb_typeof(scoring_criteria) = 'object'),
    alias_salt       bytea NOT NULL DEFAULT uuid_send(gen_random_uuid()),
    current_run_id   uuid,
    created_at       timestamptz NOT NULL DEFAULT fleet.clock(),
    PRIMARY KEY (tenant_id, board_id)
);
COMMENT ON TABLE fleet.leaderboards IS 'Definitions. The nil tenant''s boards rank across all tenants, a tenant''s own only its campaigns.';
COMMENT ON COLUMN fleet.leaderboards.industry IS 'Null: all industries.';
COMMENT ON COLUMN fleet.leaderboards.scoring_criteria IS 'Weights and thresholds; checked by fleet_jobs::leaderboard::Criteria when saved and when used. Every run keeps the copy it used.';
COMMENT ON COLUMN fleet.leaderboards.alias_salt IS 'Makes a subject''s alias differ from board to board, so that aliases cannot be joined.';
COMMENT ON COLUMN fleet.leaderboards.current_run_id IS 'The run that readers see.';
CREATE UNIQUE INDEX leaderboards_by_id ON fleet.leaderboards (board_id);
CREATE UNIQUE INDEX leaderboards_once ON fleet.leaderboards (tenant_id, subject_kind, period, COALESCE(industry, ''));

CREATE TABLE fleet.leaderboard_runs (
    tenant_id    uuid NOT NULL,
    run_id       uuid NOT NULL DEFAULT fleet.new_id(),
    board_id     uuid NOT NULL,
    status       text NOT NULL DEFAULT 'building'
        CHECK (status IN ('building', 'published', 'superseded', 'superseded_unpublished', 'held', 'dry_run')),
    window_start date NOT NULL,
    window_end   date NOT NULL CHECK (window_end > window_start),
    watermark    bigint NOT NULL DEFAULT 0,
    params_version text NOT NULL CHECK (length(params_version) = 64),
    criteria     jsonb NOT NULL,
    prev_run_id  uuid,
    rows_read    bigint NOT NULL DEFAULT 0 CHECK (rows_read >= 0),
    quarantined  bigint NOT NULL DEFAULT 0 CHECK (quarantined >= 0),
    subjects     integer NOT NULL DEFAULT 0 CHECK (subjects >= 0),
    ranked       integer NOT NULL DEFAULT 0 CHECK (ranked BETWEEN 0 AND subjects),
    held         integer NOT NULL DEFAULT 0 CHECK (held BETWEEN 0 AND subjects),
    checksum     text CHECK (length(checksum) = 64),
    started_at   timestamptz NOT NULL DEFAULT fleet.clock(),
    published_at timestamptz,
    PRIMARY KEY (tenant_id, run_id),
    FOREIGN KEY (tenant_id, board_id) REFERENCES fleet.leaderboards,
    CONSTRAINT leaderboard_runs_published_has_time CHECK ((status IN ('published', 'superseded')) = (published_at IS NOT NULL)),
    CONSTRAINT leaderboard_runs_built_has_checksum CHECK (status = 'building' OR checksum IS NOT NULL)
);
COMMENT ON TABLE fleet.leaderboard_runs IS 'Each computation of a board: what it read, with which parameters, and what became of it.';
COMMENT ON COLUMN fleet.leaderboard_runs.status IS 'held: too many bad rows; superseded_unpublished: a newer run was published first.';
COMMENT ON COLUMN fleet.leaderboard_runs.window_end IS 'The first day not counted.';
COMMENT ON COLUMN fleet.leaderboard_runs.watermark IS 'Highest seq of the metrics it read. The same watermark and params_version give the same checksum.';
COMMENT ON COLUMN fleet.leaderboard_runs.params_version IS 'SHA-256 of the criteria.';
COMMENT ON COLUMN fleet.leaderboard_runs.prev_run_id IS 'The last published run of an earlier window, against which movement is told.';
COMMENT ON COLUMN fleet.leaderboard_runs.ranked IS 'N: how many were eligible, hidden ones among them.';
COMMENT ON COLUMN fleet.leaderboard_runs.checksum IS 'SHA-256 over the ordered entries.';
CREATE INDEX leaderboard_runs_by_board ON fleet.leaderboard_runs (tenant_id, board_id, window_end DESC, published_at DESC);
CREATE UNIQUE INDEX leaderboard_runs_one_published ON fleet.leaderboard_runs (tenant_id, board_id) WHERE status = 'published';

CREATE TABLE fleet.leaderboard_entries (
    tenant_id         uuid NOT NULL,
    run_id            uuid NOT NULL,
    subject_id        uuid NOT NULL,
    subject_tenant_id uuid NOT NULL,
    partner_id        uuid,
    label             text NOT NULL,
    status            text NOT NULL CHECK (status IN ('ranked', 'held', 'unranked')),
    place             integer NOT NULL CHECK (place > 0),
    rank              integer CHECK (rank > 0),
    dense_rank        integer CHECK (dense_rank BETWEEN 1 AND rank),
    percentile        numeric(7, 6) CHECK (percentile BETWEEN 0 AND 1),
    prev_rank         integer CHECK (prev_rank > 0),
    rank_delta        integer,
    is_new            boolean NOT NULL,
    score             numeric(9, 4) CHECK (score BETWEEN 0 AND 100),
    metrics           jsonb NOT NULL,
    missing           jsonb NOT NULL DEFAULT '[]' CHECK (jsonb_typeof(missing) = 'array'),
    PRIMARY KEY (tenant_id, run_id, subject_id, subject_tenant_id),
    UNIQUE (tenant_id, run_id, place),
    CONSTRAINT leaderboard_entries_rank_iff_ranked CHECK ((status = 'ranked') = (rank IS NOT NULL AND dense_rank IS NOT NULL AND percentile IS NOT NULL AND score IS NOT NULL)),
    CONSTRAINT leaderboard_entries_delta_needs_both CHECK ((rank_delta IS NULL) = (rank IS NULL OR prev_rank IS NULL)),
    CONSTRAINT leaderboard_entries_unranked_says_why CHECK ((status = 'unranked') = (missing <> '[]'))
);
COMMENT ON TABLE fleet.leaderboard_entries IS 'The subjects of a run. Never updated: a correction is another run.';
COMMENT ON COLUMN fleet.leaderboard_entries.subject_tenant_id IS 'Whose subject it is; part of the key, since two tenants may use the same id.';
COMMENT ON COLUMN fleet.leaderboard_entries.partner_id IS 'The partner it is or is run by; that partner sees it as its own.';
COMMENT ON COLUMN fleet.leaderboard_entries.status IS 'held: an anomaly is open, so it keeps its old rank (prev_rank) and does not compete; unranked: too little data.';
COMMENT ON COLUMN fleet.leaderboard_entries.place IS 'Order of display: rank, then revenue, then id. Equal scores share a rank and not a place.';
COMMENT ON COLUMN fleet.leaderboard_entries.rank_delta IS 'Places climbed since the run before (negative: fallen).';
COMMENT ON COLUMN fleet.leaderboard_entries.missing IS 'For the unranked: each requirement not met, with what it has and needs.';

CREATE TABLE fleet.leaderboard_priors (
    tenant_id uuid NOT NULL,
    run_id    uuid NOT NULL,
    industry  text NOT NULL,
    channel   text NOT NULL,
    rate      text NOT NULL CHECK (rate IN ('ctr', 'cvr')),
    mean      double precision NOT NULL CHECK (mean BETWEEN 0 AND 1),
    strength  double precision NOT NULL CHECK (strength > 0),
    subjects  bigint NOT NULL,
    PRIMARY KEY (tenant_id, run_id, industry, channel, rate)
);
COMMENT ON TABLE fleet.leaderboard_priors IS 'What each segment''s rates were shrunk towards, kept so that a rank can be explained.';
COMMENT ON COLUMN fleet.leaderboard_priors.strength IS 'M: as many imagined trials at the mean rate are added to each subject''s own.';

CREATE UNLOGGED TABLE fleet.leaderboard_sums (
    tenant_id      uuid NOT NULL,
    run_id         uuid NOT NULL,
    subject_id     uuid NOT NULL,
    subject_tenant_id uuid NOT NULL,
    industry       text NOT NULL,
    channel        text NOT NULL,
    impressions    numeric NOT NULL,
    clicks         numeric NOT NULL,
    conversions    numeric NOT NULL,
    spend_micros   numeric NOT NULL,
    revenue_micros numeric NOT NULL,
    days           date[] NOT NULL,
    metric_rows    bigint NOT NULL
);
COMMENT ON TABLE fleet.leaderboard_sums IS 'A run''s working table: sums by subject and segment in the reporting currency. Emptied when the run is built; prune takes what a crash left.';
COMMENT ON COLUMN fleet.leaderboard_sums.subject_tenant_id IS 'The nil tenant for partners, who are one and the same for all tenants.';
COMMENT ON COLUMN fleet.leaderboard_sums.spend_micros IS 'Numeric, because a sum over a million rows may pass what a bigint holds.';
COMMENT ON COLUMN fleet.leaderboard_sums.days IS 'The distinct days with impressions.';
CREATE UNLOGGED TABLE fleet.leaderboard_totals (
    tenant_id         uuid NOT NULL,
    run_id            uuid NOT NULL,
    subject_id        uuid NOT NULL,
    subject_tenant_id uuid NOT NULL,
    partner_id        uuid,
    label             text NOT NULL,
    status            text NOT NULL,
    impressions       numeric NOT NULL,
    clicks            numeric NOT NULL,
    conversions       numeric NOT NULL,
    spend_micros      numeric NOT NULL,
    revenue_micros    numeric NOT NULL,
    days              bigint NOT NULL,
    ctr               numeric,
    cvr               numeric,
    roas              numeric,
    missing           jsonb NOT NULL
);
COMMENT ON TABLE fleet.leaderboard_totals IS 'A run''s other working table: one row a subject, its segments taken together, judged eligible or not.';
COMMENT ON COLUMN fleet.leaderboard_totals.ctr IS 'Shrunk, like cvr. Null where no segment of it had a trial.';
CREATE INDEX leaderboard_totals_by_run ON fleet.leaderboard_totals (run_id);
CREATE INDEX leaderboard_sums_by_run ON fleet.leaderboard_sums (run_id);

-- (successes + M m) / (trials + M): the mean of the beta posterior. Rounded so that equal rates are equal whatever the order of summation.
CREATE FUNCTION fleet.shrunk_rate(successes numeric, trials numeric, mean double precision, strength double precision) RETURNS numeric
LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
    SELECT round(((successes::double precision + strength * mean) / (trials::double precision + strength))::numeric, 12)
$$;
COMMENT ON FUNCTION fleet.shrunk_rate(numeric, numeric, double precision, double precision) IS 'An observed rate drawn towards its segment''s mean, the more so the fewer trials it rests on.';

-- Everything that can stand on a board, in one shape.
CREATE VIEW fleet.leaderboard_subjects AS
    SELECT 'partner' AS subject_kind, p.tenant_id, p.partner_id AS subject_id, p.partner_id, p.name, p.active_since
    FROM fleet.partners AS p
    WHERE p.status <> 'inactive'
    UNION ALL
    SELECT 'client', c.tenant_id, c.client_id, NULL, c.name, c.active_since
    FROM fleet.clients AS c
    UNION ALL
    SELECT 'campaign', c.tenant_id, c.campaign_id, c.partner_id, c.name, c.active_since
    FROM fleet.campaigns AS c;
COMMENT ON VIEW fleet.leaderboard_subjects IS 'Partners, clients and campaigns alike. Not granted to the API: a view reads past row-level security.';

ALTER TABLE fleet.leaderboards ENABLE ROW LEVEL SECURITY;
ALTER TABLE fleet.leaderboard_runs ENABLE ROW LEVEL SECURITY;
ALTER TABLE fleet.leaderboard_entries ENABLE ROW LEVEL SECURITY;
ALTER TABLE fleet.leaderboard_priors ENABLE ROW LEVEL SECURITY;
ALTER TABLE fleet.leaderboard_totals ENABLE ROW LEVEL SECURITY;
ALTER TABLE fleet.leaderboard_sums ENABLE ROW LEVEL SECURITY;
-- A platform board and its runs name nobody, so every tenant may know of them; entries stay behind fleet.leaderboard_shown.
CREATE POLICY own_tenant_or_platform ON fleet.leaderboards
    USING (fleet.may_see(tenant_id) OR tenant_id = '00000000-0000-0000-0000-000000000000')
    WITH CHECK (fleet.may_see(tenant_id));
CREATE POLICY own_tenant_or_platform ON fleet.leaderboard_runs
    USING (fleet.may_see(tenant_id) OR tenant_id = '00000000-0000-0000-0000-000000000000')
    WITH CHECK (fleet.may_see(tenant_id));
CREATE POLICY own_tenant ON fleet.leaderboard_entries USING (fleet.may_see(tenant_id));
CREATE POLICY own_tenant ON fleet.leaderboard_priors USING (fleet.may_see(tenant_id));
CREATE POLICY own_tenant ON fleet.leaderboard_totals USING (fleet.may_see(tenant_id));
CREATE POLICY own_tenant ON fleet.leaderboard_sums USING (fleet.may_see(tenant_id));
-- Column by column, to leave out the salt.
GRANT SELECT (tenant_id, board_id, name, subject_kind, period, industry, scoring_criteria, current_run_id, created_at) ON fleet.leaderboards TO fleet_api;
GRANT INSERT (tenant_id, name, subject_kind, period, industry, scoring_criteria), UPDATE (name, scoring_criteria) ON fleet.leaderboards TO fleet_api;
GRANT SELECT ON fleet.leaderboard_runs, fleet.leaderboard_entries, fleet.leaderboard_priors TO fleet_api;
