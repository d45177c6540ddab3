-- What the API's role may not do by mistake (I12), and the little more that it must see.

-- A privilege on a partition goes around the policies of its parent: the role reaches rows through the parents only.
DO $$
DECLARE
    part regclass;
BEGIN
    FOR part IN SELECT inhrelid::regclass FROM pg_inherits JOIN pg_class p ON p.oid = inhparent WHERE p.relnamespace = 'fleet'::regnamespace AND p.relkind = 'p' LOOP
        EXECUTE format('REVOKE ALL ON %s FROM fleet_api', part);
    END LOOP;
END $$;

-- Rows here name jobs and buckets without a tenant: the role adds to them and reads only what it needs.
REVOKE SELECT ON fleet.cancel_signal, fleet.sleeper FROM fleet_api;

-- What concerns everybody is seen by everybody and changed by the platform alone.
DO $$
DECLARE
    t text;
BEGIN
    FOREACH t IN ARRAY ARRAY['queue', 'worker'] LOOP
        EXECUTE format('ALTER TABLE fleet.%I ENABLE ROW LEVEL SECURITY', t);
        EXECUTE format('CREATE POLICY seen ON fleet.%I FOR SELECT USING (true)', t);
        EXECUTE format('CREATE POLICY admin ON fleet.%I USING (current_setting(''fleet.tenant'', true) = ''*'')', t);
    END LOOP;
END $$;
-- A tenant may know its own weight, not set it.
CREATE POLICY admin_adds ON fleet.tenant_weight AS RESTRICTIVE FOR INSERT WITH CHECK (current_setting('fleet.tenant', true) = '*');
CREATE POLICY admin_changes ON fleet.tenant_weight AS RESTRICTIVE FOR UPDATE USING (current_setting('fleet.tenant', true) = '*');
CREATE POLICY admin_removes ON fleet.tenant_weight AS RESTRICTIVE FOR DELETE USING (current_setting('fleet.tenant', true) = '*');

-- So that `why` can answer a tenant: what holds its own jobs back. Pauses and limits of other tenants stay hidden.
CREATE POLICY concerned ON fleet.pause FOR SELECT USING (scope <> 'tenant' OR name = current_setting('fleet.tenant', true));
CREATE POLICY concerned ON fleet.limit_rule FOR SELECT USING (tenant_id IS NULL OR fleet.may_see(tenant_id));
CREATE POLICY concerned ON fleet.bucket FOR SELECT USING (tenant_id IS NULL OR fleet.may_see(tenant_id));

-- A queue's maximum depth bounds all tenants together, so it is counted over all of them, whoever enqueues.
ALTER FUNCTION fleet.queue_depth(text) SECURITY DEFINER SET search_path = pg_catalog, pg_temp;
