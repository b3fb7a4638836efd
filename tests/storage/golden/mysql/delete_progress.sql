-- parameters:
-- execution_ids
DELETE FROM durable_task_execution_progress WHERE durable_task_execution_progress.execution_id IN %s;
