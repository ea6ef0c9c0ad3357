import { parseExactly } from '../contract/exact-json.ts'
import { Reply, isObject, rpc, type JsonRpcId } from '../gateway/json-rpc.ts'
import type { ChannelHandlers } from './channel.ts'

/** So much of either end of a message holds its envelope. */
export const ENVELOPE = 128

/** An id that can be read as JSON. */
const ID = String.raw`(0|[1-9]\d{0,14}|"[^"\\\x00-\x1f]*")`
/** What stands beside what a message brings, as it is usually written, and as some write it that sort their keys. */
const USUAL = String.raw`"jsonrpc":\s*"2\.0",\s*"id":\s*${ID}`
const SORTED = String.raw`"id":\s*${ID},\s*"jsonrpc":\s*"2\.0"`
const HEAD = new RegExp(
  String.raw`^\s*\{\s*(?:(?:${USUAL}|${SORTED}|"jsonrpc":\s*"2\.0"),\s*)?(?:"(result|error|method|params)"\s*:)?`,
)
const TAIL = new RegExp(String.raw`,\s*(?:${USUAL}|${SORTED})\s*\}\s*$`)

/** What a message is of which only the two ends are known, each by itself: `null` where they do not tell. */
export function readEnds(head: string, tail: string): { kind: 'answer' | 'question' | null; id: JsonRpcId | null } {
  const [, usual, sorted, first] = HEAD.exec(head) ?? []
  const kind = first === undefined ? null : first === 'result' || first === 'error' ? 'answer' : 'question'
  const [, usualLast, sortedLast] = TAIL.exec(tail) ?? []
  const id = usual ?? sorted ?? usualLast ?? sortedLast
  return { kind, id: id === undefined ? null : (JSON.parse(id) as JsonRpcId) }
}

/**
 * Tells of a message that was over a limit and not kept: to the call that it answers, or, where it is a question of the
 * server, to the server.
 */
export function tellOversize(
  ends: { head: string; tail: string },
  limit: { setting: string; bytes: number },
  handlers: Pick<ChannelHandlers, 'onOversize' | 'onLog'>,
  answer: (text: string) => void,
): void {
  const { kind, id } = readEnds(ends.head, ends.tail)
  if (kind !== 'question') {
    handlers.onOversize(typeof id === 'number' ? id : null, limit.setting, limit.bytes)
    return
  }
  const message = `A message of the server is larger than ${limit.bytes} bytes (${limit.setting})`
  handlers.onLog('hub', 'error', message)
  if (id !== null) answer(JSON.stringify({ jsonrpc: '2.0', id, error: { code: rpc.limitExceeded, message } }))
}

/**
 * Answers the calls that a line is for which is no JSON: the one whose answer was cut off is told so, and one whose answer
 * stands whole behind that, or behind other text, gets it. `beginnings` are those that answers have.
 */
export function tellGarbled(
  line: Buffer,
  beginnings: readonly Buffer[],
  handlers: Pick<ChannelHandlers, 'onReply'>,
  begunAt: number | undefined,
): void {
  const last = lastReply(line, beginnings)
  const tail = last === null ? line.subarray(-ENVELOPE).toString() : ''
  const { kind, id } = readEnds(line.subarray(0, ENVELOPE).toString(), tail)
  if (kind !== 'question' && typeof id === 'number' && id !== last?.hopId) {
    const message = 'The server answered something that is not JSON; its log has it'
    handlers.onReply(id, Reply.error({ code: rpc.internalError, message }), begunAt)
  }
  if (last !== null) handlers.onReply(last.hopId as number, last, begunAt)
}

/** The answer at the end of a line on which something else stands before it: half of another one, or text without a break. */
function lastReply(line: Buffer, beginnings: readonly Buffer[]): Reply | null {
  const at = Math.max(...beginnings.map((beginning) => line.lastIndexOf(beginning)))
  if (at <= 0) return null
  try {
    const message: unknown = parseExactly(line.toString('utf8', at))
    if (!isObject(message) || typeof message['id'] !== 'number' || message['method'] !== undefined) return null
    return Reply.fromMessage(message, message['id'])
  } catch {
    return null
  }
}
