-- parameters:
-- limit
SELECT count(*) AS count_1
FROM (SELECT durable_task_executions.execution_id AS execution_id
FROM durable_task_executions
WHERE status = 'running' AND sleeping_unique_id IS NOT NULL
LIMIT ?) AS sleeping;
