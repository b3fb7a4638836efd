-- parameters:
-- name, value, execution_id
INSERT INTO durable_task_execution_tags (name, value, execution_id) VALUES (?, ?, ?) ON CONFLICT DO
  NOTHING;
