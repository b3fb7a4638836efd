-- parameters:
-- none
SELECT durable_execution_schema.version
FROM durable_execution_schema;
