-- parameters:
-- version
INSERT INTO durable_execution_schema (single_row, version) VALUES (1, $1);
