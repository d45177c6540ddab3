-- Rows of every kind as the engine's first schema has them.
INSERT INTO fleet.kind (kind, version, queue, priority, max_attempts, timeout_ms, schema, example) VALUES ('toy', 1, 'default', 2, 3, 60000, '{}', '{}');
SELECT fleet.enqueue('toy', '{"n": 1}');
SELECT fleet.enqueue('toy', '{"n": 2}', '{"run_at": "2099-01-01T00:00:00Z", "tags": ["later"], "metadata": {"a": 1}}');
SELECT fleet.enqueue('toy', '{"n": 3}', '{"tenant_id": "00000000-0000-0000-0000-000000000001", "unique": {"key": "k", "scope": "live"}, "concurrency": {"key": "c", "limit": 2}}');
INSERT INTO fleet.job_history (id, tenant_id, kind, version, queue, priority, state, run_at, created_at, started_at, finished_at, reason, attempt, max_attempts, crashes, snoozes, claim_no, payload)
VALUES (fleet.new_id(), '00000000-0000-0000-0000-000000000001', 'toy', 1, 'default', 2, 'discarded', now(), now(), now(), now(), 'attempts exhausted', 3, 3, 0, 0, 3, '{}');
INSERT INTO fleet.pause (scope, name, reason, paused_by, since) VALUES ('kind', 'toy', 'sample', 'a person', now());
INSERT INTO fleet.limit_rule (name, kind, cap) VALUES ('toys', 'toy', 2);
INSERT INTO fleet.diagnostic_effect VALUES ('sample', fleet.new_id(), 1, now());
