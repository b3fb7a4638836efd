// Typed handles on the tasks of an executor server, for any oRPC client. Copy this file into your app: it is all
// that a TypeScript client needs besides @orpc/client, whichever language the server is written in.
import type { Client } from '@orpc/client'

/** The types of one task. There is nothing in it at run time. */
export type TaskTypes<TInput, TOutput> = { readonly input?: TInput; readonly output?: TOutput }

/** Says what a task of the server takes and gives: `{ sendEmail: task<Email, Sent>() }`. */
export function task<TInput, TOutput>(): TaskTypes<TInput, TOutput> {
  return {}
}

export type RetryOptions = {
  /** How often a failed task is tried again. */
  maxAttempts: number
  baseDelayMs?: number
  delayMultiplier?: number
  maxDelayMs?: number
}

export type EnqueueOptions = { retryOptions?: RetryOptions; sleepMsBeforeRun?: number; timeoutMs?: number }

export type WakeupOptions<TOutput = unknown> =
  | { status: 'completed'; output: TOutput }
  | { status: 'failed'; error?: unknown }

export type TaskExecutionSummary = { taskId: string; executionId: string }

export type TaskExecutionError = {
  errorType: 'generic' | 'not_found' | 'timed_out' | 'cancelled'
  message: string
  isRetryable: boolean
  isInternal: boolean
}

type Base<TStatus extends string> = {
  root?: TaskExecutionSummary
  parent?: TaskExecutionSummary
  taskId: string
  executionId: string
  sleepingTaskUniqueId?: string
  areChildrenSequential: boolean
  retryOptions: RetryOptions
  sleepMsBeforeRun: number
  timeoutMs: number
  input: unknown
  status: TStatus
  retryAttempts: number
  startAt: Date
  createdAt: Date
  updatedAt: Date
}
type Started = { startedAt: Date; expiresAt: Date }
type Family = { children: TaskExecutionSummary[]; activeChildrenCount: number }
type Joined = {
  waitingForChildrenStartedAt?: Date
  waitingForFinalizeStartedAt?: Date
  finalize?: TaskExecutionSummary
}
type Errored = { error: TaskExecutionError; finishedAt: Date }

export type FinishedTaskExecution<TOutput = unknown> =
  | (Base<'completed'> & Started & Family & Joined & { output: TOutput; finishedAt: Date })
  | (Base<'failed'> & Started & Errored)
  | (Base<'timed_out'> & Started & Errored)
  | (Base<'finalize_failed'> & Started & Family & Joined & Errored)
  | (Base<'cancelled'> & Partial<Started> & Family & Joined & Errored & { executorId?: string })

export type TaskExecution<TOutput = unknown> =
  | (Base<'ready'> & { error?: TaskExecutionError })
  | (Base<'running'> & Started & { executorId?: string; error?: TaskExecutionError })
  | (Base<'waiting_for_children'> & Started & Family & { waitingForChildrenStartedAt: Date })
  | (Base<'waiting_for_finalize'> & Started & Family & Joined)
  | FinishedTaskExecution<TOutput>

type Call<TInput, TOutput> = Client<Record<never, never>, TInput, TOutput, Error>

/** The procedures of the server's tasks router. */
export type TasksRouterClient = {
  enqueueTask: Call<{ taskId: string; input: unknown; options?: EnqueueOptions }, string>
  getTaskExecution: Call<{ taskId: string; executionId: string }, TaskExecution>
  wakeupSleepingTaskExecution: Call<
    { taskId: string; sleepingTaskUniqueId: string; options: WakeupOptions },
    FinishedTaskExecution
  >
}

export type TaskClientHandle<TInput, TOutput> = {
  enqueue(
    ...args: undefined extends TInput
      ? [input?: TInput, options?: EnqueueOptions]
      : [input: TInput, options?: EnqueueOptions]
  ): Promise<string>
  getExecution(executionId: string): Promise<TaskExecution<TOutput>>
  wakeup(sleepingTaskUniqueId: string, options: WakeupOptions<TOutput>): Promise<FinishedTaskExecution<TOutput>>
}

export type InferTaskClientHandles<TTasks> = {
  [K in keyof TTasks]: TTasks[K] extends TaskTypes<infer TInput, infer TOutput>
    ? TaskClientHandle<TInput, TOutput>
    : never
}

/** Makes a handle for each task. The keys of `tasks` are those of the server's mapping. */
export function createTaskClientHandles<TTasks extends Record<string, TaskTypes<unknown, unknown>>>(
  client: TasksRouterClient,
  tasks: TTasks,
): InferTaskClientHandles<TTasks> {
  const handles = Object.keys(tasks).map((taskId) => [taskId, handleOf(client, taskId)])
  return Object.fromEntries(handles) as InferTaskClientHandles<TTasks>
}

function handleOf(client: TasksRouterClient, taskId: string): TaskClientHandle<unknown, unknown> {
  return {
    enqueue: (input?: unknown, options?: EnqueueOptions) =>
      client.enqueueTask(options ? { taskId, input, options } : { taskId, input }),
    getExecution: (executionId) => client.getTaskExecution({ taskId, executionId }),
    wakeup: (sleepingTaskUniqueId, options) =>
      client.wakeupSleepingTaskExecution({ taskId, sleepingTaskUniqueId, options }),
  }
}
