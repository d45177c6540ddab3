-- A dataset, a model of it, and an evaluation.
INSERT INTO fleet.triage_datasets (tenant_id, dataset_id, name, rows, labels, refused, created_by) VALUES ('00000000-0000-0000-0000-000000000001', '00000000-0000-0000-0000-0000000000e1', 'sample', 1, 1, 0, 'sample');
INSERT INTO fleet.triage_examples VALUES ('00000000-0000-0000-0000-000000000001', '00000000-0000-0000-0000-0000000000e1', 1, 'give me my money back', 'refund');
INSERT INTO fleet.triage_models (tenant_id, model_version, name, status, dataset_id, params_hash, rows, labels, holdout, macro_f1, artefact, activated_at) VALUES ('00000000-0000-0000-0000-000000000001', '00000000-0000-0000-0000-0000000000e2', 'sample', 'active', '00000000-0000-0000-0000-0000000000e1', repeat('0', 64), 1, 2, '{}', 0.9, '\x00', now());
INSERT INTO fleet.triage_evaluations (tenant_id, evaluation_id, model_version, dataset_id, metrics) VALUES ('00000000-0000-0000-0000-000000000001', '00000000-0000-0000-0000-0000000000e3', '00000000-0000-0000-0000-0000000000e2', '00000000-0000-0000-0000-0000000000e1', '{}');
INSERT INTO fleet.triage_predictions VALUES ('00000000-0000-0000-0000-000000000001', '00000000-0000-0000-0000-0000000000e3', 1, 'refund', 0.9);
