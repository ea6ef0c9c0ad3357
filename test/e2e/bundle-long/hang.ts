/** Makes a Node process stand still, as an endless loop in its code would: `node hang.ts PID`. */
process.kill(Number(process.argv[2]), 'SIGUSR1')
let url: string | null = null
while (url === null) {
  url = await fetch('http://127.0.0.1:9229/json').then(
    async (answer) => ((await answer.json()) as { webSocketDebuggerUrl: string }[])[0]?.webSocketDebuggerUrl ?? null,
    () => null,
  )
}
const socket = new WebSocket(url)
socket.onopen = () => {
  socket.send(JSON.stringify({ id: 1, method: 'Runtime.evaluate', params: { expression: 'for (;;);' } }))
  setTimeout(() => process.exit(0), 200)
}
