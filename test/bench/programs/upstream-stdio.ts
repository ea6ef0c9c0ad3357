import { createLineReader } from '../wire/line-reader.ts'
import { progressNotes, wantsProgress, type Pieces, type Request } from './answers.ts'

export function serveStdio(answer: (request: Request) => Pieces): void {
  /** Each answer leaves in a write of its own, as servers on the SDK send them. */
  function send(pieces: Pieces): void {
    const [only] = pieces
    if (pieces.length === 1 && typeof only === 'string') {
      process.stdout.write(`${only}\n`)
      return
    }
    process.stdout.cork()
    for (const piece of pieces) process.stdout.write(piece)
    process.stdout.write('\n')
    process.stdout.uncork()
  }

  const read = createLineReader((line) => {
    const request = JSON.parse(line.toString()) as Request
    if (request.id === undefined || request.method === undefined) return
    if (!wantsProgress(request)) {
      send(answer(request))
      return
    }
    const messages: Pieces[] = [...progressNotes(request).map((note) => [note]), answer(request)]
    const gapMs = request.params?.arguments?.gapMs ?? 0
    // Without a gap they come in one chunk, which some clients lose notifications by.
    if (gapMs === 0) send([messages.map((message) => message.join('')).join('\n')])
    else messages.forEach((message, step) => setTimeout(() => send(message), step * gapMs))
  })
  process.stdin.on('data', read)
  process.stdin.on('end', () => process.exit(0))
}
