-- parameters:
-- task_id, retry, sleep_before_run_ms, timeout_ms, are_children_sequential, executor_id,
-- started_at, kind, execution_id, start_at, created_at, input
INSERT INTO durable_task_executions (task_id, retry, sleep_before_run_ms, timeout_ms,
  are_children_sequential, execution_id, start_at, created_at, input, status, fence, executor_id,
  updated_at, started_at, expires_at, index_in_parent, attempt, crash_count, children_count,
  active_children_count, is_only_child, is_finalize) SELECT (CAST($1 AS TEXT[]))[given.kind] AS
  anon_1, (CAST($2 AS TEXT[]))[given.kind] AS anon_2, (CAST($3 AS BIGINT[]))[given.kind] AS anon_3,
  (CAST($4 AS BIGINT[]))[given.kind] AS anon_4, (CAST($5 AS BOOLEAN[]))[given.kind] AS anon_5,
  given.execution_id, given.start_at, given.created_at, given.input, 'running', 1, CAST($6 AS TEXT)
  AS anon_6, CAST($7 AS BIGINT) AS anon_7, CAST($7 AS BIGINT) AS anon__1, CAST($7 AS BIGINT) +
  (CAST($4 AS BIGINT[]))[given.kind] AS anon_8, 0, 0, 0, 0, 0, false AS anon_9, false AS anon__2
FROM unnest(CAST($8 AS INTEGER[]), CAST($9 AS TEXT[]), CAST($10 AS BIGINT[]), CAST($11 AS BIGINT[]),
  CAST($12 AS BYTEA[])) AS given(kind, execution_id, start_at, created_at, input)
WHERE EXISTS (SELECT 1
FROM durable_executors
WHERE durable_executors.executor_id = CAST($6 AS TEXT) AND durable_executors.lease_expires_at >
  CAST(floor(extract(epoch FROM now()) * 1000) AS BIGINT) FOR KEY SHARE SKIP LOCKED) ON CONFLICT
  (execution_id) DO NOTHING;
