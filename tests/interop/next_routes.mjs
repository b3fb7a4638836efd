// Serves the route handlers of a compiled folder as Next.js does: by file name, with web requests.
// usage: node next_routes.mjs FOLDER
import { createServer } from 'node:http'
import { register } from 'node:module'
import { readdir } from 'node:fs/promises'
import { join } from 'node:path'
import { Readable } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import { pathToFileURL } from 'node:url'

// Bundlers find ./tasks in tasks.js; Node.js alone does not.
const hooks = `export const resolve = (name, context, next) =>
  next(name.startsWith('.') && !/\\.m?js$/.test(name) ? name + '.js' : name, context)`
register(`data:text/javascript,${encodeURIComponent(hooks)}`)

const folder = process.argv[2]
const files = (await readdir(join(folder, 'app'), { recursive: true })).filter((name) => name.endsWith('route.js'))
const routes = await Promise.all(
  files.map(async (name) => ({
    parts: name.split('/').slice(0, -1),
    handlers: await import(pathToFileURL(join(folder, 'app', name)).href),
  })),
)

function matched(parts, given) {
  if (parts.length !== given.length) return undefined
  const params = {}
  for (const [index, part] of parts.entries()) {
    if (part.startsWith('[')) params[part.slice(1, -1)] = decodeURIComponent(given[index])
    else if (part !== given[index]) return undefined
  }
  return params
}

async function answer(incoming, outgoing) {
  const url = new URL(incoming.url, `http://${incoming.headers.host}`)
  const given = url.pathname.split('/').slice(1)
  for (const { parts, handlers } of routes) {
    const params = matched(parts, given)
    if (params === undefined) continue
    const leaving = new AbortController()
    outgoing.once('close', () => leaving.abort())
    const hasBody = !['GET', 'HEAD'].includes(incoming.method)
    const request = new Request(url, {
      method: incoming.method,
      headers: Object.entries(incoming.headers).map(([name, value]) => [name, String(value)]),
      body: hasBody ? Readable.toWeb(incoming) : undefined,
      duplex: 'half',
      signal: leaving.signal,
    })
    const response = await handlers[incoming.method](request, { params: Promise.resolve(params) })
    outgoing.writeHead(response.status, Object.fromEntries(response.headers))
    if (response.body) await pipeline(Readable.fromWeb(response.body), outgoing)
    else outgoing.end()
    return
  }
  outgoing.writeHead(404).end()
}

const server = createServer((incoming, outgoing) => {
  answer(incoming, outgoing).catch((error) => {
    console.error(error)
    outgoing.destroy()
  })
})
server.listen(0, '127.0.0.1', () => console.log(JSON.stringify({ port: server.address().port })))
process.stdin.on('end', () => process.exit(0)).resume()
