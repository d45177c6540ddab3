-- Which campaigns of the demo data cheat: what anomaly rules find is measured against this table, and nothing else reads it.

CREATE TABLE fleet.demo_labels (
    tenant_id   uuid NOT NULL,
    campaign_id uuid NOT NULL,
    kind        text NOT NULL CHECK (kind IN ('click_flood', 'conversion_stuffing', 'revenue_without_clicks', 'revenue_spike', 'conversion_burst')),
    day         date NOT NULL,
    PRIMARY KEY (tenant_id, campaign_id)
);
COMMENT ON TABLE fleet.demo_labels IS 'The cheats that the demo generator put in, for measuring precision and recall. Empty outside of demos.';
ALTER TABLE fleet.demo_labels ENABLE ROW LEVEL SECURITY;
CREATE POLICY own_tenant ON fleet.demo_labels USING (fleet.may_see(tenant_id));
GRANT SELECT ON fleet.demo_labels TO fleet_api;
