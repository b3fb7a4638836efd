-- parameters:
-- execution_ids, who
SELECT durable_task_executions.execution_id, durable_task_executions.fence
FROM durable_task_executions
WHERE durable_task_executions.execution_id IN (SELECT execution_ids.value
FROM json_each(?) AS execution_ids) AND status = 'running' AND sleeping_unique_id IS NULL AND
  durable_task_executions.executor_id = ?;
