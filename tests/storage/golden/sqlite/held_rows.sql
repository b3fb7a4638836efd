-- parameters:
-- execution_ids
SELECT durable_task_executions.execution_id, durable_task_executions.fence
FROM durable_task_executions
WHERE durable_task_executions.execution_id IN (SELECT execution_ids.value
FROM json_each(?) AS execution_ids) AND status = 'running';
