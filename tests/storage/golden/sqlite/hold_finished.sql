-- parameters:
-- execution_ids
SELECT durable_task_executions.execution_id
FROM durable_task_executions
WHERE durable_task_executions.execution_id IN (SELECT execution_ids.value
FROM json_each(?) AS execution_ids) AND durable_task_executions.finished_at IS NOT NULL ORDER BY
  durable_task_executions.execution_id;
