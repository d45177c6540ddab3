-- One commit for enqueues of many callers, each part acting for its own tenant alone (I12) and with its audit (I13).
-- One call, because every round trip of a transaction costs as much as inserting some jobs. The arrays are in order of tenants,
-- and p_ends says where each tenant's part ends. The role and the tenant stay set until the transaction ends.
CREATE FUNCTION fleet.enqueue_together(
    p_ids uuid[], p_tenants uuid[], p_kinds text[], p_versions smallint[], p_queues text[], p_priorities smallint[],
    p_max_attempts smallint[], p_timeouts integer[], p_run_ats timestamptz[], p_payloads jsonb[], p_options jsonb[],
    p_ends integer[], p_key_ids uuid[], p_key_names text[], p_request_ids text[]
) RETURNS TABLE (ord bigint, id uuid, outcome text, state fleet.job_state)
LANGUAGE plpgsql AS $$
#variable_conflict use_column
DECLARE
    a           integer := 1;  -- the part's first job
    z           integer;       -- and its last
    n           integer;       -- one that is tried again
    v_ids       uuid[];
    v_outcomes  text[];
    v_states    fleet.job_state[];
    v_set       text;
    r           record;
BEGIN
    v_set := set_config('role', 'fleet_api', true);
    FOREACH z IN ARRAY p_ends LOOP
        v_set := set_config('fleet.tenant', p_tenants[z]::text, true);
        SELECT array_agg(e.id ORDER BY e.ord), array_agg(e.outcome ORDER BY e.ord), array_agg(e.state ORDER BY e.ord)
        INTO v_ids, v_outcomes, v_states
        FROM fleet.enqueue_many(p_ids[a:z], p_tenants[a:z], p_kinds[a:z], p_versions[a:z], p_queues[a:z], p_priorities[a:z],
            p_max_attempts[a:z], p_timeouts[a:z], p_run_ats[a:z], p_payloads[a:z], p_options[a:z]) e;
        -- The holder of a unique key may have ended between the insert that met it and the look at it: then there is room.
        FOR i IN 1..cardinality(v_outcomes) LOOP
            FOR attempt IN 1..5 LOOP
                EXIT WHEN v_outcomes[i] <> 'again';
                n := a - 1 + i;
                SELECT * INTO r FROM fleet.enqueue_many(p_ids[n:n], p_tenants[n:n], p_kinds[n:n], p_versions[n:n], p_queues[n:n], p_priorities[n:n],
                    p_max_attempts[n:n], p_timeouts[n:n], p_run_ats[n:n], p_payloads[n:n], p_options[n:n]);
                v_ids[i] := r.id; v_outcomes[i] := r.outcome; v_states[i] := r.state;
            END LOOP;
        END LOOP;

        INSERT INTO fleet.audit (key_id, key_name, tenant_id, action, jobs, request_ids)
        SELECT u.key_id, min(u.key_name), p_tenants[z], 'jobs.enqueue', array_agg(u.id ORDER BY u.nth), array_agg(u.request_id ORDER BY u.nth)
        FROM unnest(v_ids, v_outcomes, p_key_ids[a:z], p_key_names[a:z], p_request_ids[a:z]) WITH ORDINALITY AS u (id, outcome, key_id, key_name, request_id, nth)
        WHERE u.outcome NOT IN ('queue full', 'again') GROUP BY u.key_id;

        RETURN QUERY SELECT a - 1 + u.nth, u.id, u.outcome, u.state
            FROM unnest(v_ids, v_outcomes, v_states) WITH ORDINALITY AS u (id, outcome, state, nth);
        a := z + 1;
    END LOOP;
END $$;
