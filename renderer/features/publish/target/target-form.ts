import { targetSchema, type Target, type TargetInput } from '../../../../hub/contract/index.ts'

/** Every way to run that the hub can make a bundle for. */
export const targetModes: readonly Target['mode'][] = targetSchema.shape.mode.unwrap().options
export const targetDefaults: Target = targetSchema.parse({ domain: 'x.example' })

/** Paths of the fields that are not as they must be. */
export function targetFaults(target: TargetInput): ReadonlySet<string> {
  const result = targetSchema.safeParse(target)
  return new Set(result.success ? [] : result.error.issues.map(({ path }) => fieldOf(path)))
}

/** Of a list, the field that has it. */
const fieldOf = (path: readonly PropertyKey[]): string => path.filter((part) => typeof part === 'string').join('.')

/** Whether its hubs run in images that are made from the bundle. */
export const buildsImages = ({ mode }: TargetInput): boolean => mode === 'docker' || mode === 'kubernetes'

/** A cluster takes manifests; everything else is pushed over SSH. */
export const isPushed = ({ mode }: TargetInput): boolean => mode !== 'kubernetes'
