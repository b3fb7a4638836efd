-- parameters:
-- none
SELECT min(durable_task_executions.start_at) AS min_1
FROM durable_task_executions
WHERE status = 'ready';
