-- parameters:
-- finished, finished, at, parent_id
UPDATE durable_task_executions SET active_children_count=CASE WHEN
  (durable_task_executions.active_children_count > ?) THEN
  durable_task_executions.active_children_count - ? ELSE 0 END, updated_at=? WHERE
  durable_task_executions.execution_id = ? AND status IN ('waiting_for_children',
  'waiting_for_finalize');
