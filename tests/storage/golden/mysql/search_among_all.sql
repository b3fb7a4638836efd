-- parameters:
-- id_before, statuses, limit
SELECT durable_task_executions.execution_id, durable_task_executions.task_id,
  durable_task_executions.root_task_id, durable_task_executions.root_execution_id,
  durable_task_executions.parent_task_id, durable_task_executions.parent_execution_id,
  durable_task_executions.index_in_parent, durable_task_executions.is_only_child,
  durable_task_executions.is_finalize, durable_task_executions.sleeping_unique_id,
  durable_task_executions.idempotency_key, durable_task_executions.retry,
  durable_task_executions.sleep_before_run_ms, durable_task_executions.timeout_ms,
  durable_task_executions.are_children_sequential, durable_task_executions.status,
  durable_task_executions.fence, durable_task_executions.executor_id,
  durable_task_executions.attempt, durable_task_executions.crash_count,
  durable_task_executions.start_at, durable_task_executions.created_at,
  durable_task_executions.updated_at, durable_task_executions.started_at,
  durable_task_executions.expires_at, durable_task_executions.waiting_for_children_at,
  durable_task_executions.waiting_for_finalize_at, durable_task_executions.finished_at,
  durable_task_executions.children_count, durable_task_executions.active_children_count,
  durable_task_executions.tags, durable_task_executions.error
FROM durable_task_executions INNER JOIN (SELECT durable_task_executions.execution_id AS execution_id
FROM durable_task_executions
WHERE durable_task_executions.execution_id < %s AND (durable_task_executions.status IN %s) AND
  finished_at IS NULL ORDER BY concat(durable_task_executions.execution_id, '') DESC
LIMIT %s) AS found ON found.execution_id = durable_task_executions.execution_id ORDER BY
  durable_task_executions.execution_id DESC;
