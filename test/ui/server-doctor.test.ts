import { afterEach, beforeEach, expect, it, vi } from 'vitest'
import type { DoctorReport } from '../../hub/contract/index.ts'
import { reportText } from '../../renderer/features/doctor/doctor-report.ts'
import ServerDoctor from '../../renderer/features/server/ServerDoctor.vue'
import en from '../../renderer/locales/en.json' with { type: 'json' }
import { doctorSteps } from '../../hub/contract/index.ts'
import { mountInPage } from './mount.ts'

const step = { outcome: 'ok', durationMs: 3, message: 'fine', cure: null, detail: null } as const
const report: DoctorReport = {
  server: 'one',
  ok: false,
  startedAt: 0,
  durationMs: 12,
  transport: 'stdio',
  target: 'uvx thing',
  platform: 'linux x64',
  steps: [
    { ...step, id: 'configuration' },
    {
      ...step,
      id: 'executable',
      outcome: 'failed',
      message: 'uvx was not found',
      cure: 'Install uv',
      detail: 'Looked in /bin',
    },
    { ...step, id: 'tools', outcome: 'skipped', message: 'Not reached' },
  ],
  failed: 'executable',
  reason: null,
  era: null,
  stderr: [],
}
// There is no hub behind this page.
beforeEach(() => vi.stubGlobal('fetch', () => Promise.reject(new TypeError('no hub'))))
afterEach(() => vi.unstubAllGlobals())

it('every step of the contract has a name', () => {
  expect(Object.keys(en.doctor.steps)).toEqual([...doctorSteps])
})

it('a report as text has the failure, the cure and where it was looked', () => {
  const text = reportText(report)
  for (const part of ['one (linux x64): uvx thing', 'failed  executable', '→ Install uv', '| Looked in /bin'])
    expect(text).toContain(part)
})

it('offers nothing to who may not operate servers', () => {
  const wrapper = mountInPage(ServerDoctor, { server: { name: 'one', transport: 'stdio' } })
  expect(wrapper.findAll('button')).toHaveLength(0)
  expect(wrapper.text()).toContain('stops at the first step that fails')
})
