import type { Target } from '../../contract/publish.ts'
import type { TargetPaths } from '../context.ts'
import { serviceVariables } from '../variables.ts'
import { pinned } from './base-images.ts'

/** What of a target's services compose can run beside the hubs, for who has none elsewhere: each is a profile of that name. */
export const storeNames = ['database', 'redis'] as const
export type Store = (typeof storeNames)[number]

export const storeImages: Readonly<Record<Store, string>> = {
  database: 'postgres:17.6-bookworm',
  redis: 'redis:8.2.1-bookworm',
}

export function storesOf({ services }: Target): Store[] {
  return storeNames.filter((store) => services.includes(store))
}

/** Its folder is root's alone; the file in it is readable, so that it needs no owner from inside a container. */
export function storePassword({ root }: Pick<TargetPaths, 'root'>, store: Store): string {
  return `${root}/secrets/${store}_password`
}

/** Where a store beside the hubs is, for `.env`. */
export function storeUrl(store: Store, password: string): string {
  return store === 'database'
    ? `postgres://mcp_hub:${password}@database:5432/mcp_hub`
    : `redis://:${password}@redis:6379`
}

/** What the services of stores have in common. */
export const storeDefaults = `
x-store: &store
  restart: unless-stopped
  user: "999:999"
  read_only: true
  cap_drop: [ALL]
  security_opt: ["no-new-privileges:true"]
  pids_limit: 256
  networks: [internal]
  logging: *logging
`

const services: Readonly<Record<Store, string>> = {
  database: `    environment:
      POSTGRES_USER: mcp_hub
      POSTGRES_DB: mcp_hub
      POSTGRES_PASSWORD_FILE: /run/secrets/database_password
      POSTGRES_INITDB_ARGS: --auth-host=scram-sha-256
    tmpfs: ["/tmp:mode=1777", "/run/postgresql:mode=1777"]
    volumes: ["database:/var/lib/postgresql/data"]
    shm_size: 128m
    mem_limit: 1g
    stop_grace_period: 60s
    healthcheck:
      test: ["CMD", "pg_isready", "--quiet", "--username=mcp_hub", "--host=127.0.0.1"]
`,
  redis: `    # It reads its password from the file: an argument could be seen by every user of the machine.
    entrypoint:
      - bash
      - -c
      - exec redis-server - < <(printf 'dir /data\\nappendonly yes\\nmaxmemory-policy noeviction\\nrequirepass %s\\n' "$$(< /run/secrets/redis_password)")
    tmpfs: ["/tmp:mode=1777"]
    volumes: ["redis:/data"]
    mem_limit: 512m
    healthcheck:
      test: ["CMD", "bash", "-c", "REDISCLI_AUTH=$$(< /run/secrets/redis_password) redis-cli ping | grep -q PONG"]
`,
}

export function storeService(store: Store, target: Target): string {
  return `
  # Runs where COMPOSE_PROFILES in .env names ${store}; elsewhere ${serviceVariables[store].name} names a server of yours.
  ${store}:
    <<: *store
    profiles: [${store}]
    image: ${pinned(target, storeImages[store])}
${services[store]}      interval: 5s
      timeout: 5s
      start_period: 60s
    secrets: [${store}_password]
`
}
