-- parameters:
-- task_id, retry, sleep_before_run_ms, timeout_ms, are_children_sequential, kind,
-- execution_id, start_at, created_at, input
INSERT INTO durable_task_executions (task_id, retry, sleep_before_run_ms, timeout_ms,
  are_children_sequential, execution_id, start_at, created_at, input, updated_at, status, fence,
  index_in_parent, attempt, crash_count, children_count, active_children_count, is_only_child,
  is_finalize) SELECT (CAST($1 AS TEXT[]))[given.kind] AS anon_1, (CAST($2 AS TEXT[]))[given.kind]
  AS anon_2, (CAST($3 AS BIGINT[]))[given.kind] AS anon_3, (CAST($4 AS BIGINT[]))[given.kind] AS
  anon_4, (CAST($5 AS BOOLEAN[]))[given.kind] AS anon_5, given.execution_id, given.start_at,
  given.created_at, given.input, given.created_at AS created_at__1, 'ready', 0, 0, 0, 0, 0, 0, false
  AS anon_6, false AS anon__1
FROM unnest(CAST($6 AS INTEGER[]), CAST($7 AS TEXT[]), CAST($8 AS BIGINT[]), CAST($9 AS BIGINT[]),
  CAST($10 AS BYTEA[])) AS given(kind, execution_id, start_at, created_at, input) ON CONFLICT
  (execution_id) DO NOTHING;
