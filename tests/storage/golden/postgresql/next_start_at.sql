-- parameters:
-- task_ids, executor_id
SELECT min(durable_task_executions.ready_at) AS next_start_at
FROM durable_task_executions
WHERE CAST(floor(extract(epoch FROM now()) * 1000) AS BIGINT) < durable_task_executions.ready_at AND
  durable_task_executions.task_id = any(CAST($1 AS TEXT[])) AND (EXISTS (SELECT 1
FROM durable_executors
WHERE durable_executors.executor_id = $2 AND durable_executors.lease_expires_at >
  CAST(floor(extract(epoch FROM now()) * 1000) AS BIGINT)));
