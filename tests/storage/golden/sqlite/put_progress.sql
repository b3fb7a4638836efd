-- parameters:
-- execution_id, fence, number, fraction, message, updated_at
INSERT INTO durable_task_execution_progress (execution_id, fence, number, fraction, message,
  updated_at) VALUES (?, ?, ?, ?, ?, ?) ON CONFLICT (execution_id) DO UPDATE SET fence =
  excluded.fence, number = excluded.number, fraction = excluded.fraction, message =
  excluded.message, updated_at = excluded.updated_at WHERE excluded.fence >
  durable_task_execution_progress.fence OR excluded.fence = durable_task_execution_progress.fence
  AND excluded.number > durable_task_execution_progress.number;
