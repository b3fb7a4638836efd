// An app with a callback task, of the example's helper and nothing else. Prints `{"port": n}` and ends when its
// standard input closes. What an attempt is to do is said by its input.
// usage: node callbacks_app.mjs HELPER EXECUTOR_URL SECRET
import { createServer } from 'node:http'

const [helper, executorUrl, secret] = process.argv.slice(2)
const { accepted, completed, createCallbackClient, verifyCallback } = await import(helper)
const callbacks = createCallbackClient(executorUrl)

const later = {
  async complete({ token, input }) {
    await callbacks.completeTask({ token, output: input.value })
  },
  async beat({ token, input }) {
    const { expiresAt } = await callbacks.heartbeatTask({ token, progress: { fraction: 0.5, message: 'half' } })
    await callbacks.completeTask({ token, output: { isDate: expiresAt instanceof Date, value: input.value } })
  },
  async fail({ token }) {
    await callbacks.failTask({ token, error: new Error('broken'), isRetryable: false }).catch(() => {})
    await callbacks.failTask({ token, error: { message: 'no disk' } })
  },
  async twice({ token }) {
    const first = await callbacks.completeTask({ token, output: 1 })
    const again = await callbacks.completeTask({ token, output: 1 })
    const other = await callbacks.completeTask({ token, output: 2 }).catch((error) => error)
    console.error(JSON.stringify({ first, again, other: [other.code, other.status] }))
  },
}

async function take(request) {
  const work = await verifyCallback(request, secret)
  if (work === null) return new Response('not from the executor', { status: 401 })
  if (work.input.act === 'answer') return completed(work.input.value)
  setTimeout(() => later[work.input.act](work), 20)
  return accepted()
}

const server = createServer(async (incoming, outgoing) => {
  const pieces = []
  for await (const piece of incoming) pieces.push(piece)
  const headers = Object.entries(incoming.headers).map(([name, value]) => [name, String(value)])
  const request = new Request(`http://app${incoming.url}`, {
    method: incoming.method,
    headers,
    body: Buffer.concat(pieces),
  })
  const response = await take(request)
  outgoing.writeHead(response.status, Object.fromEntries(response.headers))
  outgoing.end(Buffer.from(await response.arrayBuffer()))
})

server.listen(0, '127.0.0.1', () => console.log(JSON.stringify({ port: server.address().port })))
process.stdin.on('end', () => process.exit(0)).resume()
