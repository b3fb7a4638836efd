-- parameters:
-- name, value, execution_id
INSERT INTO durable_task_execution_tags (name, value, execution_id) VALUES (%s, %s, %s) ON DUPLICATE
  KEY UPDATE execution_id = durable_task_execution_tags.execution_id;
