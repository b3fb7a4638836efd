-- parameters:
-- status, executor_id, sleeping_unique_id, start_at, started_at, expires_at, updated_at,
-- error, active_children_count, ended, ended_count, guard_id, guard_status, guard_fence
UPDATE durable_task_executions SET fence=(durable_task_executions.fence + 1), attempt=0,
  crash_count=0, finished_at=NULL, status=%s, executor_id=%s, sleeping_unique_id=%s, start_at=%s,
  started_at=%s, expires_at=%s, updated_at=%s, error=%s, active_children_count=%s,
  past_attempts=coalesce(concat(CASE WHEN (durable_task_executions.past_attempts IS NULL) THEN '['
  WHEN (durable_task_executions.past_attempts_count < 20) THEN
  concat(substr(durable_task_executions.past_attempts, 1,
  char_length(durable_task_executions.past_attempts) - 1), ',
') ELSE concat('[', substr(durable_task_executions.past_attempts,
  instr(durable_task_executions.past_attempts, '
') + 1, (char_length(durable_task_executions.past_attempts) -
  instr(durable_task_executions.past_attempts, '
')) - 1), ',
') END, %s, ']'), durable_task_executions.past_attempts),
  past_attempts_count=(coalesce(durable_task_executions.past_attempts_count, 0) + %s) WHERE
  durable_task_executions.execution_id = %s AND durable_task_executions.status = %s AND
  durable_task_executions.fence = %s;
