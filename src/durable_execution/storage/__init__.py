"""Where executions are kept."""
