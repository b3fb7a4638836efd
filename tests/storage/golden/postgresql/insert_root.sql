-- parameters:
-- execution_id, task_id, retry, sleep_before_run_ms, timeout_ms, are_children_sequential,
-- status, fence, executor_id, start_at, created_at, updated_at, started_at, expires_at,
-- input
INSERT INTO durable_task_executions (execution_id, task_id, retry, sleep_before_run_ms, timeout_ms,
  are_children_sequential, status, fence, executor_id, start_at, created_at, updated_at, started_at,
  expires_at, input, index_in_parent, attempt, crash_count, children_count, active_children_count,
  is_only_child, is_finalize) SELECT given.execution_id, given.task_id, given.retry,
  given.sleep_before_run_ms, given.timeout_ms, given.are_children_sequential, given.status,
  given.fence, given.executor_id, given.start_at, given.created_at, given.updated_at,
  given.started_at, given.expires_at, given.input, 0, 0, 0, 0, 0, false AS anon_1, false AS anon__1
FROM unnest(CAST($1 AS TEXT[]), CAST($2 AS TEXT[]), CAST($3 AS TEXT[]), CAST($4 AS BIGINT[]),
  CAST($5 AS BIGINT[]), CAST($6 AS BOOLEAN[]), CAST($7 AS TEXT[]), CAST($8 AS BIGINT[]), CAST($9 AS
  TEXT[]), CAST($10 AS BIGINT[]), CAST($11 AS BIGINT[]), CAST($12 AS BIGINT[]), CAST($13 AS
  BIGINT[]), CAST($14 AS BIGINT[]), CAST($15 AS BYTEA[])) AS given(execution_id, task_id, retry,
  sleep_before_run_ms, timeout_ms, are_children_sequential, status, fence, executor_id, start_at,
  created_at, updated_at, started_at, expires_at, input) ON CONFLICT (execution_id) DO NOTHING;
