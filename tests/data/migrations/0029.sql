-- A ticket with everything that hangs on it.
INSERT INTO fleet.tickets (tenant_id, ticket_id, client_id, partner_id, external_id, subject, escalation_level, category, opened_at, first_response_at)
VALUES ('00000000-0000-0000-0000-000000000001', '00000000-0000-0000-0000-0000000000e1', '00000000-0000-0000-0000-0000000000c1', '00000000-0000-0000-0000-0000000000a1', 'T-1', 'Refund', 1, 'refund', '2026-02-02 10:00Z', '2026-02-02 12:00Z'),
       ('00000000-0000-0000-0000-000000000001', '00000000-0000-0000-0000-0000000000e2', '00000000-0000-0000-0000-0000000000c1', NULL, NULL, 'Refund', 0, NULL, '2026-02-02 10:00Z', NULL);
INSERT INTO fleet.ticket_messages (tenant_id, ticket_id, author, body) VALUES ('00000000-0000-0000-0000-000000000001', '00000000-0000-0000-0000-0000000000e1', 'customer', 'I want my money back');
INSERT INTO fleet.ticket_clocks (tenant_id, ticket_id, clock, state, target_minutes, running_since, due_at) VALUES ('00000000-0000-0000-0000-000000000001', '00000000-0000-0000-0000-0000000000e1', 'resolution', 'running', 480, '2026-02-02 10:00Z', '2026-02-02 18:00Z');
INSERT INTO fleet.business_hours (tenant_id, zone) VALUES ('00000000-0000-0000-0000-000000000001', 'Europe/Berlin');
INSERT INTO fleet.holidays (tenant_id, day, name) VALUES ('00000000-0000-0000-0000-000000000001', '2026-12-25', 'Christmas');
INSERT INTO fleet.triage_settings (tenant_id, version, settings, set_by) VALUES ('00000000-0000-0000-0000-000000000001', 1, '{}', 'admin');
INSERT INTO fleet.triage_decisions (tenant_id, ticket_id, revision, model_version, settings_version, category, priority, route, confidence, threshold, outcome, explanation) VALUES ('00000000-0000-0000-0000-000000000001', '00000000-0000-0000-0000-0000000000e1', 1, 'rules', 0, 'refund', 'medium', 'partner', 0.9, 0.75, 'applied', '{}');
INSERT INTO fleet.triage_labels (tenant_id, ticket_id, revision, text, label, source) VALUES ('00000000-0000-0000-0000-000000000001', '00000000-0000-0000-0000-0000000000e1', 1, 'I want my money back', 'refund', 'approved');
INSERT INTO fleet.ticket_links (tenant_id, ticket_id, other_id, reason, distance) VALUES ('00000000-0000-0000-0000-000000000001', '00000000-0000-0000-0000-0000000000e2', '00000000-0000-0000-0000-0000000000e1', 'text', 1);
INSERT INTO fleet.kb_articles (tenant_id, title, body) VALUES ('00000000-0000-0000-0000-000000000000', 'Refunds', 'How to ask for one.');
