-- parameters:
-- name, value, execution_id
DELETE FROM durable_task_execution_tags WHERE durable_task_execution_tags.name = %s AND
  durable_task_execution_tags.value = %s AND durable_task_execution_tags.execution_id = %s;
