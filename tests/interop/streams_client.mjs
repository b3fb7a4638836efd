// The streams and batches of our server as a real client reads them; prints the outcome of every scenario as JSON.
// usage: node streams_client.mjs <package> <origin>
import assert from 'node:assert/strict'
import { setTimeout as delay } from 'node:timers/promises'

const [packageName, origin] = process.argv.slice(2)
const { createORPCClient, getEventMeta, ORPCError } = await import(packageName)
const { RPCLink } = await import(`${packageName}/fetch`)
const { BatchLinkPlugin } = await import(`${packageName}/plugins`)

const isV2 = packageName.endsWith('2-beta')
const base = isV2 ? { origin, url: '/rpc' } : { url: `${origin}/rpc` }
const clientWith = (options) => createORPCClient(new RPCLink({ ...base, ...options }))
const client = clientWith({})

let requests = 0
const batching = (options) =>
  clientWith({
    plugins: [new BatchLinkPlugin({ groups: [{ condition: () => true, context: {} }], ...options })],
    fetch: (...args) => {
      requests += 1
      return fetch(...args)
    },
  })

async function drained(iterator) {
  const values = []
  while (true) {
    const { done, value } = await iterator.next()
    if (done) return { values, returned: value }
    values.push(value)
  }
}

const scenarios = {
  valuesAndReturn: async () => {
    const { values, returned } = await drained(await client.count({ to: 3 }))
    assert.ok(values.every((value) => value.at instanceof Date))
    return { values: values.map((value) => value.n), returned }
  },
  metadata: async () => {
    const iterator = await client.count({ to: 1 })
    if (!getEventMeta) return 'not exported'
    const { id, retry, comments } = getEventMeta((await iterator.next()).value) ?? {}
    await iterator.return?.()
    return { id, retry, comments }
  },
  resume: async () => {
    const { values } = await drained(await client.count({ to: 5 }, { lastEventId: '3' }))
    return values.map((value) => value.n)
  },
  declaredError: async () => {
    const iterator = await client.fails()
    await iterator.next()
    const error = await iterator.next().catch((error) => error)
    assert.ok(error instanceof ORPCError)
    return { code: error.code, message: error.message, defined: error.defined, data: error.data }
  },
  maskedError: async () => {
    const iterator = await client.crashes()
    await iterator.next()
    const error = await iterator.next().catch((error) => error)
    assert.ok(error instanceof ORPCError)
    return { code: error.code, message: error.message }
  },
  cancel: async () => {
    const iterator = await client.endless()
    await iterator.next()
    await iterator.return()
    while ((await client.running()) > 0) await delay(5)
    return 'ended'
  },
  abort: async () => {
    const controller = new AbortController()
    const iterator = await client.endless(undefined, { signal: controller.signal })
    await iterator.next()
    controller.abort()
    await iterator.next().catch(() => {})
    while ((await client.running()) > 0) await delay(5)
    return 'ended'
  },
  keepAlive: async () => (await drained(await client.silent())).values,
  get: async () => (await drained(await clientWith({ method: 'GET' }).count({ to: 2 }))).values.length,
  input: async () => {
    // Node.js cannot send a stream by version 1 of the link (WIRE.md 4.3).
    if (!isV2) return 6
    return client.total(
      (async function* () {
        yield 1
        yield 2
        yield 3
      })(),
    )
  },
  streamingBatch: () => batch({}),
  bufferedBatch: () => batch({ mode: 'buffered' }),
  getBatch: async () => {
    requests = 0
    const reading = clientWith({ method: 'GET', plugins: [new BatchLinkPlugin({ groups: [{ condition: () => true, context: {} }] })] })
    return Promise.all([reading.find(1), reading.find(2)])
  },
  streamInABatch: async () => {
    const both = batching({})
    const results = await Promise.allSettled([both.ping(), both.count({ to: 1 })])
    return [results[0].value, results[1].status]
  },
}

async function batch(options) {
  requests = 0
  const both = batching(options)
  const results = await Promise.allSettled([both.ping(), both.echo(new Date(0)), both.refuses(), both.no.such(), both.nothing()])
  const [pong, date, refused, missing, nothing] = results
  return {
    requests,
    pong: pong.value,
    date: date.value?.toISOString(),
    refused: refused.reason?.code,
    missing: missing.reason?.code,
    nothing: nothing.status === 'fulfilled' && nothing.value === undefined,
  }
}

const outcomes = {}
for (const [name, scenario] of Object.entries(scenarios)) {
  try {
    outcomes[name] = await scenario()
  } catch (error) {
    outcomes[name] = `${error.name}: ${error.message}`
  }
}
console.log(JSON.stringify(outcomes))
