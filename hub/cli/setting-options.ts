import { settingEntries, type SettingName } from '../config/settings.ts'
import type { CommandOption } from './command.ts'

/** The options of the command line that set something, from the table of settings. */
export const settingOptions: Readonly<Record<string, CommandOption>> = Object.fromEntries(
  settingEntries.flatMap(([name, { option }]) => (option === undefined ? [] : [[option, settingOption(name)]])),
)

/** Of those, the folders that a hub works in. */
export const folderOptions = { config: settingOption('CONFIG_DIR'), data: settingOption('DATA_DIR') }

function settingOption(wanted: SettingName): CommandOption {
  const [, setting] = settingEntries.find(([name]) => name === wanted) ?? []
  const { help = '', variable = '', value = 'VALUE' } = setting ?? {}
  return { type: 'string', value, help: `${help} (default $${variable})` }
}
