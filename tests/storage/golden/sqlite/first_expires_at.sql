-- parameters:
-- now
SELECT min(durable_task_executions.expires_at) AS min_1, ? AS seen_at
FROM durable_task_executions
WHERE status = 'running' AND sleeping_unique_id IS NOT NULL;
