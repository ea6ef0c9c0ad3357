import { createInterface } from 'node:readline'
import { Writable } from 'node:stream'
import { CommandError, exitCodes, type Io } from './command.ts'

/**
 * A password never comes as an argument, where the shell's history and every process list have it: it is typed without being
 * shown, twice, or is the first line of stdin.
 */
export async function readPassword(io: Io): Promise<string> {
  const typed = 'isTTY' in io.stdin && io.stdin.isTTY === true
  const lines = lineReader(io, typed)
  try {
    if (typed) io.err('New password: ')
    const first = await lines.next()
    if (!typed) return first
    io.err('\nOnce more: ')
    const second = await lines.next()
    io.err('\n')
    if (first !== second)
      throw new CommandError('The two are not the same.', 'Type the same password twice.', exitCodes.data)
    return first
  } finally {
    lines.close()
  }
}

/** What is typed without being shown, or the first line of stdin. */
export async function readLine(io: Io, prompt: string, what: string): Promise<string> {
  const typed = 'isTTY' in io.stdin && io.stdin.isTTY === true
  const lines = lineReader(io, typed, what)
  try {
    if (typed) io.err(prompt)
    return await lines.next()
  } finally {
    if (typed) io.err('\n')
    lines.close()
  }
}

function lineReader(io: Io, typed: boolean, what = 'password'): { next: () => Promise<string>; close: () => void } {
  // With a terminal readline takes the keys and writes nothing of them, because nothing is where it writes.
  const nowhere = new Writable({ write: (_chunk, _encoding, done) => done() })
  const reader = createInterface({ input: io.stdin, output: nowhere, terminal: typed })
  const lines = reader[Symbol.asyncIterator]()
  return {
    next: async () => {
      const line = await lines.next()
      if (line.done === true || line.value === '')
        throw new CommandError(`No ${what} was given.`, 'Type it, or give it as a line on stdin.', exitCodes.data)
      return line.value
    },
    close: () => reader.close(),
  }
}
