-- parameters:
-- status, executor_id, sleeping_unique_id, start_at, started_at, expires_at, updated_at,
-- error, active_children_count, ended, ended_count, guard_id, guard_status, guard_fence
UPDATE durable_task_executions SET fence=(durable_task_executions.fence + 1), attempt=0,
  crash_count=0, finished_at=NULL, status=?, executor_id=?, sleeping_unique_id=?, start_at=?,
  started_at=?, expires_at=?, updated_at=?, error=?, active_children_count=?,
  past_attempts=coalesce(CASE WHEN (durable_task_executions.past_attempts IS NULL) THEN '[' WHEN
  (durable_task_executions.past_attempts_count < 20) THEN
  substr(durable_task_executions.past_attempts, 1, length(durable_task_executions.past_attempts) -
  1) || ',
' ELSE '[' || substr(durable_task_executions.past_attempts,
  instr(durable_task_executions.past_attempts, '
') + 1, (length(durable_task_executions.past_attempts) -
  instr(durable_task_executions.past_attempts, '
')) - 1) || ',
' END || ? || ']', durable_task_executions.past_attempts),
  past_attempts_count=(coalesce(durable_task_executions.past_attempts_count, 0) + ?) WHERE
  durable_task_executions.execution_id = ? AND durable_task_executions.status = ? AND
  durable_task_executions.fence = ?;
