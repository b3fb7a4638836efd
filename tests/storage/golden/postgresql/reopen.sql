-- parameters:
-- status, executor_id, sleeping_unique_id, start_at, started_at, expires_at, updated_at,
-- error, active_children_count, ended, ended_count, guard_id, guard_status, guard_fence
UPDATE durable_task_executions SET fence=(durable_task_executions.fence + 1), attempt=0,
  crash_count=0, finished_at=NULL, status=given.status, executor_id=given.executor_id,
  sleeping_unique_id=given.sleeping_unique_id, start_at=given.start_at, started_at=given.started_at,
  expires_at=given.expires_at, updated_at=given.updated_at, error=given.error,
  active_children_count=given.active_children_count, past_attempts=coalesce(CASE WHEN
  (durable_task_executions.past_attempts IS NULL) THEN '[' WHEN
  (durable_task_executions.past_attempts_count < 20) THEN
  substr(durable_task_executions.past_attempts, 1,
  char_length(durable_task_executions.past_attempts) - 1) || ',
' ELSE '[' || substr(durable_task_executions.past_attempts,
  strpos(durable_task_executions.past_attempts, '
') + 1, (char_length(durable_task_executions.past_attempts) -
  strpos(durable_task_executions.past_attempts, '
')) - 1) || ',
' END || given.ended || ']', durable_task_executions.past_attempts),
  past_attempts_count=(coalesce(durable_task_executions.past_attempts_count, 0) + given.ended_count)
  FROM unnest(CAST($1 AS TEXT[]), CAST($2 AS TEXT[]), CAST($3 AS TEXT[]), CAST($4 AS BIGINT[]),
  CAST($5 AS BIGINT[]), CAST($6 AS BIGINT[]), CAST($7 AS BIGINT[]), CAST($8 AS TEXT[]), CAST($9 AS
  INTEGER[]), CAST($10 AS TEXT[]), CAST($11 AS INTEGER[]), CAST($12 AS TEXT[]), CAST($13 AS TEXT[]),
  CAST($14 AS BIGINT[])) AS given(status, executor_id, sleeping_unique_id, start_at, started_at,
  expires_at, updated_at, error, active_children_count, ended, ended_count, guard_id, guard_status,
  guard_fence) WHERE durable_task_executions.execution_id = given.guard_id AND
  durable_task_executions.status = given.guard_status AND durable_task_executions.fence =
  given.guard_fence RETURNING durable_task_executions.execution_id;
