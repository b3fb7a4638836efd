-- parameters:
-- who, lease
DELETE FROM durable_executors WHERE durable_executors.executor_id = %s AND
  durable_executors.lease_expires_at = %s AND NOT (EXISTS (SELECT *
FROM durable_task_executions
WHERE status = 'running' AND sleeping_unique_id IS NULL AND durable_task_executions.executor_id =
  durable_executors.executor_id));
