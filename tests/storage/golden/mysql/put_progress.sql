-- parameters:
-- execution_id, fence, number, fraction, message, updated_at
INSERT INTO durable_task_execution_progress (execution_id, fence, number, fraction, message,
  updated_at) VALUES (%s, %s, %s, %s, %s, %s) ON DUPLICATE KEY UPDATE fraction = IF(VALUES(fence) >
  durable_task_execution_progress.fence OR VALUES(fence) = durable_task_execution_progress.fence AND
  VALUES(number) > durable_task_execution_progress.number, VALUES(fraction),
  durable_task_execution_progress.fraction), message = IF(VALUES(fence) >
  durable_task_execution_progress.fence OR VALUES(fence) = durable_task_execution_progress.fence AND
  VALUES(number) > durable_task_execution_progress.number, VALUES(message),
  durable_task_execution_progress.message), updated_at = IF(VALUES(fence) >
  durable_task_execution_progress.fence OR VALUES(fence) = durable_task_execution_progress.fence AND
  VALUES(number) > durable_task_execution_progress.number, VALUES(updated_at),
  durable_task_execution_progress.updated_at), number = IF(VALUES(fence) >
  durable_task_execution_progress.fence OR VALUES(fence) = durable_task_execution_progress.fence AND
  VALUES(number) > durable_task_execution_progress.number, VALUES(number),
  durable_task_execution_progress.number), fence = GREATEST(VALUES(fence),
  durable_task_execution_progress.fence);
