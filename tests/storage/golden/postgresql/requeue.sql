-- parameters:
-- start_at, updated_at, attempt, crash_count, error, ended, guard_id, guard_status,
-- guard_fence, at_most_active, guard_expires_at
UPDATE durable_task_executions SET status='ready', executor_id=NULL, started_at=NULL,
  expires_at=NULL, sleeping_unique_id=NULL, start_at=given.start_at, updated_at=given.updated_at,
  attempt=given.attempt, crash_count=given.crash_count, error=given.error,
  past_attempts=coalesce(CASE WHEN (durable_task_executions.past_attempts IS NULL) THEN '[' WHEN
  (durable_task_executions.past_attempts_count < 20) THEN
  substr(durable_task_executions.past_attempts, 1,
  char_length(durable_task_executions.past_attempts) - 1) || ',
' ELSE '[' || substr(durable_task_executions.past_attempts,
  strpos(durable_task_executions.past_attempts, '
') + 1, (char_length(durable_task_executions.past_attempts) -
  strpos(durable_task_executions.past_attempts, '
')) - 1) || ',
' END || given.ended || ']', durable_task_executions.past_attempts),
  past_attempts_count=(coalesce(durable_task_executions.past_attempts_count, 0) + 1) FROM
  unnest(CAST($1 AS BIGINT[]), CAST($2 AS BIGINT[]), CAST($3 AS INTEGER[]), CAST($4 AS INTEGER[]),
  CAST($5 AS TEXT[]), CAST($6 AS TEXT[]), CAST($7 AS TEXT[]), CAST($8 AS TEXT[]), CAST($9 AS
  BIGINT[]), CAST($10 AS INTEGER[]), CAST($11 AS BIGINT[])) AS given(start_at, updated_at, attempt,
  crash_count, error, ended, guard_id, guard_status, guard_fence, at_most_active, guard_expires_at)
  WHERE durable_task_executions.execution_id = given.guard_id AND durable_task_executions.status =
  given.guard_status AND durable_task_executions.fence = given.guard_fence AND
  durable_task_executions.active_children_count <= given.at_most_active AND
  coalesce(given.guard_expires_at, durable_task_executions.expires_at, 0) =
  coalesce(durable_task_executions.expires_at, 0) RETURNING durable_task_executions.execution_id;
