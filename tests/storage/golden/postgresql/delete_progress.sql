-- parameters:
-- execution_ids
DELETE FROM durable_task_execution_progress WHERE durable_task_execution_progress.execution_id =
  any(CAST($1 AS TEXT[]));
