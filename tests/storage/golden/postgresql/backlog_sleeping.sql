-- parameters:
-- limit
SELECT count(*) AS count_1
FROM (SELECT durable_task_executions.execution_id AS execution_id
FROM durable_task_executions
WHERE durable_task_executions.asleep_until IS NOT NULL
LIMIT $1) AS sleeping;
