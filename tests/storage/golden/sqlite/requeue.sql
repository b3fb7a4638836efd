-- parameters:
-- start_at, updated_at, attempt, crash_count, error, ended, guard_id, guard_status,
-- guard_fence, at_most_active, guard_expires_at
UPDATE durable_task_executions SET status='ready', executor_id=NULL, started_at=NULL,
  expires_at=NULL, sleeping_unique_id=NULL, start_at=?, updated_at=?, attempt=?, crash_count=?,
  error=?, past_attempts=coalesce(CASE WHEN (durable_task_executions.past_attempts IS NULL) THEN '['
  WHEN (durable_task_executions.past_attempts_count < 20) THEN
  substr(durable_task_executions.past_attempts, 1, length(durable_task_executions.past_attempts) -
  1) || ',
' ELSE '[' || substr(durable_task_executions.past_attempts,
  instr(durable_task_executions.past_attempts, '
') + 1, (length(durable_task_executions.past_attempts) -
  instr(durable_task_executions.past_attempts, '
')) - 1) || ',
' END || ? || ']', durable_task_executions.past_attempts),
  past_attempts_count=(coalesce(durable_task_executions.past_attempts_count, 0) + 1) WHERE
  durable_task_executions.execution_id = ? AND durable_task_executions.status = ? AND
  durable_task_executions.fence = ? AND durable_task_executions.active_children_count <= ? AND
  coalesce(?, durable_task_executions.expires_at, 0) = coalesce(durable_task_executions.expires_at,
  0);
