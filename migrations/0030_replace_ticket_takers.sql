-- Who can take a ticket. As functions in SQL that cannot be inlined, both were planned anew in every call, which cost more than all else
-- that triage reads; and a ticket weighs what the settings of capacity say, not a constant.

CREATE FUNCTION fleet.ticket_weight() RETURNS numeric
LANGUAGE plpgsql STABLE AS $$
BEGIN
    RETURN (SELECT (s.settings #>> '{loads,ticket}')::numeric FROM fleet.capacity_settings AS s
            WHERE s.tenant_id = '00000000-0000-0000-0000-000000000000'
            ORDER BY s.version DESC LIMIT 1);
END $$;
COMMENT ON FUNCTION fleet.ticket_weight() IS 'What an open ticket on which a promise runs adds to its partner''s load.';

CREATE OR REPLACE FUNCTION fleet.ticket_partner(tenant uuid, client uuid) RETURNS uuid
LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    v_weight constant numeric := fleet.ticket_weight();
BEGIN
    IF current_setting('role') = 'fleet_api' AND NOT fleet.may_see(tenant) THEN
        RETURN NULL;
    END IF;
    RETURN (
        SELECT p.partner_id
        FROM fleet.client_assignments AS a
        JOIN fleet.partners AS p ON p.partner_id = a.partner_id
        LEFT JOIN fleet.partner_capacity AS c ON c.partner_id = p.partner_id
        WHERE a.tenant_id = tenant AND a.client_id = client AND a.ended_at IS NULL AND p.status = 'active'
          -- One whose capacity was never computed has room.
          AND (c.partner_id IS NULL OR c.load + v_weight <= c.cap)
          AND NOT EXISTS (SELECT FROM fleet.partner_leaves AS l
                          WHERE l.partner_id = p.partner_id AND l.starts_at <= fleet.clock() AND l.ends_at > fleet.clock()));
END $$;

CREATE OR REPLACE FUNCTION fleet.ticket_senior(tenant uuid, except_for uuid) RETURNS uuid
LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    v_weight constant numeric := fleet.ticket_weight();
BEGIN
    IF current_setting('role') = 'fleet_api' AND NOT fleet.may_see(tenant) THEN
        RETURN NULL;
    END IF;
    RETURN (
        SELECT p.partner_id
        FROM fleet.partners AS p
        JOIN fleet.partner_capacity AS c ON c.partner_id = p.partner_id
        WHERE p.tier = 'senior' AND p.status = 'active' AND p.partner_id IS DISTINCT FROM except_for
          AND p.tenant_id IN (tenant, '00000000-0000-0000-0000-000000000000') AND (p.serves IS NULL OR tenant = ANY (p.serves))
          AND c.score > 0 AND c.load + v_weight <= c.cap
        ORDER BY c.score DESC, p.partner_id
        LIMIT 1);
END $$;
