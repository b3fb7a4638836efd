// What the executor server offers: the TypeScript half of examples/contract.py. The tasks are Python; the names and
// the types here are all that the app knows of them.
import { task } from './task-handles.js'

export const tasks = {
  sendEmail: task<{ to: string; subject: string; body: string }, { messageId: string }>(),
  processBatch: task<{ items: string[] }, { processed: number; total: number }>(),
  waitForWebhook: task<string, { provider: string; amount: number }>(),
}
