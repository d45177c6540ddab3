-- Takes the limits away: every bucket lets everything through. The checker must find I10 broken.
DO $$
BEGIN
    EXECUTE (
        SELECT format('CREATE OR REPLACE FUNCTION fleet.allowance(%s) RETURNS integer LANGUAGE sql STABLE AS ''SELECT 1000000''', pg_get_function_arguments(oid))
        FROM pg_proc WHERE oid = 'fleet.allowance'::regproc);
END $$;
