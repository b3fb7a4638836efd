-- parameters:
-- status, output, error, finished_at, finished_at_2, guard_id, guard_status, guard_fence,
-- guard_children_count, at_most_active, guard_expires_at
UPDATE durable_task_executions SET status=given.status, output=given.output, error=given.error,
  finished_at=given.finished_at, updated_at=given.finished_at, active_children_count=0 FROM
  unnest(CAST($1 AS TEXT[]), CAST($2 AS BYTEA[]), CAST($3 AS TEXT[]), CAST($4 AS BIGINT[]), CAST($5
  AS BIGINT[]), CAST($6 AS TEXT[]), CAST($7 AS TEXT[]), CAST($8 AS BIGINT[]), CAST($9 AS INTEGER[]),
  CAST($10 AS INTEGER[]), CAST($11 AS BIGINT[])) AS given(status, output, error, finished_at,
  finished_at_2, guard_id, guard_status, guard_fence, guard_children_count, at_most_active,
  guard_expires_at) WHERE durable_task_executions.execution_id = given.guard_id AND
  durable_task_executions.status = given.guard_status AND durable_task_executions.fence =
  given.guard_fence + coalesce(durable_task_executions.children_count - given.guard_children_count,
  0) AND durable_task_executions.active_children_count <= given.at_most_active AND
  coalesce(given.guard_expires_at, durable_task_executions.expires_at, 0) =
  coalesce(durable_task_executions.expires_at, 0) RETURNING durable_task_executions.execution_id;
