-- parameters:
-- ancestor_id, error, at, at
UPDATE durable_task_executions, (WITH RECURSIVE descendants(execution_id) AS
(SELECT durable_task_executions.execution_id AS execution_id
FROM durable_task_executions
WHERE durable_task_executions.parent_execution_id = %s AND durable_task_executions.finished_at IS
  NULL UNION ALL SELECT below.execution_id AS execution_id
FROM durable_task_executions AS below, descendants
WHERE below.parent_execution_id = descendants.execution_id AND below.finished_at IS NULL)
SELECT descendants.execution_id AS execution_id
FROM descendants) AS tree SET durable_task_executions.status='cancelled',
  durable_task_executions.error=%s, durable_task_executions.finished_at=%s,
  durable_task_executions.updated_at=%s, durable_task_executions.active_children_count=0 WHERE
  durable_task_executions.execution_id = tree.execution_id;
