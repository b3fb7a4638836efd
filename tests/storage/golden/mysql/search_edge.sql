-- parameters:
-- id_before
SELECT durable_task_executions.execution_id
FROM durable_task_executions
WHERE durable_task_executions.execution_id < %s ORDER BY durable_task_executions.execution_id DESC
LIMIT 1
OFFSET 2000;
