-- parameters:
-- execution_id, fence, number, fraction, message, updated_at
INSERT INTO durable_task_execution_progress (execution_id, fence, number, fraction, message,
  updated_at) SELECT given.execution_id, given.fence, given.number, given.fraction, given.message,
  given.updated_at
FROM unnest(CAST($1 AS TEXT[]), CAST($2 AS BIGINT[]), CAST($3 AS BIGINT[]), CAST($4 AS DOUBLE
  PRECISION[]), CAST($5 AS TEXT[]), CAST($6 AS BIGINT[])) AS given(execution_id, fence, number,
  fraction, message, updated_at) ON CONFLICT (execution_id) DO UPDATE SET fence = excluded.fence,
  number = excluded.number, fraction = excluded.fraction, message = excluded.message, updated_at =
  excluded.updated_at WHERE excluded.fence > durable_task_execution_progress.fence OR excluded.fence
  = durable_task_execution_progress.fence AND excluded.number >
  durable_task_execution_progress.number;
