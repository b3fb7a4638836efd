-- parameters:
-- finished, finished, at, parent_id
UPDATE durable_task_executions SET active_children_count=CASE WHEN
  (durable_task_executions.active_children_count > %s) THEN
  durable_task_executions.active_children_count - %s ELSE 0 END, updated_at=%s WHERE
  durable_task_executions.execution_id = %s AND status IN ('waiting_for_children',
  'waiting_for_finalize');
