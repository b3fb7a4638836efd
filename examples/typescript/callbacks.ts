// Callback tasks in an app: verify a request of the executor server, answer it now or later.
// WebCrypto and fetch alone, so that it runs in Next.js route handlers, on the edge and in Node.js.
import { createORPCClient } from '@orpc/client'
import { RPCLink } from '@orpc/client/fetch'
import { StandardRPCJsonSerializer } from '@orpc/client/standard'

/** One attempt that the app is to carry out. `executionId` is the same in all attempts of an execution. */
export interface CallbackRequest<TInput> {
  taskId: string
  executionId: string
  attempt: number
  input: TInput
  /** What the app answers with, now or later. */
  token: string
  /** Until then the app must have answered or sent a heartbeat. */
  expiresAt: Date
}

type Ended = { executionId: string; status: string }

/** The procedures of the tasks router that an app calls back with. */
export interface CallbackClient {
  completeTask(call: { token: string; output?: unknown }): Promise<Ended>
  failTask(call: { token: string; error: string | { message: string }; isRetryable?: boolean }): Promise<Ended>
  heartbeatTask(call: {
    token: string
    progress?: { fraction: number; message?: string }
  }): Promise<{ expiresAt: Date }>
}

export function createCallbackClient(url: string): CallbackClient {
  return createORPCClient(new RPCLink({ url })) as unknown as CallbackClient
}

const TOLERANCE_SECONDS = 300
const serializer = new StandardRPCJsonSerializer()

/** The request, or null if it is not one that whoever knows the secret has sent in the last five minutes. */
export async function verifyCallback<TInput>(
  request: Request,
  secret: string,
): Promise<CallbackRequest<TInput> | null> {
  const body = await request.text()
  const header = (name: string) => request.headers.get(`webhook-${name}`) ?? ''
  const age = Math.abs(Date.now() / 1000 - Number(header('timestamp') || NaN))
  if (!(age <= TOLERANCE_SECONDS)) return null
  const signed = new TextEncoder().encode(`${header('id')}.${header('timestamp')}.${body}`)
  const hmac = { name: 'HMAC', hash: 'SHA-256' }
  const key = await crypto.subtle.importKey('raw', bytesOf(secret.replace(/^whsec_/, '')), hmac, false, ['verify'])
  for (const signature of header('signature').split(' ')) {
    if (!/^v1,[A-Za-z0-9+/]{43}=$/.test(signature)) continue
    if (await crypto.subtle.verify('HMAC', key, bytesOf(signature.slice(3)), signed)) {
      const { json, meta } = JSON.parse(body)
      return serializer.deserialize(json, meta ?? []) as CallbackRequest<TInput>
    }
  }
  return null
}

/** An answer 200: the work is done already. */
export function completed(output: unknown): Response {
  const [json, meta] = serializer.serialize(output)
  return Response.json({ json, meta })
}

/** An answer 202: the app goes on, and calls back. */
export function accepted(): Response {
  return new Response(null, { status: 202 })
}

function bytesOf(base64: string): Uint8Array<ArrayBuffer> {
  return Uint8Array.from(atob(base64), (character) => character.charCodeAt(0))
}
