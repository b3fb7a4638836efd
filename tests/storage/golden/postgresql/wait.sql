-- parameters:
-- status, run_output, children_count, active_children_count, waiting_for_children_at,
-- waiting_for_finalize_at, updated_at, guard_id, guard_status, guard_fence, at_most_active,
-- guard_expires_at
UPDATE durable_task_executions SET status=given.status, fence=(durable_task_executions.fence + 1),
  error=NULL, run_output=given.run_output, children_count=given.children_count,
  active_children_count=given.active_children_count,
  waiting_for_children_at=given.waiting_for_children_at,
  waiting_for_finalize_at=given.waiting_for_finalize_at, updated_at=given.updated_at FROM
  unnest(CAST($1 AS TEXT[]), CAST($2 AS BYTEA[]), CAST($3 AS INTEGER[]), CAST($4 AS INTEGER[]),
  CAST($5 AS BIGINT[]), CAST($6 AS BIGINT[]), CAST($7 AS BIGINT[]), CAST($8 AS TEXT[]), CAST($9 AS
  TEXT[]), CAST($10 AS BIGINT[]), CAST($11 AS INTEGER[]), CAST($12 AS BIGINT[])) AS given(status,
  run_output, children_count, active_children_count, waiting_for_children_at,
  waiting_for_finalize_at, updated_at, guard_id, guard_status, guard_fence, at_most_active,
  guard_expires_at) WHERE durable_task_executions.execution_id = given.guard_id AND
  durable_task_executions.status = given.guard_status AND durable_task_executions.fence =
  given.guard_fence AND durable_task_executions.active_children_count <= given.at_most_active AND
  coalesce(given.guard_expires_at, durable_task_executions.expires_at, 0) =
  coalesce(durable_task_executions.expires_at, 0) RETURNING durable_task_executions.execution_id;
