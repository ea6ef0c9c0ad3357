import type { ConfigVersionDetail } from '../../../hub/contract/index.ts'

export type ConfigDifference = Pick<ConfigVersionDetail, 'files' | 'current'>
const FILES = ['servers', 'profiles', 'system'] as const

export const differingFiles = ({ files, current }: ConfigDifference): (typeof FILES)[number][] =>
  FILES.filter((file) => files[file] !== current[file])
