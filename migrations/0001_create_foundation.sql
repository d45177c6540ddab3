-- The schema, the role the API acts as, and the few functions that everything else stands on.

CREATE SCHEMA IF NOT EXISTS fleet;
COMMENT ON SCHEMA fleet IS 'BizOSaaS Fleet: durable job queues and the families that run on them.';

-- The control API acts as this role: it owns nothing and cannot bypass row-level security (I12).
-- Roles belong to the whole cluster, so another database of ours may have made it already, or be making it now.
DO $$
BEGIN
    CREATE ROLE fleet_api NOLOGIN NOSUPERUSER NOBYPASSRLS;
EXCEPTION
    WHEN duplicate_object OR unique_violation THEN NULL;
END $$;
GRANT USAGE ON SCHEMA fleet TO fleet_api;
GRANT fleet_api TO CURRENT_USER;

-- The database's clock, which decides every time in the engine.
-- A test pins it for its session with set_config('fleet.now', …), a campaign steps it for everybody with a signed interval;
-- production never sets it.
CREATE FUNCTION fleet.clock() RETURNS timestamptz
LANGUAGE sql STABLE PARALLEL SAFE AS $$
    SELECT CASE left(current_setting('fleet.now', true), 1)
        WHEN '+' THEN clock_timestamp() + current_setting('fleet.now')::interval
        WHEN '-' THEN clock_timestamp() + current_setting('fleet.now')::interval
        ELSE COALESCE(NULLIF(current_setting('fleet.now', true), '')::timestamptz, clock_timestamp())
    END
$$;
COMMENT ON FUNCTION fleet.clock() IS 'The time; a test pins it with fleet.now, or sets it off by a signed interval.';

-- Row-level security in one place: a session says whose rows it may see in fleet.tenant; '*' is every tenant's.
CREATE FUNCTION fleet.may_see(tenant uuid) RETURNS boolean
LANGUAGE sql STABLE PARALLEL SAFE AS $$
    SELECT COALESCE(current_setting('fleet.tenant', true) IN ('*', tenant::text), false)
$$;
COMMENT ON FUNCTION fleet.may_see(uuid) IS 'True where the session''s fleet.tenant is this tenant, or * for an admin. Unset sees nothing.';

-- UUIDv7 (RFC 9562): 48 bits of Unix milliseconds, then random bits; for callers that enqueue in SQL.
CREATE FUNCTION fleet.new_id() RETURNS uuid
LANGUAGE sql VOLATILE PARALLEL SAFE AS $$
    SELECT encode(
        set_bit(set_bit(
            overlay(uuid_send(gen_random_uuid())
                PLACING substring(int8send((extract(epoch FROM clock_timestamp()) * 1000)::bigint) FROM 3)
                FROM 1 FOR 6),
            52, 1), 53, 1),
        'hex')::uuid
$$;

-- Whole milliseconds. Sum intervals first: sums of extracted seconds are numeric, and slow.
CREATE FUNCTION fleet.ms(span interval) RETURNS bigint
LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$ SELECT (extract(epoch FROM span) * 1000)::bigint $$;

-- A lane is a first-in-first-out line of jobs that are alike in everything the claim decides by, so that a lane is claimable or not as a whole.
-- 64 bits of MD5: two lanes of one installation meeting by chance is a matter of 10^-8 at a million lanes, and nobody can aim for another's lane.
-- Every part is cast outright: what joins a text to another type is not immutable, and would keep the function from being inlined.
CREATE FUNCTION fleet.lane_of(queue text, priority smallint, tenant uuid, kind text, version smallint, concurrency_key text, suspect boolean) RETURNS bigint
LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
    SELECT ('x' || left(md5(queue || E'\x1f' || priority::text || E'\x1f' || tenant::text || E'\x1f' || kind || E'\x1f' || version::text || E'\x1f' || COALESCE(concurrency_key, '') || E'\x1f' || suspect::text), 16))::bit(64)::bigint
$$;

-- What is in use of a limit is counted in buckets, whose ids follow from what they stand for in the same way.
CREATE FUNCTION fleet.bucket_of(scope text, rule bigint, tenant uuid, key text) RETURNS bigint
LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
    SELECT ('x' || left(md5(scope || E'\x1f' || COALESCE(rule::text, '') || E'\x1f' || COALESCE(tenant::text, '') || E'\x1f' || COALESCE(key, '')), 16))::bit(64)::bigint
$$;
