-- parameters:
-- execution_ids
SELECT durable_task_executions.execution_id
FROM durable_task_executions
WHERE (durable_task_executions.execution_id IN %s) AND durable_task_executions.finished_at IS NOT
  NULL ORDER BY durable_task_executions.execution_id FOR UPDATE;
