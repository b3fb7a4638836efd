// Waiting, watching, cancelling, listing and enqueueing many under one version of @orpc/client; prints the outcomes
// as JSON.
// usage: node waiting_client.mjs <package> <url>
import assert from 'node:assert/strict'

const [packageName, url] = process.argv.slice(2)
const { createORPCClient, ORPCError, ...rest } = await import(packageName)
const { RPCLink } = await import(`${packageName}/fetch`)
const { ClientRetryPlugin } = await import(`${packageName}/plugins`)
// Older clients leave it to the package below.
const { getEventMeta } = rest.getEventMeta
  ? rest
  : await import(`./node_modules/${packageName}/node_modules/@orpc/standard-server/dist/index.mjs`)

const client = createORPCClient(new RPCLink({ url }))
const run = `${packageName} ${Date.now()}` // several clients use one server

const LATER = { sleepMsBeforeRun: 1000 } // for watchers that shall see all of it

const scenarios = {
  wait: async () => {
    const executionId = await client.enqueueTask({ taskId: 'paced', input: 2 })
    const execution = await client.waitTaskExecution({ taskId: 'paced', executionId })
    assert.ok(execution.finishedAt instanceof Date)
    return [execution.status, execution.output]
  },
  waitDeadline: async () => {
    const executionId = await client.enqueueTask({ taskId: 'held' })
    const execution = await client.waitTaskExecution({ taskId: 'held', executionId, timeoutMs: 50 })
    return 'finishedAt' in execution
  },
  watch: async () => {
    const executionId = await client.enqueueTask({ taskId: 'paced', input: 2 , options: LATER })
    const { events, returned } = await drained(await client.watchTaskExecution({ taskId: 'paced', executionId }))
    const progress = events.filter(({ type }) => type === 'progress').map((event) => event.progress)
    const statuses = events.filter(({ type }) => type === 'status').map(({ execution }) => execution.status)
    assert.ok(progress.every(({ updatedAt }) => updatedAt instanceof Date))
    assert.equal(new Set(events.map((event) => getEventMeta(event).id)).size, events.length)
    return {
      progress: progress.map(({ fraction, message }) => [fraction, message]),
      lastStatuses: statuses.slice(-2),
      returned: [returned.status, returned.output],
    }
  },
  watchResumes: async () => {
    const executionId = await client.enqueueTask({ taskId: 'paced', input: 4 , options: LATER })
    const call = { taskId: 'paced', executionId }
    const seen = []
    let lastEventId
    for await (const event of await client.watchTaskExecution(call)) {
      seen.push(event)
      lastEventId = getEventMeta(event).id
      if (event.type === 'progress') break // closes the connection
    }
    const { events, returned } = await drained(await client.watchTaskExecution(call, { lastEventId }))
    const fractions = [...seen, ...events].filter(({ type }) => type === 'progress').map((event) => event.progress.fraction)
    assert.deepStrictEqual(fractions, [...new Set(fractions)].sort())
    const again = await drained(await client.watchTaskExecution(call, { lastEventId: getEventMeta(events.at(-1)).id }))
    return {
      fractions: [fractions[0], fractions.at(-1)],
      last: events.at(-1).execution.status,
      returned: returned.output,
      again: [again.events.length, again.returned.output],
    }
  },
  watchOverBrokenConnections: async () => {
    // What a connection that breaks looks like to the client; its retry plugin then resumes by itself.
    let broken = 0
    const link = new RPCLink({
      url,
      fetch: async (...args) => {
        const response = await fetch(...args)
        if (broken >= 2 || !response.headers.get('content-type')?.includes('event-stream')) return response
        broken += 1
        return new Response(response.body.pipeThrough(breaking(2)), response)
      },
      plugins: [new ClientRetryPlugin()],
    })
    const retrying = createORPCClient(link)
    const executionId = await retrying.enqueueTask({ taskId: 'paced', input: 4 , options: LATER })
    const context = { retry: 5, retryDelay: 1 }
    const { events, returned } = await drained(
      await retrying.watchTaskExecution({ taskId: 'paced', executionId }, { context }),
    )
    const fractions = events.filter(({ type }) => type === 'progress').map((event) => event.progress.fraction)
    assert.deepStrictEqual(fractions, [...new Set(fractions)].sort())
    assert.equal(events.filter((event) => event.execution?.status === 'completed').length, 1)
    return { broken, last: fractions.at(-1), returned: returned.output }
  },
  cancel: async () => {
    const executionId = await client.enqueueTask({ taskId: 'held' })
    const { status, error } = await client.cancelTaskExecution({ taskId: 'held', executionId })
    return [status, error.errorType]
  },
  list: async () => {
    const before = new Date(Date.now() - 60_000)
    const ids = await client.enqueueTasks({
      tasks: [1, 2, 3].map((input) => ({ taskId: 'describe', input, options: { tags: { run } } })),
    })
    await Promise.all(ids.map((executionId) => client.waitTaskExecution({ taskId: 'describe', executionId })))
    const found = []
    let cursor
    do {
      const page = await client.listTaskExecutions({
        taskIds: ['describe'],
        statuses: ['completed'],
        createdFrom: before,
        tags: { run },
        order: 'oldest_first',
        limit: 2,
        cursor,
      })
      found.push(...page.executions)
      cursor = page.nextCursor
    } while (cursor)
    assert.deepStrictEqual(found.map(({ executionId }) => executionId).sort(), ids.toSorted())
    assert.ok(found.every(({ createdAt }) => createdAt instanceof Date))
    return { tags: Object.keys(found[0].tags), payloads: found.some((each) => 'input' in each || 'output' in each) }
  },
  enqueueOnce: async () => {
    const call = { taskId: 'echo', input: 7, options: { idempotencyKey: run } }
    const first = await client.enqueueTask(call)
    const [again, other] = await client.enqueueTasks({ tasks: [call, { taskId: 'echo', input: 8 }] })
    return [again === first, other === first]
  },
  keyConflict: async () => {
    const options = { idempotencyKey: `conflict ${run}` }
    const executionId = await client.enqueueTask({ taskId: 'echo', input: 7, options })
    const { code, status, data } = await refusal(client.enqueueTask({ taskId: 'echo', input: 8, options }))
    return [code, status, data.executionId === executionId]
  },
  oneBadAmongMany: async () => {
    const tasks = [{ taskId: 'echo', input: 1 }, { taskId: 'echo', options: { timeoutMs: 'soon' } }]
    const { status, data } = await refusal(client.enqueueTasks({ tasks }))
    return [status, data.issues[0].path]
  },
  watchUnknown: async () => {
    const { code, status } = await refusal(client.watchTaskExecution({ taskId: 'echo', executionId: 'te_nobody' }))
    return [code, status]
  },
}

async function drained(iterator) {
  const events = []
  while (true) {
    const { done, value } = await iterator.next()
    if (done) return { events, returned: value }
    events.push(value)
  }
}

function breaking(pieces) {
  let left = pieces
  return new TransformStream({
    transform(piece, controller) {
      controller.enqueue(piece)
      left -= 1
      if (left === 0) controller.error(new TypeError('terminated'))
    },
  })
}

async function refusal(call) {
  const error = await call.then(
    () => assert.fail('was not refused'),
    (reason) => reason,
  )
  assert.ok(error instanceof ORPCError, error)
  return error
}

const outcomes = {}
for (const [name, scenario] of Object.entries(scenarios)) {
  try {
    outcomes[name] = { result: await scenario() }
  } catch (error) {
    outcomes[name] = { error: String(error?.stack ?? error) }
  }
}
console.log(JSON.stringify(outcomes))
process.exit(0)
