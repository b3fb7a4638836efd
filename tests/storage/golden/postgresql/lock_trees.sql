-- parameters:
-- ancestor_ids, execution_ids
WITH RECURSIVE descendants(execution_id) AS
(SELECT durable_task_executions.execution_id AS execution_id
FROM durable_task_executions
WHERE durable_task_executions.parent_execution_id = any(CAST($1 AS TEXT[])) AND
  durable_task_executions.finished_at IS NULL UNION ALL SELECT below.execution_id AS execution_id
FROM durable_task_executions AS below, descendants
WHERE below.parent_execution_id = descendants.execution_id AND below.finished_at IS NULL)
SELECT durable_task_executions.execution_id, durable_task_executions.execution_id =
  any(array((SELECT descendants.execution_id
FROM descendants))) AS is_below
FROM durable_task_executions
WHERE durable_task_executions.execution_id = any(array((SELECT descendants.execution_id
FROM descendants UNION SELECT named.value
FROM unnest(CAST($2 AS TEXT[])) AS named(value)))) AND durable_task_executions.finished_at IS NULL
  ORDER BY durable_task_executions.execution_id DESC FOR NO KEY UPDATE;
