-- parameters:
-- output, finished_at, guard_id, guard_fence
UPDATE durable_task_executions SET status='completed', output=given.output, error=NULL,
  finished_at=given.finished_at, updated_at=given.finished_at FROM unnest(CAST($1 AS BYTEA[]),
  CAST($2 AS BIGINT[]), CAST($3 AS TEXT[]), CAST($4 AS BIGINT[])) AS given(output, finished_at,
  guard_id, guard_fence) WHERE durable_task_executions.execution_id = given.guard_id AND
  durable_task_executions.status = 'running' AND durable_task_executions.fence = given.guard_fence
  RETURNING durable_task_executions.execution_id;
