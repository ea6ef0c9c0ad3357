import { fillerOf } from '../programs/answers.ts'
import { ID_DIGITS, type Lane, type Message, type Reply } from './lane.ts'

/** The hub answered, but with an error. */
export class Failed extends Error {}
/** An answer to the right request with the wrong content. */
export class Wrong extends Error {}

let serial = 0
const fillers = new Map<number, Buffer>()
const TEXT_START = Buffer.from('"text":"')

function result(reply: Reply): NonNullable<Message['result']> {
  if (reply.message?.error !== undefined) throw new Failed(reply.message.error.message)
  const found = reply.message?.result
  if (found?.isError === true) throw new Failed(found.content?.[0]?.text ?? 'isError')
  if (found === undefined) throw new Wrong(`No result: ${reply.bytes.toString('utf8', 0, 200)}`)
  return found
}

/** Calls `echo` with a text that no other call has, and checks that it comes back. */
export async function echo(lane: Lane): Promise<void> {
  const text = `echo ${++serial}`
  const reply = await lane.request('tools/call', { name: lane.toolName('echo'), arguments: { text } })
  const answered = result(reply).content?.[0]?.text
  if (answered !== text) throw new Wrong(`${text} was answered with ${String(answered)}`)
}

/** Calls `big`, and checks every byte of its text. */
export async function big(lane: Lane, bytes: number): Promise<void> {
  const tag = `big ${++serial} `
  const reply = await lane.request('tools/call', { name: lane.toolName('big'), arguments: { tag, bytes } })
  if (reply.message?.error !== undefined) throw new Failed(reply.message.error.message)
  let filler = fillers.get(bytes)
  if (filler === undefined) {
    filler = fillerOf(bytes)
    fillers.set(bytes, filler)
  }
  const start = reply.bytes.indexOf(TEXT_START) + TEXT_START.length
  const tagEnd = start + tag.length
  const textEnd = tagEnd + filler.length
  const whole =
    reply.bytes.toString('latin1', start, tagEnd) === tag &&
    reply.bytes.subarray(tagEnd, textEnd).equals(filler) &&
    reply.bytes.toString('latin1', textEnd, textEnd + 1) === '"'
  if (!whole) throw new Wrong(`${tag}came back changed (${reply.bytes.length} bytes)`)
}

/** A check for a list: every tool by its name the first time, the same bytes but for the id from then on. */
export function listChecker(count: number): (lane: Lane) => Promise<void> {
  let known: { before: Buffer; after: Buffer } | null = null
  return async (lane) => {
    const { bytes } = await lane.request('tools/list', {})
    const id = /"id":(\d+)/.exec(bytes.toString('latin1', 0, 60))
    const idStart = id === null ? bytes.lastIndexOf('"id":') + 5 : id.index + 5
    if (known === null) {
      const { result: listed } = JSON.parse(bytes.toString()) as Message
      const names = new Set(listed?.tools?.map((tool) => tool.name))
      if (names.size !== count) throw new Wrong(`The list has ${names.size} tools, not ${count}`)
      known = {
        before: Buffer.from(bytes.subarray(0, idStart)),
        after: Buffer.from(bytes.subarray(idStart + ID_DIGITS)),
      }
    }
    if (!bytes.subarray(0, idStart).equals(known.before) || !bytes.subarray(idStart + ID_DIGITS).equals(known.after)) {
      throw new Wrong('The list differs from the one before')
    }
  }
}

/** The process of the fixture server behind a lane. */
export async function upstreamPid(lane: Lane): Promise<number> {
  const reply = await lane.request('tools/call', { name: lane.toolName('pid'), arguments: {} })
  return Number(result(reply).content?.[0]?.text)
}
