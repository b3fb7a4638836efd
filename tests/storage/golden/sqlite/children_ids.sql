-- parameters:
-- parent_execution_ids, limit
SELECT durable_task_executions.execution_id
FROM durable_task_executions
WHERE durable_task_executions.parent_execution_id IN (SELECT parent_execution_ids.value
FROM json_each(?) AS parent_execution_ids)
LIMIT ?;
