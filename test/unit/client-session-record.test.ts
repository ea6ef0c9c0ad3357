import { expect, it } from 'vitest'
import { MAX_RECORD_BYTES, recordOfText, textOfRecord } from '../../hub/cluster/client-session-record.ts'
import type { ClientSessionRecord } from '../../hub/cluster/cluster.ts'

const record: ClientSessionRecord = {
  version: '2025-11-25',
  capabilities: { roots: { listChanged: true }, extensions: { 'io.example/x': { deep: [1] } } },
  clientInfo: { name: 'client', version: '1' },
  logLevel: 'warning',
  subscriptions: ['note://first'],
}

it('is read as it was written, also without what a client need not say', () => {
  expect(recordOfText(textOfRecord(record) ?? '')).toEqual(record)
  const { clientInfo: _, ...silent } = record
  expect(recordOfText(JSON.stringify(silent))).toEqual(silent)
})

it('of a newer hub is read without what is not known here', () => {
  expect(recordOfText(JSON.stringify({ ...record, later: true }))).toEqual(record)
})

it.each([
  ['', 'nothing'],
  ['{"version":"2025-11-25"', 'a part'],
  ['null', 'null'],
  ['[]', 'a list'],
  [JSON.stringify({ ...record, version: 20251125 }), 'another version type'],
  [JSON.stringify({ ...record, capabilities: null }), 'no capabilities'],
  [JSON.stringify({ ...record, logLevel: undefined }), 'no level'],
  [JSON.stringify({ ...record, subscriptions: [1] }), 'subscriptions that are no URIs'],
])('is none when it is %j: %s', (text) => {
  expect(recordOfText(text)).toBeNull()
})

it('is not kept when it is longer than one may be', () => {
  const uri = 'note://'.padEnd(MAX_RECORD_BYTES, 'x')
  expect(textOfRecord({ ...record, subscriptions: [uri] })).toBeNull()
})
