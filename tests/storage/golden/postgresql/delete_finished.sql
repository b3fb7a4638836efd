-- parameters:
-- execution_ids
DELETE FROM durable_task_executions WHERE durable_task_executions.execution_id = any(CAST($1 AS
  TEXT[])) AND durable_task_executions.finished_at IS NOT NULL RETURNING
  durable_task_executions.execution_id, durable_task_executions.tags;
