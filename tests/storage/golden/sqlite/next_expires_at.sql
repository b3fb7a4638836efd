-- parameters:
-- now
SELECT min(durable_task_executions.expires_at) AS min_1
FROM durable_task_executions
WHERE status = 'running' AND sleeping_unique_id IS NOT NULL AND durable_task_executions.expires_at >
  ?;
