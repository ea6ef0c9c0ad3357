import { createSocket } from 'node:dgram'

/** `node name-server.ts PLACE ADDRESS`: the DNS of an engine or a cluster, of which only this is needed: every name is ADDRESS. */
const [place = '', address = ''] = process.argv.slice(2)
const TYPE_A = 1
const socket = createSocket('udp4')
socket.on('message', (question, from) => {
  // Name, type and class follow the twelve bytes of the header.
  let end = 12
  while (question[end] !== 0) end += (question[end] ?? 0) + 1
  const type = question.readUInt16BE(end + 1)
  const asked = question.subarray(12, end + 5)
  const header = Buffer.from(question.subarray(0, 12))
  header.writeUInt16BE(0x8180, 2)
  header.writeUInt16BE(1, 4)
  header.writeUInt16BE(type === TYPE_A ? 1 : 0, 6)
  header.fill(0, 8)
  const record = Buffer.from([0xc0, 12, 0, TYPE_A, 0, 1, 0, 0, 0, 5, 0, 4, ...address.split('.').map(Number)])
  socket.send(Buffer.concat([header, asked, ...(type === TYPE_A ? [record] : [])]), from.port, from.address)
})
socket.bind(53, place, () => console.log('ready'))
