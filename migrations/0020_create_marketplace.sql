-- Who does the work and for whom: partners, clients, their campaigns, and what the leaderboards need to know of them.
-- No foreign keys between tenants: a partner serves clients of many (the nil tenant owns what belongs to the platform).

CREATE TABLE fleet.partners (
    tenant_id           uuid NOT NULL,
    partner_id          uuid NOT NULL,
    name                text NOT NULL CHECK (length(name) BETWEEN 1 AND 200),
    status              text NOT NULL DEFAULT 'active' CHECK (status IN ('active', 'paused', 'inactive')),
    tier                text NOT NULL DEFAULT 'standard' CHECK (tier IN ('standard', 'senior')),
    active_since        date NOT NULL,
    performance_metrics jsonb NOT NULL DEFAULT '{}' CHECK (jsonb_typeof(performance_metrics) = 'object'),
    industries          text[] NOT NULL DEFAULT '{}' CHECK (cardinality(industries) <= 50 AND array_position(industries, NULL) IS NULL),
    channels            text[] NOT NULL DEFAULT '{}' CHECK (cardinality(channels) <= 50 AND array_position(channels, NULL) IS NULL),
    languages           text[] NOT NULL DEFAULT '{en}' CHECK (cardinality(languages) BETWEEN 1 AND 50 AND array_position(languages, NULL) IS NULL),
    regions             text[] NOT NULL DEFAULT '{}' CHECK (cardinality(regions) <= 50 AND array_position(regions, NULL) IS NULL),
    serves              uuid[] CHECK (cardinality(serves) BETWEEN 1 AND 1000 AND array_position(serves, NULL) IS NULL),
    PRIMARY KEY (tenant_id, partner_id)
);
COMMENT ON TABLE fleet.partners IS 'Partners; platform-wide ones carry the nil tenant.';
COMMENT ON COLUMN fleet.partners.active_since IS 'Tenure counts from this day; a leaderboard asks for thirty of them.';
COMMENT ON COLUMN fleet.partners.performance_metrics IS 'By period, the figures of the partner''s latest published platform board; written by leaderboard.refresh only.';
COMMENT ON COLUMN fleet.partners.industries IS 'What it is versed in, as channels and languages are: a client goes only to who knows all of its own.';
COMMENT ON COLUMN fleet.partners.regions IS 'Where it may keep data; none named: anywhere.';
COMMENT ON COLUMN fleet.partners.serves IS 'The tenants it works for; null: every one.';
CREATE UNIQUE INDEX partners_by_id ON fleet.partners (partner_id);

-- A tenant may say that a partner works for it without being able to read the partner's row.
CREATE FUNCTION fleet.known_partners(wanted uuid[]) RETURNS SETOF uuid
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
    SELECT p.partner_id FROM fleet.partners AS p WHERE p.partner_id = ANY(wanted)
$$;
COMMENT ON FUNCTION fleet.known_partners(uuid[]) IS 'Those of the given ids that are partners: existence only, for checking metric rows.';

CREATE TABLE fleet.clients (
    tenant_id    uuid NOT NULL,
    client_id    uuid NOT NULL,
    name         text NOT NULL CHECK (length(name) BETWEEN 1 AND 200),
    active_since date NOT NULL,
    status       text NOT NULL DEFAULT 'active' CHECK (status IN ('active', 'dormant', 'closed')),
    plan         text NOT NULL DEFAULT 'standard' CHECK (plan IN ('starter', 'standard', 'enterprise')),
    monthly_budget_micros bigint NOT NULL DEFAULT 0 CHECK (monthly_budget_micros >= 0),
    industry     text CHECK (length(industry) BETWEEN 1 AND 60),
    channels     text[] NOT NULL DEFAULT '{}' CHECK (cardinality(channels) <= 50 AND array_position(channels, NULL) IS NULL),
    languages    text[] NOT NULL DEFAULT '{}' CHECK (cardinality(languages) <= 50 AND array_position(languages, NULL) IS NULL),
    region       text CHECK (length(region) BETWEEN 1 AND 60),
    exclusive    boolean NOT NULL DEFAULT false,
    zone         text NOT NULL DEFAULT 'UTC' CHECK (timezone(zone, timestamp '2000-01-01') IS NOT NULL),
    PRIMARY KEY (tenant_id, client_id)
);
COMMENT ON TABLE fleet.clients IS 'Clients: who owns campaigns.';
COMMENT ON COLUMN fleet.clients.status IS 'Dormant once it is onboarded and asks for little.';
COMMENT ON COLUMN fleet.clients.monthly_budget_micros IS 'In millionths of the reporting currency.';
COMMENT ON COLUMN fleet.clients.languages IS 'What its partner must speak; none named: anything.';
COMMENT ON COLUMN fleet.clients.region IS 'Where its data must stay; null: anywhere.';
COMMENT ON COLUMN fleet.clients.exclusive IS 'It wants no partner that serves another client of its industry.';

CREATE TABLE fleet.campaigns (
    tenant_id    uuid NOT NULL,
    campaign_id  uuid NOT NULL,
    client_id    uuid NOT NULL,
    partner_id   uuid,
    name         text NOT NULL CHECK (length(name) BETWEEN 1 AND 200),
    industry     text NOT NULL DEFAULT 'unclassified' CHECK (length(industry) BETWEEN 1 AND 60),
    channel      text NOT NULL DEFAULT 'unclassified' CHECK (length(channel) BETWEEN 1 AND 60),
    active_since date NOT NULL,
    PRIMARY KEY (tenant_id, campaign_id)
);
COMMENT ON TABLE fleet.campaigns IS 'Campaigns and the segment (industry x channel) whose typical rates they are shrunk towards.';
COMMENT ON COLUMN fleet.campaigns.partner_id IS 'Who runs it now; null where the client does. What a past day counts for stands in the metric row.';

CREATE TABLE fleet.privacy_settings (
    tenant_id    uuid NOT NULL,
    subject_kind text NOT NULL CHECK (subject_kind IN ('partner', 'client', 'campaign')),
    subject_id   uuid NOT NULL,
    visibility   text NOT NULL CHECK (visibility IN ('named', 'anonymous', 'hidden')),
    PRIMARY KEY (tenant_id, subject_kind, subject_id)
);
COMMENT ON TABLE fleet.privacy_settings IS 'How a subject appears to others on leaderboards. Being named is opt-in: no row means anonymous.';

CREATE TABLE fleet.sla_outcomes (
    tenant_id  uuid NOT NULL,
    outcome_id uuid NOT NULL DEFAULT fleet.new_id(),
    partner_id uuid NOT NULL,
    met        boolean NOT NULL,
    decided_at timestamptz NOT NULL,
    PRIMARY KEY (tenant_id, outcome_id)
);
COMMENT ON TABLE fleet.sla_outcomes IS 'One row for each promise of service that fell due: kept or not.';
CREATE INDEX sla_outcomes_by_partner ON fleet.sla_outcomes (partner_id, decided_at) INCLUDE (met);

CREATE TABLE fleet.partner_escalations (
    tenant_id     uuid NOT NULL,
    escalation_id uuid NOT NULL DEFAULT fleet.new_id(),
    partner_id    uuid NOT NULL,
    opened_at     timestamptz NOT NULL DEFAULT fleet.clock(),
    closed_at     timestamptz CHECK (closed_at >= opened_at),
    PRIMARY KEY (tenant_id, escalation_id)
);
COMMENT ON TABLE fleet.partner_escalations IS 'Escalated tickets as promotion reads them: an open one bars the partner.';
CREATE INDEX partner_escalations_open ON fleet.partner_escalations (partner_id) WHERE closed_at IS NULL;

CREATE TABLE fleet.fx_rates (
    tenant_id uuid NOT NULL DEFAULT '00000000-0000-0000-0000-000000000000',
    day       date NOT NULL,
    currency  text NOT NULL CHECK (currency ~ '^[A-Z]{3}$'),
    rate      numeric(20, 10) NOT NULL CHECK (rate > 0),
    PRIMARY KEY (tenant_id, currency, day)
);
COMMENT ON TABLE fleet.fx_rates IS 'Money is compared in one reporting currency: the one that has a rate on 0001-01-01, which is 1. A day without a rate uses the latest one before it; a day before the first has none.';
CREATE UNIQUE INDEX fx_rates_one_reporting ON fleet.fx_rates (tenant_id) WHERE day = '0001-01-01';
ALTER TABLE fleet.fx_rates ADD CONSTRAINT fx_rates_reporting_is_one CHECK (day > '0001-01-01' OR rate = 1);
INSERT INTO fleet.fx_rates (currency, day, rate) VALUES ('USD', '0001-01-01', 1);
COMMENT ON COLUMN fleet.fx_rates.rate IS 'What one unit of the currency is worth in the reporting currency that day.';

CREATE FUNCTION fleet.rate_on(wanted text, on_day date) RETURNS numeric
LANGUAGE sql STABLE PARALLEL SAFE AS $$
    SELECT r.rate
    FROM fleet.fx_rates AS r
    WHERE r.tenant_id = '00000000-0000-0000-0000-000000000000' AND r.currency = wanted AND r.day <= on_day
    ORDER BY r.day DESC
    LIMIT 1
$$;
COMMENT ON FUNCTION fleet.rate_on(text, date) IS 'The rate in force that day, or null where none is known yet.';

ALTER TABLE fleet.partners ENABLE ROW LEVEL SECURITY;
ALTER TABLE fleet.clients ENABLE ROW LEVEL SECURITY;
ALTER TABLE fleet.campaigns ENABLE ROW LEVEL SECURITY;
ALTER TABLE fleet.privacy_settings ENABLE ROW LEVEL SECURITY;
ALTER TABLE fleet.sla_outcomes ENABLE ROW LEVEL SECURITY;
ALTER TABLE fleet.partner_escalations ENABLE ROW LEVEL SECURITY;
ALTER TABLE fleet.fx_rates ENABLE ROW LEVEL SECURITY;
CREATE POLICY own_tenant ON fleet.partners USING (fleet.may_see(tenant_id));
CREATE POLICY own_tenant ON fleet.clients USING (fleet.may_see(tenant_id));
CREATE POLICY own_tenant ON fleet.campaigns USING (fleet.may_see(tenant_id));
CREATE POLICY own_tenant ON fleet.privacy_settings USING (fleet.may_see(tenant_id));
CREATE POLICY own_tenant ON fleet.sla_outcomes USING (fleet.may_see(tenant_id));
CREATE POLICY own_tenant ON fleet.partner_escalations USING (fleet.may_see(tenant_id));
-- Exchange rates are nobody's secret, and every tenant's rows are checked against them.
CREATE POLICY own_tenant_or_platform ON fleet.fx_rates
    USING (fleet.may_see(tenant_id) OR tenant_id = '00000000-0000-0000-0000-000000000000')
    WITH CHECK (fleet.may_see(tenant_id));
GRANT SELECT ON fleet.partners, fleet.clients, fleet.campaigns, fleet.sla_outcomes, fleet.partner_escalations, fleet.fx_rates TO fleet_api;
GRANT INSERT ON fleet.partners, fleet.clients, fleet.campaigns TO fleet_api;
GRANT SELECT, INSERT, UPDATE ON fleet.privacy_settings TO fleet_api;
GRANT UPDATE (tier) ON fleet.partners TO fleet_api;
