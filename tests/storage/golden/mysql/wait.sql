-- parameters:
-- status, run_output, children_count, active_children_count, waiting_for_children_at,
-- waiting_for_finalize_at, updated_at, guard_id, guard_status, guard_fence, at_most_active,
-- guard_expires_at
UPDATE durable_task_executions SET status=%s, fence=(durable_task_executions.fence + 1), error=NULL,
  run_output=%s, children_count=%s, active_children_count=%s, waiting_for_children_at=%s,
  waiting_for_finalize_at=%s, updated_at=%s WHERE durable_task_executions.execution_id = %s AND
  durable_task_executions.status = %s AND durable_task_executions.fence = %s AND
  durable_task_executions.active_children_count <= %s AND coalesce(%s,
  durable_task_executions.expires_at, 0) = coalesce(durable_task_executions.expires_at, 0);
