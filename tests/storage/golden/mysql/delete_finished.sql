-- parameters:
-- execution_ids
DELETE FROM durable_task_executions WHERE durable_task_executions.execution_id IN %s;
