import { keepPreviousData, useQuery } from '@tanstack/vue-query'
import { computed, toValue, type MaybeRefOrGetter, type Ref } from 'vue'
import type {
  Account,
  HubStatus,
  Me,
  Pin,
  Profile,
  ProfilePreview,
  ProfileSummary,
  PromptEntry,
  ResourceEntry,
  ServerDetail,
  ServerStatus,
} from '../../hub/contract/index.ts'
import { api } from './api.ts'

export const keys = {
  me: ['me'],
  hub: ['hub'],
  servers: ['servers'],
  server: (name: string) => ['server', name],
  accounts: ['accounts'],
  tools: ['tools'],
  lastUsed: ['last-used'],
  prompts: ['prompts'],
  resources: ['resources'],
  pin: (server: string, tool: string | null) => ['pin', server, tool],
  profiles: ['profiles'],
  profile: (name: string) => ['profiles', name],
  profilePreview: (profile: unknown, server?: string) => ['profile-preview', profile, server],
  versions: ['config-versions'],
  version: (id: number) => ['config-versions', id],
  requests: (filter: unknown) => ['requests', filter],
  request: (id: string) => ['request', id],
  stats: (window: string) => ['stats', window],
} as const

/** What the pages use of a query. */
export interface Query<T> {
  readonly data: Readonly<Ref<T | undefined>>
  readonly error: Readonly<Ref<Error | null>>
  readonly isPending: Readonly<Ref<boolean>>
  readonly isFetching: Readonly<Ref<boolean>>
  readonly isError: Readonly<Ref<boolean>>
  refetch: () => Promise<unknown>
}

export const useMe = (): Query<Me> => useQuery({ queryKey: keys.me, queryFn: ({ signal }) => api.me(signal) })
export const useHub = (): Query<HubStatus> => useQuery({ queryKey: keys.hub, queryFn: ({ signal }) => api.hub(signal) })
export const useServers = (): Query<ServerStatus[]> =>
  useQuery({ queryKey: keys.servers, queryFn: ({ signal }) => api.servers(signal) })
export const useAccounts = (): Query<Account[]> =>
  useQuery({ queryKey: keys.accounts, queryFn: ({ signal }) => api.accounts(signal) })
export const usePrompts = (enabled: MaybeRefOrGetter<boolean> = true): Query<PromptEntry[]> =>
  useQuery({ queryKey: keys.prompts, queryFn: ({ signal }) => api.prompts(signal), enabled: () => toValue(enabled) })
export const useResources = (enabled: MaybeRefOrGetter<boolean> = true): Query<ResourceEntry[]> =>
  useQuery({
    queryKey: keys.resources,
    queryFn: ({ signal }) => api.resources(signal),
    enabled: () => toValue(enabled),
  })

export const useServer = (name: MaybeRefOrGetter<string>): Query<ServerDetail> =>
  useQuery({
    queryKey: computed(() => keys.server(toValue(name))),
    queryFn: ({ signal }) => api.server(toValue(name), signal),
  })

/** Without a tool that of the server's instructions. */
export const usePin = (server: MaybeRefOrGetter<string>, tool: MaybeRefOrGetter<string | null>): Query<Pin> =>
  useQuery({
    queryKey: computed(() => keys.pin(toValue(server), toValue(tool))),
    queryFn: ({ signal }) => api.pin(toValue(server), toValue(tool), signal),
  })

export const useProfiles = (): Query<ProfileSummary[]> =>
  useQuery({ queryKey: keys.profiles, queryFn: ({ signal }) => api.profiles(signal) })
export const useProfile = (name: MaybeRefOrGetter<string>): Query<ProfileSummary> =>
  useQuery({
    queryKey: computed(() => keys.profile(toValue(name))),
    queryFn: ({ signal }) => api.profile(toValue(name), signal),
  })
/** What clients would get of a profile as it is being edited; the last one stays until the next is there. */
export const useProfilePreview = (
  profile: MaybeRefOrGetter<Profile | null>,
  /** Whose items are wanted; those of all where there is none. */
  server: MaybeRefOrGetter<string | undefined>,
): Query<ProfilePreview> =>
  useQuery({
    queryKey: computed(() => keys.profilePreview(toValue(profile), toValue(server))),
    queryFn: ({ signal }) => api.previewProfile(toValue(profile) as Profile, toValue(server), signal),
    enabled: () => toValue(profile) !== null,
    placeholderData: keepPreviousData,
  })
