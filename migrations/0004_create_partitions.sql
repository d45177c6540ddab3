-- Daily partitions of what grows: made ahead, dropped when past their retention, by the partitions duty.

CREATE FUNCTION fleet.partitioned_tables() RETURNS text[]
LANGUAGE sql IMMUTABLE AS $$ SELECT ARRAY['job_history', 'attempt', 'job_log', 'job_output'] $$;

-- Makes the partitions of today and the days ahead. Safe when two do it at once: the second leaves it to the first.
-- A day whose rows already fell into the default partition is left to it.
-- It and the next take a lock that every settle then queues behind: where a long read of the table is in the way, they give up at once and are called again.
CREATE FUNCTION fleet.make_partitions(days_ahead integer) RETURNS integer
LANGUAGE plpgsql
SET lock_timeout = '200ms'
AS $$
DECLARE
    parent text;
    day    date;
    name   text;
    made   integer := 0;
BEGIN
    IF NOT pg_try_advisory_xact_lock(hashtext('fleet.partitions')) THEN
        RETURN 0;
    END IF;
    FOREACH parent IN ARRAY fleet.partitioned_tables() LOOP
        FOR day IN SELECT (fleet.clock() AT TIME ZONE 'UTC')::date + g FROM generate_series(0, days_ahead) g LOOP
            name := format('%s_%s', parent, to_char(day, 'YYYYMMDD'));
            CONTINUE WHEN to_regclass('fleet.' || quote_ident(name)) IS NOT NULL;
            BEGIN
                EXECUTE format('CREATE TABLE fleet.%I PARTITION OF fleet.%I FOR VALUES FROM (%L) TO (%L)', name, parent,
                    day::text || ' 00:00:00+00', (day + 1)::text || ' 00:00:00+00');
                made := made + 1;
            EXCEPTION WHEN check_violation THEN
                RAISE NOTICE 'rows of % are in the default partition of %', day, parent;
            END;
        END LOOP;
    END LOOP;
    RETURN made;
END $$;

-- Drops the partitions whose day ended before keep_days ago, and says which.
CREATE FUNCTION fleet.drop_partitions(keep_days integer) RETURNS text[]
LANGUAGE plpgsql
SET lock_timeout = '200ms'
AS $$
DECLARE
    victim  text;
    dropped text[] := '{}';
    oldest  text := to_char((fleet.clock() AT TIME ZONE 'UTC')::date - keep_days, 'YYYYMMDD');
BEGIN
    IF NOT pg_try_advisory_xact_lock(hashtext('fleet.partitions')) THEN
        RETURN dropped;
    END IF;
    FOR victim IN
        SELECT c.relname FROM pg_inherits i
        JOIN pg_class c ON c.oid = i.inhrelid
        JOIN pg_class p ON p.oid = i.inhparent
        WHERE p.relnamespace = 'fleet'::regnamespace AND p.relname = ANY (fleet.partitioned_tables())
          AND c.relname ~ '_\d{8}$' AND right(c.relname, 8) < oldest
        ORDER BY c.relname
    LOOP
        EXECUTE format('DROP TABLE fleet.%I', victim);
        dropped := dropped || victim;
    END LOOP;
    RETURN dropped;
END $$;

-- The net under both: a row whose day has no partition is kept here, never refused.
CREATE TABLE fleet.job_history_default PARTITION OF fleet.job_history DEFAULT;
CREATE TABLE fleet.attempt_default PARTITION OF fleet.attempt DEFAULT;
CREATE TABLE fleet.job_log_default PARTITION OF fleet.job_log DEFAULT;
CREATE TABLE fleet.job_output_default PARTITION OF fleet.job_output DEFAULT;
SELECT fleet.make_partitions(3);
