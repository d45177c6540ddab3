-- The least that a queue on PostgreSQL can be: what the bare loops of the benchmarks work on.
CREATE SCHEMA bare;
CREATE TABLE bare.job (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, number bigint, payload jsonb NOT NULL DEFAULT '{}');
