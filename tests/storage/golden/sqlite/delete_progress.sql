-- parameters:
-- execution_ids
DELETE FROM durable_task_execution_progress WHERE durable_task_execution_progress.execution_id IN
  (SELECT execution_ids.value
FROM json_each(?) AS execution_ids);
