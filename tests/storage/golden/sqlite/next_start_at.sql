-- parameters:
-- now, task_ids, executor_id, now
SELECT min(durable_task_executions.start_at) AS min_1
FROM durable_task_executions
WHERE status = 'ready' AND durable_task_executions.start_at > ? AND durable_task_executions.task_id
  IN (SELECT task_ids.value
FROM json_each(?) AS task_ids) AND (EXISTS (SELECT 1
FROM durable_executors
WHERE durable_executors.executor_id = ? AND durable_executors.lease_expires_at > ?));
