-- parameters:
-- ancestor_ids
WITH RECURSIVE descendants(execution_id) AS
(SELECT durable_task_executions.execution_id AS execution_id
FROM durable_task_executions
WHERE (durable_task_executions.parent_execution_id IN %s) AND durable_task_executions.finished_at IS
  NULL UNION ALL SELECT below.execution_id AS execution_id
FROM durable_task_executions AS below, descendants
WHERE below.parent_execution_id = descendants.execution_id AND below.finished_at IS NULL)
SELECT descendants.execution_id
FROM descendants;
