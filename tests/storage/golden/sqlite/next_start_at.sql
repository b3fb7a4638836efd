-- parameters:
-- now, task_ids
SELECT min(durable_task_executions.start_at) AS min_1
FROM durable_task_executions
WHERE status = 'ready' AND durable_task_executions.start_at > ? AND durable_task_executions.task_id
  IN (SELECT task_ids.value
FROM json_each(?) AS task_ids);
