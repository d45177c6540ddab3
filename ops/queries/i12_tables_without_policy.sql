-- doctor.i12_tables_without_policy
-- I12: every table that says whose its rows are is guarded by a policy. Partitions are reached by nobody but through their parents.
SELECT count(*) AS "broken!"
FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid AND a.attname = 'tenant_id' AND NOT a.attisdropped
WHERE c.relnamespace = 'fleet'::regnamespace AND c.relkind IN ('r', 'p') AND NOT c.relispartition AND NOT c.relrowsecurity
  AND has_table_privilege('fleet_api', c.oid, 'SELECT')
