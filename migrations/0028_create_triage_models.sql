-- The classifier of tickets: labelled texts, the models that were made of them, and how good each was on which texts.

CREATE TABLE fleet.triage_datasets (
    tenant_id  uuid NOT NULL,
    dataset_id uuid NOT NULL DEFAULT fleet.new_id(),
    name       text NOT NULL CHECK (name <> '' AND length(name) <= 200),
    rows       integer NOT NULL CHECK (rows >= 0),
    labels     integer NOT NULL CHECK (labels >= 0),
    refused    integer NOT NULL CHECK (refused >= 0),
    created_by text NOT NULL CHECK (length(created_by) <= 400),
    created_at timestamptz NOT NULL DEFAULT fleet.clock(),
    PRIMARY KEY (tenant_id, dataset_id)
);
COMMENT ON TABLE fleet.triage_datasets IS 'Labelled texts as they came in, a file a row. Never changed; deleted whole.';
COMMENT ON COLUMN fleet.triage_datasets.refused IS 'Rows of the file that could not be used.';
CREATE UNIQUE INDEX triage_datasets_by_id ON fleet.triage_datasets (dataset_id);

CREATE TABLE fleet.triage_examples (
    tenant_id  uuid NOT NULL,
    dataset_id uuid NOT NULL,
    position   integer NOT NULL CHECK (position > 0),
    text       text NOT NULL CHECK (text <> '' AND octet_length(text) <= 20000),
    label      text NOT NULL CHECK (label <> '' AND length(label) <= 100),
    PRIMARY KEY (tenant_id, dataset_id, position),
    FOREIGN KEY (tenant_id, dataset_id) REFERENCES fleet.triage_datasets ON DELETE CASCADE
);
COMMENT ON TABLE fleet.triage_examples IS 'The texts of a dataset, each with its label; __oos__ is the label of texts out of scope.';
COMMENT ON COLUMN fleet.triage_examples.position IS 'In the order of the file, from 1, refused rows left out.';

CREATE TABLE fleet.triage_models (
    tenant_id     uuid NOT NULL,
    model_version uuid NOT NULL DEFAULT fleet.new_id(),
    name          text NOT NULL CHECK (name <> '' AND length(name) <= 200),
    status        text NOT NULL CHECK (status IN ('candidate', 'active', 'retired')),
    dataset_id    uuid,
    params_hash   text NOT NULL CHECK (params_hash ~ '^[0-9a-f]{64}$'),
    rows          integer NOT NULL CHECK (rows > 0),
    labels        integer NOT NULL CHECK (labels > 1),
    holdout       jsonb NOT NULL CHECK (jsonb_typeof(holdout) = 'object'),
    macro_f1      double precision NOT NULL CHECK (macro_f1 BETWEEN 0 AND 1),
    artefact      bytea NOT NULL CHECK (octet_length(artefact) <= 33554432),
    note          text,
    trained_at    timestamptz NOT NULL DEFAULT fleet.clock(),
    activated_at  timestamptz,
    PRIMARY KEY (tenant_id, model_version),
    CONSTRAINT triage_models_active_since CHECK (status <> 'active' OR activated_at IS NOT NULL)
);
COMMENT ON TABLE fleet.triage_models IS 'Trained models: one in use and a tenant''s latest twenty others. A tenant without an active one uses the platform''s.';
COMMENT ON COLUMN fleet.triage_models.dataset_id IS 'What it was trained on; null: the tickets that ship with the program. The dataset may be gone.';
COMMENT ON COLUMN fleet.triage_models.params_hash IS 'SHA-256 of what a model depends on besides its texts.';
COMMENT ON COLUMN fleet.triage_models.holdout IS 'How good it was on texts it had not seen, five times a fifth of them.';
COMMENT ON COLUMN fleet.triage_models.artefact IS 'Hashes and numbers, with a digest of its own; no text of the dataset.';
COMMENT ON COLUMN fleet.triage_models.note IS 'Why it is not active, where that is known.';
ALTER TABLE fleet.triage_models ALTER COLUMN artefact SET STORAGE EXTERNAL;  -- it does not compress
CREATE UNIQUE INDEX triage_models_by_version ON fleet.triage_models (model_version);
CREATE UNIQUE INDEX triage_models_one_active ON fleet.triage_models (tenant_id) WHERE status = 'active';

CREATE TABLE fleet.triage_evaluations (
    tenant_id     uuid NOT NULL,
    evaluation_id uuid NOT NULL DEFAULT fleet.new_id(),
    model_version uuid NOT NULL,
    dataset_id    uuid NOT NULL,
    metrics       jsonb NOT NULL CHECK (jsonb_typeof(metrics) = 'object'),
    evaluated_at  timestamptz NOT NULL DEFAULT fleet.clock(),
    PRIMARY KEY (tenant_id, evaluation_id),
    FOREIGN KEY (tenant_id, dataset_id) REFERENCES fleet.triage_datasets ON DELETE CASCADE
);
COMMENT ON TABLE fleet.triage_evaluations IS 'How good a model was on a dataset. A tenant''s latest fifty are kept.';
CREATE UNIQUE INDEX triage_evaluations_by_id ON fleet.triage_evaluations (evaluation_id);

CREATE TABLE fleet.triage_predictions (
    tenant_id     uuid NOT NULL,
    evaluation_id uuid NOT NULL,
    position      integer NOT NULL,
    predicted     text NOT NULL,
    confidence    double precision NOT NULL CHECK (confidence BETWEEN 0 AND 1),
    PRIMARY KEY (tenant_id, evaluation_id, position),
    FOREIGN KEY (tenant_id, evaluation_id) REFERENCES fleet.triage_evaluations ON DELETE CASCADE
);
COMMENT ON TABLE fleet.triage_predictions IS 'What the model said of each text of the dataset.';

DO $$
DECLARE
    v_table text;
BEGIN
    FOREACH v_table IN ARRAY ARRAY['triage_datasets', 'triage_examples', 'triage_models', 'triage_evaluations', 'triage_predictions'] LOOP
        EXECUTE format('ALTER TABLE fleet.%I ENABLE ROW LEVEL SECURITY', v_table);
        EXECUTE format('CREATE POLICY own_tenant ON fleet.%I USING (fleet.may_see(tenant_id)) WITH CHECK (fleet.may_see(tenant_id))', v_table);
        EXECUTE format('GRANT SELECT ON fleet.%I TO fleet_api', v_table);
    END LOOP;
END $$;
GRANT INSERT (tenant_id, dataset_id, name, rows, labels, refused, created_by), DELETE ON fleet.triage_datasets TO fleet_api;
GRANT INSERT (tenant_id, dataset_id, position, text, label) ON fleet.triage_examples TO fleet_api;
