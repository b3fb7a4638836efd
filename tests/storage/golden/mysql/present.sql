-- parameters:
-- execution_ids
SELECT durable_task_executions.execution_id
FROM durable_task_executions
WHERE durable_task_executions.execution_id IN %s;
