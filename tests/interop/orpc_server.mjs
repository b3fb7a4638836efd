// A real oRPC server for the Python client to talk to: `/rpc` is the handler, every other path misbehaves in one
// named way. Prints `{"port": n}` once it listens and ends when its standard input closes, so it never outlives
// the test session that started it.
import { createServer } from 'node:http'
import { setTimeout as delay } from 'node:timers/promises'
import { ORPCError, os } from '@orpc/server'
import { RPCHandler } from '@orpc/server/node'
import { z } from 'zod'

const procedures = os.$context()
const readable = procedures.route({ method: 'GET' })

let underway = 0 // calls of `slow` that have not ended

const planet = {
  find: readable
    .input(z.object({ id: z.number().int().positive() }))
    .handler(({ input }) => ({ id: input.id, name: 'Earth' })),
  create: procedures
    .input(z.object({ name: z.string().min(1), seenAt: z.date().optional() }))
    .handler(({ input }) => ({ id: 2n, ...input })),
}

const errors = {
  withData: procedures.handler(() => {
    throw new ORPCError('NOT_FOUND', { message: 'No such planet', data: { id: 7n, at: new Date(0) } })
  }),
  customStatus: procedures.handler(() => {
    throw new ORPCError('OUT_OF_STOCK', { status: 409 })
  }),
  declared: procedures
    .errors({ LIMIT: { status: 429, message: 'Slow down', data: z.object({ retryAfterMs: z.number() }) } })
    .handler(({ errors: declared }) => {
      throw declared.LIMIT({ data: { retryAfterMs: 250 } })
    }),
  plain: procedures.handler(() => {
    throw new Error('the password is hunter2')
  }),
  invalidOutput: procedures.output(z.string()).handler(() => 42),
}

const router = {
  ping: procedures.handler(() => 'pong'),
  nothing: procedures.handler(() => undefined),
  echo: procedures.handler(({ input }) => input),
  describe: procedures.handler(({ input }) => describe(input)),
  rich: procedures.handler(() => rich()),
  request: readable.handler(({ context, input }) => ({ ...context, input })),
  slow: procedures.handler(async ({ input, signal }) => {
    underway += 1
    try {
      await delay(input.ms, undefined, { signal })
    } finally {
      underway -= 1
    }
    return 'late'
  }),
  underway: procedures.handler(() => underway),
  count: procedures.handler(async function* () {
    yield 1
  }),
  download: procedures.handler(() => new File(['hi'], 'hi.txt', { type: 'text/plain' })),
  planet,
  errors,
  deep: { er: { still: procedures.handler(({ path }) => path) } },
  'odd name/é': procedures.handler(() => 'odd'),
}

const misbehaviours = {
  '/html': (_request, response) => {
    response.writeHead(502, { 'content-type': 'text/html' }).end('<h1>Bad gateway</h1>')
  },
  '/not-json': (_request, response) => {
    response.writeHead(200, { 'content-type': 'application/json' }).end('{oops')
  },
  '/redirect': (_request, response) => {
    response.writeHead(302, { location: '/rpc/ping', 'content-type': 'application/json' }).end('{"json":"not followed"}')
  },
  '/cookie': (request, response) => {
    response.setHeader('set-cookie', 'session=1; Path=/')
    response.writeHead(200, { 'content-type': 'application/json' })
    response.end(JSON.stringify({ json: request.headers.cookie ?? null }))
  },
  '/endless': (_request, response) => {
    response.writeHead(200, { 'content-type': 'application/json' })
    const send = () => {
      while (!response.destroyed && response.write('x'.repeat(65536)));
    }
    response.on('drain', send)
    send()
  },
  '/hangs-up': (request) => {
    request.socket.destroy()
  },
  '/dies-midway': (request, response) => {
    response.writeHead(200, { 'content-type': 'application/json', 'content-length': '1000' })
    response.write('{"json":', () => request.socket.destroy())
  },
}

const handler = new RPCHandler(router)

const server = createServer(async (request, response) => {
  const misbehaviour = misbehaviours[`/${request.url.split('/')[1]}`]
  if (misbehaviour) {
    misbehaviour(request, response)
    return
  }
  const context = {
    method: request.method,
    client: request.headers['x-client'] ?? null,
    lastEventId: request.headers['last-event-id'] ?? null,
    query: new URL(request.url, 'http://localhost').searchParams.get('tenant'),
  }
  const { matched } = await handler.handle(request, response, { prefix: '/rpc', context })
  if (!matched) response.writeHead(404, { 'content-type': 'text/plain' }).end('Not found')
})

server.listen(0, '127.0.0.1', () => console.log(JSON.stringify({ port: server.address().port })))
process.stdin.on('end', () => process.exit(0)).resume()

function rich() {
  return {
    bigint: 12345678901234567890n,
    date: new Date('2024-02-29T12:34:56.789Z'),
    invalidDate: new Date(NaN),
    nan: NaN,
    list: [undefined, null, 1.5],
    url: new URL('https://example.com/a?b=c'),
    regexp: /a\/b/gi,
    set: new Set([1, 'a', { nested: new Date(0) }]),
    map: new Map([[1, 'one'], ['two', new Set([2n])]]),
  }
}

// What arrived, in words: an echo alone would not notice a tag both sides ignore.
function describe(value) {
  if (value === undefined) return 'undefined'
  if (value === null) return 'null'
  if (typeof value === 'bigint') return `bigint ${value}`
  if (value instanceof Date) return `date ${Number.isNaN(value.getTime()) ? 'invalid' : value.toISOString()}`
  if (value instanceof URL) return `url ${value.href}`
  if (value instanceof RegExp) return `regexp ${value}`
  if (value instanceof Set) return { set: [...value].map(describe) }
  if (value instanceof Map) return { map: [...value].map(([key, item]) => [describe(key), describe(item)]) }
  if (Array.isArray(value)) return value.map(describe)
  if (typeof value === 'object') {
    return Object.fromEntries(Object.entries(value).map(([key, item]) => [key, describe(item)]))
  }
  return `${typeof value} ${value}`
}
