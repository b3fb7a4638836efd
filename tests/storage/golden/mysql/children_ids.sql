-- parameters:
-- parent_execution_ids, limit
SELECT durable_task_executions.execution_id
FROM durable_task_executions
WHERE durable_task_executions.parent_execution_id IN %s
LIMIT %s;
