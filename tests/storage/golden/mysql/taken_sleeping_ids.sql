-- parameters:
-- sleeping_unique_ids
SELECT durable_task_executions.sleeping_unique_id, durable_task_executions.execution_id
FROM durable_task_executions
WHERE durable_task_executions.sleeping_unique_id IN %s;
