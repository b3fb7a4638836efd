-- parameters:
-- version
UPDATE durable_execution_schema SET version=%s;
