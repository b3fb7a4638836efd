-- parameters:
-- none
SELECT min(durable_task_executions.ready_at) AS min_1
FROM durable_task_executions
WHERE durable_task_executions.ready_at IS NOT NULL;
