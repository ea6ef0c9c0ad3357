import { describe, expect, it } from 'vitest'
import { targetSchema, type TargetInput } from '../../hub/contract/publish.ts'
import { requirementsOf } from '../../hub/publish/push/plan.ts'

const there = { node: '24.21.0', nginx: '1.22.1', pm2: '7.0.4', docker: '28.0.1', systemd: '252' }

/** What a target lacks for a bundle, by name, with what is needed. */
function lacks(target: Partial<TargetInput>, found: Partial<Record<keyof typeof there, string | null>> = {}): string[] {
  const versions = { ...there, ...found }
  return requirementsOf(targetSchema.parse({ domain: 'hub.example.com', ...target }), { versions })
    .filter(({ ok }) => !ok)
    .map(({ name, needed }) => `${name} ${needed}`)
}

describe('what a target lacks', () => {
  it.each(['pm2', 'systemd', 'docker'] as const)('is Node for %s, whose scripts it runs', (mode) => {
    expect(lacks({ mode })).toEqual([])
    expect(lacks({ mode }, { node: null })).toEqual(['node 24'])
    expect(lacks({ mode }, { node: '20.19.0' })).toEqual(['node 24'])
  })

  it('is the nginx that the bundle is written for', () => {
    expect(lacks({ nginxVersion: '1.24' })).toEqual([])
    expect(lacks({ nginxVersion: '1.26' })).toEqual(['nginx 1.26'])
    expect(lacks({ nginxVersion: '1.26' }, { nginx: '1.26.3' })).toEqual([])
    expect(lacks({ nginxVersion: '1.26', mode: 'docker' })).toEqual([])
  })
})
