import type { Request } from 'express'
import { isDeepStrictEqual } from 'node:util'
import { entityTag } from '../config/entity-tag.ts'
import { referencesInText } from '../config/interpolate.ts'
import { settingSchema } from '../config/json-schemas.ts'
import { valueAt, type SystemOverrides } from '../config/read-settings.ts'
import { helpOf } from '../config/setting-help.ts'
import {
  defaultOf,
  isSystemPath,
  settingEntries,
  settings,
  type Setting,
  type SystemPath,
  type Where,
} from '../config/settings.ts'
import type { ConfigStore } from '../config/store.ts'
import { saveSettingSchema, type HubSetting } from '../contract/index.ts'
import { HubError } from '../hub-error.ts'
import { say, saying, told } from '../say.ts'
import { checkSetting, settingsOfExec } from './exec-check.ts'
import { bodyOf, changeBy, nameParam, type On } from './routes.ts'

export interface SettingRoutes {
  config: Pick<ConfigStore, 'system' | 'systemAsWritten' | 'saveSystem'>
  /** What comes before system.json. */
  overrides: SystemOverrides
  where: Where
}

/** They have a place of their own in the API. */
const ELSEWHERE: ReadonlySet<string> = new Set(['monitoring.webhooks'])

/** `/api/settings`: what system.json may say of the hub, what it says, and what holds. */
export function settingRoutes(on: On, { config, overrides, where }: SettingRoutes): void {
  const written = (name: SystemPath): unknown => valueAt(config.systemAsWritten, name)

  function describe(name: SystemPath, setting: Setting): HubSetting {
    const present = written(name)
    const isSecret = setting.secret === true
    const { variable, option } = setting
    const isGiven = Object.hasOwn(overrides, name)
    return told({
      name,
      help: saying(helpOf(name))(),
      schema: settingSchema(name),
      default: defaultOf(name, { ...where, rateLimit: config.system.rateLimit }),
      isWritten: present !== undefined,
      ...(present === undefined ? {} : { etag: entityTag(present), ...(isSecret ? {} : { written: present }) }),
      setBy: [...(option === undefined ? [] : [`--${option}`]), ...(variable === undefined ? [] : [variable])],
      ...(isGiven && !isSecret ? { given: overrides[name] } : {}),
      isSecret,
      needsExec: settingsOfExec.has(name),
      isLive: setting.live === true,
    })
  }

  const shown = settingEntries.flatMap(([name, setting]) =>
    isSystemPath(name) && !ELSEWHERE.has(name) ? [{ name, setting }] : [],
  )

  on('GET /api/settings', (_request, response) => {
    response.json(shown.map(({ name, setting }) => describe(name, setting)))
  })

  on('PUT /api/settings/:name', async (request, response) => {
    const name = mayChange(request)
    const { value } = bodyOf(request, saveSettingSchema)
    if (value === undefined || value === null)
      throw new HubError('HUB_BAD_REQUEST', say`The body has no value`, {
        cure: say`Send {"value": …}; DELETE goes back to the default.`,
      })
    // It would carry the value of a variable, a file or a secret to wherever the setting points.
    if (referencesInText(JSON.stringify(value)).length > 0 && !isDeepStrictEqual(value, written(name)))
      throw new HubError('HUB_BAD_REQUEST', say`A value that is set here cannot hold a reference`, {
        cure: say`Write the value itself, or the reference into system.json.`,
      })
    await config.saveSystem(name.split('.'), () => value, changeBy(request))
    response.json(describe(name, settings[name]))
  })

  on('DELETE /api/settings/:name', async (request, response) => {
    const name = mayChange(request)
    if (written(name) !== undefined) await config.saveSystem(name.split('.'), () => undefined, changeBy(request))
    response.status(204).end()
  })

  function mayChange(request: Request): SystemPath {
    const asked = nameParam(request)
    const found = shown.find(({ name }) => name === asked)
    if (found === undefined)
      throw new HubError('HUB_NOT_FOUND', say`There is no setting ${asked}`, {
        cure: say`GET /api/settings lists those of system.json.`,
      })
    const { name, setting } = found
    if (setting.secret === true)
      throw new HubError('HUB_BAD_REQUEST', say`${name} is a secret, which is not sent over the API`, {
        cure: say`Write it into system.json as a reference, such as ${'${secret:NAME}'}, or set it where the hub is started.`,
      })
    if (Object.hasOwn(overrides, name))
      throw new HubError(
        'HUB_CONFLICT',
        say`${name} is set where the hub was started, which comes before system.json`,
        {
          cure: say`Take it out of the command line and the environment, and start the hub anew.`,
        },
      )
    checkSetting(request, name)
    return name
  }
}
