-- parameters:
-- start_at, updated_at, attempt, crash_count, error, ended, guard_id, guard_status,
-- guard_fence, at_most_active, guard_expires_at
UPDATE durable_task_executions SET status='ready', executor_id=NULL, started_at=NULL,
  expires_at=NULL, sleeping_unique_id=NULL, start_at=%s, updated_at=%s, attempt=%s, crash_count=%s,
  error=%s, past_attempts=coalesce(concat(CASE WHEN (durable_task_executions.past_attempts IS NULL)
  THEN '[' WHEN (durable_task_executions.past_attempts_count < 20) THEN
  concat(substr(durable_task_executions.past_attempts, 1,
  char_length(durable_task_executions.past_attempts) - 1), ',
') ELSE concat('[', substr(durable_task_executions.past_attempts,
  instr(durable_task_executions.past_attempts, '
') + 1, (char_length(durable_task_executions.past_attempts) -
  instr(durable_task_executions.past_attempts, '
')) - 1), ',
') END, %s, ']'), durable_task_executions.past_attempts),
  past_attempts_count=(coalesce(durable_task_executions.past_attempts_count, 0) + 1) WHERE
  durable_task_executions.execution_id = %s AND durable_task_executions.status = %s AND
  durable_task_executions.fence = %s AND durable_task_executions.active_children_count <= %s AND
  coalesce(%s, durable_task_executions.expires_at, 0) = coalesce(durable_task_executions.expires_at,
  0);
