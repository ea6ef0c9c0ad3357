import { computed, type ComputedRef } from 'vue'
import type { Permission, Role } from '../../hub/contract/index.ts'
import { useMe } from './queries.ts'

export interface Session {
  readonly name: ComputedRef<string | null>
  readonly mode: ComputedRef<'desktop' | 'server'>
  /** May add, change and delete servers, and publish: on a server that is running code. */
  readonly canManage: ComputedRef<boolean>
  /** May start and stop what is there. */
  readonly canOperate: ComputedRef<boolean>
  readonly canCall: ComputedRef<boolean>
  may: (permission: Permission) => boolean
}

/** What to offer; the hub itself refuses what a role may not do. */
export function useSession(): Session {
  const { data } = useMe()
  const role = computed<Role | null>(() => data.value?.user?.role ?? null)
  const among = (...roles: Role[]): ComputedRef<boolean> =>
    computed(() => role.value !== null && roles.includes(role.value))
  return {
    name: computed(() => data.value?.user?.name ?? null),
    mode: computed(() => data.value?.mode ?? 'server'),
    canManage: among('admin'),
    canOperate: among('admin', 'operator'),
    canCall: among('admin', 'operator', 'user'),
    may: (permission) => data.value?.permissions.includes(permission) ?? false,
  }
}
