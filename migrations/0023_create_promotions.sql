-- What follows from a rank: badges, promotions that a person decides, and the events that tell others.

CREATE TABLE fleet.badges (
    tenant_id      uuid NOT NULL,
    badge_id       uuid NOT NULL DEFAULT fleet.new_id(),
    board_id       uuid NOT NULL,
    subject_id     uuid NOT NULL,
    subject_tenant_id uuid NOT NULL,
    badge          text NOT NULL CHECK (badge IN ('top_10_percent')),
    awarded_run_id uuid NOT NULL,
    awarded_at     timestamptz NOT NULL DEFAULT fleet.clock(),
    revoked_run_id uuid,
    revoked_at     timestamptz CHECK (revoked_at >= awarded_at),
    PRIMARY KEY (tenant_id, badge_id),
    CONSTRAINT badges_revoked_by_a_run CHECK ((revoked_at IS NULL) = (revoked_run_id IS NULL))
);
COMMENT ON TABLE fleet.badges IS 'Badges as they were won and lost; a badge is worn while revoked_at is null.';
CREATE UNIQUE INDEX badges_worn ON fleet.badges (tenant_id, board_id, subject_id, subject_tenant_id, badge) WHERE revoked_at IS NULL;

CREATE TABLE fleet.promotion_candidates (
    tenant_id    uuid NOT NULL,
    candidate_id uuid NOT NULL DEFAULT fleet.new_id(),
    board_id     uuid NOT NULL,
    partner_id   uuid NOT NULL,
    direction    text NOT NULL CHECK (direction IN ('promotion', 'demotion')),
    status       text NOT NULL DEFAULT 'pending' CHECK (status IN ('pending', 'approved', 'rejected', 'withdrawn')),
    evidence     jsonb NOT NULL CHECK (jsonb_typeof(evidence) = 'object'),
    proposed_at  timestamptz NOT NULL DEFAULT fleet.clock(),
    decided_at   timestamptz,
    decided_by   text CHECK (length(decided_by) BETWEEN 1 AND 200),
    note         text CHECK (length(note) <= 1000),
    PRIMARY KEY (tenant_id, candidate_id),
    CONSTRAINT promotion_candidates_decided_iff_ended CHECK ((status = 'pending') = (decided_at IS NULL)),
    CONSTRAINT promotion_candidates_person_decides CHECK (status NOT IN ('approved', 'rejected') OR decided_by IS NOT NULL)
);
COMMENT ON TABLE fleet.promotion_candidates IS 'Proposed changes of tier. Nothing changes before a person approves.';
COMMENT ON COLUMN fleet.promotion_candidates.status IS 'withdrawn: the review found that the grounds no longer hold.';
COMMENT ON COLUMN fleet.promotion_candidates.evidence IS 'Ranks of the runs it rests on, and the SLA figures.';
CREATE UNIQUE INDEX promotion_candidates_one_pending ON fleet.promotion_candidates (tenant_id, partner_id) WHERE status = 'pending';
CREATE INDEX promotion_candidates_by_partner ON fleet.promotion_candidates (partner_id, proposed_at);

CREATE TABLE fleet.event (
    id         bigint GENERATED ALWAYS AS IDENTITY,
    tenant_id  uuid NOT NULL,
    kind       text NOT NULL CHECK (kind ~ '^[a-z_]+\.[a-z_]+$'),
    subject    text NOT NULL CHECK (length(subject) BETWEEN 1 AND 200),
    payload    jsonb NOT NULL CHECK (pg_column_size(payload) <= 65536),
    created_at timestamptz NOT NULL DEFAULT fleet.clock(),
    PRIMARY KEY (tenant_id, id)
);
COMMENT ON TABLE fleet.event IS 'Outbox: what happened, written in the transaction that made it happen.';
COMMENT ON COLUMN fleet.event.id IS 'Rises, but not in commit order: a reader must not skip ids that are still being written.';
COMMENT ON COLUMN fleet.event.kind IS 'noun.verb, as in rank.changed.';
COMMENT ON COLUMN fleet.event.subject IS 'Id of what it happened to.';
CREATE INDEX event_by_kind ON fleet.event (kind, id);
CREATE INDEX event_by_time ON fleet.event (created_at);

-- The shape that the platform's first document gave to rankings.
CREATE VIEW fleet.partner_leaderboard AS
    SELECT b.tenant_id, b.board_id, b.period, b.industry, e.subject_id AS partner_id, e.rank, e.dense_rank, e.percentile,
           e.score, e.metrics, r.published_at AS updated_at
    FROM fleet.leaderboards AS b
    JOIN fleet.leaderboard_runs AS r ON r.tenant_id = b.tenant_id AND r.run_id = b.current_run_id
    JOIN fleet.leaderboard_entries AS e ON e.tenant_id = r.tenant_id AND e.run_id = r.run_id
    WHERE b.subject_kind = 'partner' AND e.status = 'ranked';
COMMENT ON VIEW fleet.partner_leaderboard IS 'Ranked partners of every board''s current run, for services of the platform. Not granted to the API: a view reads past row-level security, and this one shows hidden partners too.';

-- A board as one viewer may see it: privacy is applied here and nowhere else.
-- Runs with its owner's rights, because a platform board's entries belong to the nil tenant; therefore it checks the viewer itself.
-- The session's fleet.tenant is the viewer: * or the board's own tenant for an admin. viewer_partner is who a partner's session acts for.
CREATE FUNCTION fleet.leaderboard_shown(of_board uuid, of_run uuid, viewer_is_admin boolean, viewer_partner uuid, after_place integer, at_most integer, only_subject uuid)
RETURNS TABLE (place integer, is_own boolean, subject_id uuid, label text, visibility text, status text, rank integer, dense_rank integer,
               percentile numeric, prev_rank integer, rank_delta integer, is_new boolean, score numeric, badges text[], metrics jsonb, missing jsonb)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
    WITH seen AS (
        SELECT e.*, COALESCE(v.visibility, 'anonymous') AS visibility, b.subject_kind, b.alias_salt,
               viewer_is_admin AND fleet.may_see(b.tenant_id) AS by_admin,
               COALESCE(e.partner_id = viewer_partner, false)
                   OR fleet.may_see(e.subject_tenant_id) AND viewer_partner IS NULL AND NOT viewer_is_admin AS is_own,
               -- k-anonymity: with fewer than five to hide among, an industry's board shows a viewer only itself.
               b.industry IS NULL OR r.ranked >= 5 AS crowd,
               -- Four digits as people know them; more where a big board would repeat them.
               CASE WHEN r.subjects <= 64 THEN 4 ELSE 8 END AS alias_digits
        FROM fleet.leaderboards AS b
        JOIN fleet.leaderboard_runs AS r ON r.tenant_id = b.tenant_id AND r.board_id = b.board_id AND r.run_id = of_run
        JOIN fleet.leaderboard_entries AS e ON e.tenant_id = r.tenant_id AND e.run_id = r.run_id
        LEFT JOIN fleet.privacy_settings AS v
            ON v.tenant_id = e.subject_tenant_id AND v.subject_kind = b.subject_kind AND v.subject_id = e.subject_id
        WHERE b.board_id = of_board
          AND (fleet.may_see(b.tenant_id) OR b.tenant_id = '00000000-0000-0000-0000-000000000000')
          AND r.status IN ('published', 'superseded')
          AND e.place > after_place
          AND (only_subject IS NULL OR e.subject_id = only_subject)
    )
    SELECT s.place, s.is_own,
           CASE WHEN s.by_admin OR s.is_own OR s.visibility = 'named' THEN s.subject_id END,
           CASE WHEN s.by_admin OR s.is_own OR s.visibility = 'named' THEN s.label
                ELSE initcap(s.subject_kind) || ' #' || left(encode(sha256(s.alias_salt || uuid_send(s.subject_id)), 'hex'), s.alias_digits) END,
           s.visibility, s.status, s.rank, s.dense_rank, s.percentile, s.prev_rank, s.rank_delta, s.is_new, s.score,
           ARRAY(SELECT g.badge FROM fleet.badges AS g
                 WHERE g.tenant_id = s.tenant_id AND g.board_id = of_board AND g.subject_id = s.subject_id
                   AND g.subject_tenant_id = s.subject_tenant_id AND g.revoked_at IS NULL),
           -- Exact revenue would name an anonymous subject to whoever knows it.
           CASE WHEN s.by_admin OR s.is_own OR s.visibility = 'named' THEN s.metrics ELSE '{}' END,
           CASE WHEN s.by_admin OR s.is_own THEN s.missing ELSE '[]' END
    FROM seen AS s
    WHERE s.by_admin OR s.is_own OR s.visibility <> 'hidden' AND s.crowd
    ORDER BY s.place
    LIMIT at_most
$$;
COMMENT ON FUNCTION fleet.leaderboard_shown(uuid, uuid, boolean, uuid, integer, integer, uuid) IS 'Entries of a run as a viewer may see them: others'' names only where they opted in, hidden ones not at all, small industries only oneself.';
REVOKE ALL ON FUNCTION fleet.leaderboard_shown(uuid, uuid, boolean, uuid, integer, integer, uuid) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION fleet.leaderboard_shown(uuid, uuid, boolean, uuid, integer, integer, uuid) TO fleet_api;

ALTER TABLE fleet.badges ENABLE ROW LEVEL SECURITY;
ALTER TABLE fleet.promotion_candidates ENABLE ROW LEVEL SECURITY;
ALTER TABLE fleet.event ENABLE ROW LEVEL SECURITY;
CREATE POLICY own_tenant ON fleet.badges USING (fleet.may_see(tenant_id));
CREATE POLICY own_tenant ON fleet.promotion_candidates USING (fleet.may_see(tenant_id));
CREATE POLICY own_tenant ON fleet.event USING (fleet.may_see(tenant_id));
GRANT SELECT ON fleet.badges, fleet.promotion_candidates TO fleet_api;
GRANT UPDATE (status, decided_at, decided_by, note) ON fleet.promotion_candidates TO fleet_api;
GRANT SELECT, INSERT ON fleet.event TO fleet_api;
