-- parameters:
-- execution_ids
SELECT durable_task_executions.execution_id, durable_task_executions.fence
FROM durable_task_executions
WHERE durable_task_executions.execution_id = any(CAST($1 AS TEXT[])) AND status = 'running' ORDER BY
  durable_task_executions.execution_id DESC FOR KEY SHARE;
