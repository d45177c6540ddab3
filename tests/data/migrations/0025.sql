-- A partner with one of everything that its capacity rests on, and the capacity.
INSERT INTO fleet.client_assignments (tenant_id, client_id, partner_id) VALUES ('00000000-0000-0000-0000-000000000001', '00000000-0000-0000-0000-0000000000c1', '00000000-0000-0000-0000-0000000000a1');
INSERT INTO fleet.partner_tickets (tenant_id, partner_id, opened_at, first_response_at) VALUES ('00000000-0000-0000-0000-000000000001', '00000000-0000-0000-0000-0000000000a1', '2026-02-02 10:00Z', '2026-02-02 12:00Z');
INSERT INTO fleet.campaign_outcomes (tenant_id, campaign_id, partner_id, goal_met) VALUES ('00000000-0000-0000-0000-000000000001', '00000000-0000-0000-0000-0000000000d1', '00000000-0000-0000-0000-0000000000a1', true);
INSERT INTO fleet.partner_leaves (tenant_id, partner_id, starts_at, ends_at) VALUES ('00000000-0000-0000-0000-000000000000', '00000000-0000-0000-0000-0000000000a1', '2026-03-01', '2026-03-08');
INSERT INTO fleet.capacity_priors (tier, sla_mean, success_mean, success_strength, learned_at) VALUES ('standard', 0.9, 0.6, 50, now());
INSERT INTO fleet.partner_capacity (tenant_id, partner_id, load, cap, score, confidence, level, components, inputs_version, computed_at, settings_version) VALUES ('00000000-0000-0000-0000-000000000000', '00000000-0000-0000-0000-0000000000a1', 1.1, 15, 60, 0, 'open', '{}', 1, now(), 1);
INSERT INTO fleet.capacity_settings (version, settings, changed_by) VALUES (2, '{"loads": {"ticket": 0.2, "campaign": 0.05}}', 'test');
INSERT INTO fleet.capacity_history (tenant_id, partner_id, inputs_version, load, cap, score, level, computed_at, settings_version) VALUES ('00000000-0000-0000-0000-000000000000', '00000000-0000-0000-0000-0000000000a1', 1, 1.1, 15, 60, 'open', now(), 1);
