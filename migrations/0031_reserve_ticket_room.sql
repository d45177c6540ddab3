-- Room for tickets is taken where they are given. The score that counts them comes half a minute later, in which a burst gave one partner
-- hundreds of tickets beyond its cap.

-- As fleet.take_slot: one guarded UPDATE, and stored computations compare inputs_version, so one that read before this cannot overwrite it.
-- Who waits for a partner here holds a ticket, and in the worst case another partner's row. It therefore waits for less than
-- deadlock_timeout (a second) and then takes it for a refusal: a circle ends without an error, and the ticket goes on to who is next.
CREATE FUNCTION fleet.reserve_ticket(tenant uuid, partner uuid) RETURNS boolean
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET lock_timeout = '800ms' AS $$
DECLARE
    v_weight constant numeric := fleet.ticket_weight();
BEGIN
    IF current_setting('role') = 'fleet_api' AND NOT fleet.may_see(tenant) THEN
        RETURN false;
    END IF;
    UPDATE fleet.partner_capacity AS c
    SET load = c.load + v_weight, score = fleet.score_at(c.score, c.cap - c.load, c.cap - c.load - v_weight), inputs_version = c.inputs_version + 1
    WHERE c.partner_id = partner AND c.tenant_id IN (tenant, '00000000-0000-0000-0000-000000000000') AND c.load + v_weight <= c.cap;
    -- One whose capacity was never computed has room.
    RETURN FOUND OR NOT EXISTS (SELECT FROM fleet.partner_capacity AS c WHERE c.partner_id = partner);
EXCEPTION WHEN lock_not_available THEN
    RETURN false;
END $$;
COMMENT ON FUNCTION fleet.reserve_ticket(uuid, uuid) IS 'Raises a partner''s load by a ticket''s weight if it stays within the cap; the caller gives it the ticket in the same transaction.';
REVOKE ALL ON FUNCTION fleet.reserve_ticket(uuid, uuid) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION fleet.reserve_ticket(uuid, uuid) TO fleet_api;
