-- Row-level security from the first day (I12): the API's role sees and touches only the rows of the tenant its session names.

DO $$
DECLARE
    t text;
BEGIN
    FOREACH t IN ARRAY ARRAY['job', 'job_history', 'attempt', 'job_log', 'job_output', 'job_step', 'job_dependency', 'unique_window',
        'lane', 'arrival', 'flow', 'counter', 'total', 'tenant_weight']
    LOOP
        EXECUTE format('ALTER TABLE fleet.%I ENABLE ROW LEVEL SECURITY', t);
        EXECUTE format('CREATE POLICY tenant ON fleet.%I USING (fleet.may_see(tenant_id)) WITH CHECK (fleet.may_see(tenant_id))', t);
    END LOOP;
END $$;

-- Limits on a tenant show that the tenant exists: to admins only.
ALTER TABLE fleet.bucket ENABLE ROW LEVEL SECURITY;
ALTER TABLE fleet.limit_rule ENABLE ROW LEVEL SECURITY;
ALTER TABLE fleet.pause ENABLE ROW LEVEL SECURITY;
CREATE POLICY admin ON fleet.bucket USING (current_setting('fleet.tenant', true) = '*');
CREATE POLICY admin ON fleet.limit_rule USING (current_setting('fleet.tenant', true) = '*');
CREATE POLICY admin ON fleet.pause USING (current_setting('fleet.tenant', true) = '*');

-- What the API does itself: enqueue, and what a person may do to a waiting job. Claims and settles are not for it.
GRANT SELECT ON ALL TABLES IN SCHEMA fleet TO fleet_api;
GRANT INSERT, UPDATE, DELETE ON fleet.job, fleet.job_dependency, fleet.unique_window TO fleet_api;
GRANT INSERT ON fleet.arrival, fleet.flow, fleet.job_history, fleet.attempt, fleet.job_output, fleet.cancel_signal, fleet.bucket_release TO fleet_api;
GRANT DELETE ON fleet.job_history TO fleet_api;
GRANT INSERT, UPDATE, DELETE ON fleet.queue, fleet.pause, fleet.limit_rule, fleet.bucket, fleet.tenant_weight TO fleet_api;
GRANT UPDATE (draining) ON fleet.worker TO fleet_api;
