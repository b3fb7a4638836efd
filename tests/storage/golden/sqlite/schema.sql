CREATE TABLE durable_task_executions (
    execution_id VARCHAR(64) NOT NULL,
    task_id VARCHAR(255) NOT NULL,
    root_task_id VARCHAR(255),
    root_execution_id VARCHAR(64),
    parent_task_id VARCHAR(255),
    parent_execution_id VARCHAR(64),
    index_in_parent INTEGER NOT NULL,
    is_only_child BOOLEAN NOT NULL,
    is_finalize BOOLEAN NOT NULL,
    sleeping_unique_id VARCHAR(255),
    idempotency_key VARCHAR(255),
    retry TEXT NOT NULL,
    sleep_before_run_ms BIGINT NOT NULL,
    timeout_ms BIGINT NOT NULL,
    are_children_sequential BOOLEAN NOT NULL,
    status VARCHAR(32) NOT NULL,
    fence BIGINT NOT NULL,
    executor_id VARCHAR(255),
    attempt INTEGER NOT NULL,
    crash_count INTEGER NOT NULL,
    start_at BIGINT NOT NULL,
    created_at BIGINT NOT NULL,
    updated_at BIGINT NOT NULL,
    started_at BIGINT,
    expires_at BIGINT,
    waiting_for_children_at BIGINT,
    waiting_for_finalize_at BIGINT,
    finished_at BIGINT,
    children_count INTEGER NOT NULL,
    active_children_count INTEGER NOT NULL,
    tags TEXT,
    error TEXT,
    input BLOB NOT NULL,
    run_output BLOB,
    output BLOB,
    traceparent VARCHAR(55),
    past_attempts TEXT,
    past_attempts_count INTEGER,
    PRIMARY KEY (execution_id),
    CONSTRAINT durable_status_fits_fields CHECK (CASE status
WHEN 'ready' THEN finished_at IS NULL AND active_children_count = 0 AND sleeping_unique_id IS NULL
WHEN 'running' THEN finished_at IS NULL AND active_children_count = 0 AND (executor_id IS NOT NULL OR sleeping_unique_id IS NOT NULL)
WHEN 'waiting_for_children' THEN finished_at IS NULL AND active_children_count >= 0
WHEN 'waiting_for_finalize' THEN finished_at IS NULL AND active_children_count >= 0
WHEN 'completed' THEN finished_at IS NOT NULL AND active_children_count = 0 AND error IS NULL
WHEN 'failed' THEN finished_at IS NOT NULL AND active_children_count = 0 AND error IS NOT NULL
WHEN 'timed_out' THEN finished_at IS NOT NULL AND active_children_count = 0 AND error IS NOT NULL
WHEN 'finalize_failed' THEN finished_at IS NOT NULL AND active_children_count = 0 AND error IS NOT NULL
WHEN 'cancelled' THEN finished_at IS NOT NULL AND active_children_count = 0 AND error IS NOT NULL
ELSE 1 = 0 END)
);

CREATE TABLE durable_task_execution_tags (
    name VARCHAR(64) NOT NULL,
    value VARCHAR(255) NOT NULL,
    execution_id VARCHAR(64) NOT NULL,
    PRIMARY KEY (name, value, execution_id)
)
 WITHOUT ROWID;

CREATE TABLE durable_task_execution_progress (
    execution_id VARCHAR(64) NOT NULL,
    fence BIGINT NOT NULL,
    number BIGINT NOT NULL,
    fraction DOUBLE NOT NULL,
    message TEXT,
    updated_at BIGINT NOT NULL,
    PRIMARY KEY (execution_id)
)
 WITHOUT ROWID;

CREATE TABLE durable_executors (
    executor_id VARCHAR(255) NOT NULL,
    lease_expires_at BIGINT NOT NULL,
    task_ids TEXT,
    started_at BIGINT,
    beat_at BIGINT,
    held_count INTEGER,
    ended_count BIGINT,
    PRIMARY KEY (executor_id)
);

CREATE INDEX durable_ready ON durable_task_executions (start_at, task_id, status) WHERE status = 'ready';

CREATE INDEX durable_joinable ON durable_task_executions (waiting_for_children_at, task_id) WHERE status IN ('waiting_for_children', 'waiting_for_finalize') AND active_children_count = 0;

CREATE INDEX durable_sleeping ON durable_task_executions (expires_at) WHERE status = 'running' AND sleeping_unique_id IS NOT NULL;

CREATE INDEX durable_children ON durable_task_executions (parent_execution_id, is_finalize, index_in_parent) WHERE parent_execution_id IS NOT NULL;

CREATE UNIQUE INDEX durable_sleeping_unique_id ON durable_task_executions (sleeping_unique_id) WHERE sleeping_unique_id IS NOT NULL;

CREATE UNIQUE INDEX durable_idempotency_key ON durable_task_executions (task_id, idempotency_key) WHERE idempotency_key IS NOT NULL;

CREATE INDEX durable_by_task ON durable_task_executions (task_id, execution_id) WHERE index_in_parent >= 0;

CREATE INDEX durable_failed ON durable_task_executions (execution_id) WHERE status IN ('cancelled', 'failed', 'finalize_failed', 'timed_out');

CREATE INDEX durable_unfinished ON durable_task_executions (execution_id) WHERE finished_at IS NULL;
