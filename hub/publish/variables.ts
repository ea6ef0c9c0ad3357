import { settingEntries } from '../config/settings.ts'
import type { TargetService } from '../contract/publish.ts'

/** The environment of the hub in server mode, as `.env` holds it on a target, made there by `mcp-hub env`. What differs per instance is set by the process manager. */
export interface HubVariable {
  name: string
  why: { en: string; zh: string }
}

export const hubVariables: readonly HubVariable[] = [
  {
    name: 'JWT_SECRET',
    why: {
      en: 'Signs the sessions of the web UI; at least 32 characters.',
      zh: '为网页界面的会话签名；至少 32 个字符。',
    },
  },
  {
    name: 'MCP_HUB_TOKEN',
    why: {
      en: 'Bearer token with admin rights, for MCP clients and automation.',
      zh: '具有管理员权限的 Bearer 令牌，供 MCP 客户端和自动化使用。',
    },
  },
  {
    name: 'MCP_HUB_ADMIN_PASSWORD',
    why: {
      en: 'Password of the user admin, read only while there is no user yet. It can be emptied after the first start.',
      zh: '用户 admin 的密码，只在还没有用户时读取。首次启动后可以清空。',
    },
  },
]

/** What names a service of the target; a person fills it in there. */
export const serviceVariables: Readonly<Record<TargetService, HubVariable>> = {
  database: {
    name: 'DATABASE_URL',
    why: {
      en: 'PostgreSQL for configuration, history and audit, shared by all hubs: postgres://user:password@host:5432/database',
      zh: '所有 Hub 共用的 PostgreSQL，保存配置、历史和审计：postgres://user:password@host:5432/database',
    },
  },
  redis: {
    name: 'REDIS_URL',
    why: {
      en: 'Redis for limits, lockouts and sessions that count for all hubs: redis://:password@host:6379',
      zh: '所有 Hub 共用的 Redis，保存限流、锁定和会话：redis://:password@host:6379',
    },
  },
  traces: {
    name: 'OTEL_EXPORTER_OTLP_ENDPOINT',
    why: {
      en: 'Collector of OpenTelemetry traces over HTTP, e.g. http://collector:4318',
      zh: '通过 HTTP 接收 OpenTelemetry 跟踪的收集器，例如 http://collector:4318',
    },
  },
  sentry: {
    name: 'SENTRY_DSN',
    why: {
      en: 'Where faults of the hub are reported, scrubbed: the DSN of a Sentry project',
      zh: '接收 Hub 故障报告（已脱敏）的 Sentry 项目的 DSN',
    },
  },
}

/** Names with a meaning of their own: a server's secret never takes one, and a reference to one is not asked for in `.env`. */
export const reservedNames: ReadonlySet<string> = new Set([
  ...settingEntries.flatMap(([, { variable }]) => variable ?? []),
  ...['NODE_OPTIONS', 'PATH', 'HOME', 'USER', 'SHELL', 'LANG', 'TMPDIR'],
])
