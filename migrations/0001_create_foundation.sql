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
-- production never sets it. In PL/pgSQL, as whatever the verbs call: a function in SQL that cannot be inlined is parsed again in every statement.
CREATE FUNCTION fleet.clock() RETURNS timestamptz
LANGUAGE plpgsql STABLE PARALLEL SAFE AS $$
DECLARE
    v_now text := current_setting('fleet.now', true);
BEGIN
    IF v_now IS NULL OR v_now = '' THEN
        RETURN clock_timestamp();
    ELSIF left(v_now, 1) IN ('+', '-') THEN
        RETURN clock_timestamp() + v_now::interval;
    END IF;
    RETURN v_now::timestamptz;
END $$;
COMMENT ON FUNCTION fleet.clock() IS 'The time; a test pins it with fleet.now, or sets it off by a signed interval.';

-- Row-level security in one place: a session says whose rows it may see in fleet.tenant; '*' is every tenant's.
CREATE FUNCTION fleet.may_see(tenant uuid) RETURNS boolean
LANGUAGE sql STABLE PARALLEL SAFE AS $$
    SELECT COALESCE(current_setting('fleet.tenant', true) IN ('*', tenant::text), false)
$$;
COMMENT ON FUNCTION fleet.may_see(uuid) IS 'True where the session''s fleet.tenant is this tenant, or * for an admin. Unset sees nothing.';

-- Bounds on values are domains and not CHECKs of a table: those are parsed anew in every statement that writes a row, and
-- evaluated at every update, whatever it changes.
CREATE DOMAIN fleet.name_text AS text CHECK (length(VALUE) BETWEEN 1 AND 100);
CREATE DOMAIN fleet.key_text AS text CHECK (length(VALUE) BETWEEN 1 AND 300);
CREATE DOMAIN fleet.label_text AS text CHECK (length(VALUE) <= 200);
CREATE DOMAIN fleet.reason_text AS text CHECK (length(VALUE) <= 1000);
CREATE DOMAIN fleet.tag_list AS text[] CHECK (cardinality(VALUE) <= 20);
CREATE DOMAIN fleet.metadata_json AS jsonb CHECK (pg_column_size(VALUE) <= 65536);
CREATE DOMAIN fleet.progress_json AS jsonb CHECK (pg_column_size(VALUE) <= 8192);
CREATE DOMAIN fleet.priority_level AS smallint CHECK (VALUE BETWEEN 0 AND 3);
CREATE DOMAIN fleet.attempt_limit AS smallint CHECK (VALUE BETWEEN 1 AND 1000);
CREATE DOMAIN fleet.positive_integer AS integer CHECK (VALUE > 0);
CREATE DOMAIN fleet.positive_smallint AS smallint CHECK (VALUE > 0);

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

-- What is in use of a limit is counted in buckets, whose ids follow from what they stand for (as a job's lane does).
CREATE FUNCTION fleet.bucket_of(scope text, rule bigint, tenant uuid, key text) RETURNS bigint
LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
    SELECT ('x' || left(md5(scope || E'\x1f' || COALESCE(rule::text, '') || E'\x1f' || COALESCE(tenant::text, '') || E'\x1f' || COALESCE(key, '')), 16))::bit(64)::bigint
$$;
