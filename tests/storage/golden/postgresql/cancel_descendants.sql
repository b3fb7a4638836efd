-- parameters:
-- error, at, ancestor_id
WITH RECURSIVE descendants(execution_id) AS
(SELECT durable_task_executions.execution_id AS execution_id
FROM durable_task_executions
WHERE durable_task_executions.parent_execution_id = $3 AND durable_task_executions.finished_at IS
  NULL UNION ALL SELECT below.execution_id AS execution_id
FROM durable_task_executions AS below, descendants
WHERE below.parent_execution_id = descendants.execution_id AND below.finished_at IS NULL)
UPDATE durable_task_executions SET status='cancelled', error=$1, finished_at=$2, updated_at=$2,
  active_children_count=0 WHERE durable_task_executions.execution_id IN (SELECT
  descendants.execution_id
FROM descendants);
