import { resolve } from "node:path";
import type { ParsedFlags } from "../../util/flags.ts";
import type { Setting, SettingTable } from "../../util/settings.ts";
import type { FileSettings } from "../../util/settings-file.ts";

/**
 * Settings whose value is a path. Relative paths must be made absolute, as a service has another working
 * directory than the user who installs it.
 */
const PATH_SETTINGS = new Set([
  "CLIENT_ROOTS",
  "CLIENT_STATE_DIR",
  "DOWNLOADS_DIR",
  "TLS_CA",
  "TLS_CERT",
  "TLS_CLIENT_CA",
  "TLS_CLIENT_CERT",
  "TLS_CLIENT_KEY",
  "TLS_KEY",
]);

/** Settings that were given as flags. */
export interface FlagSettings {
  /** The settings as flags of the program, which validates them and names the flags in messages. */
  argv: string[];
  /** The settings as variables of a settings file. */
  settings: Record<string, string>;
}

export function settingsOfFlags(table: SettingTable, values: ParsedFlags["values"]): FlagSettings {
  const argv: string[] = [];
  const settings: Record<string, string> = {};
  for (const { flag, variable, isSwitch, switchValue, separator = "" } of Object.values<Setting>(
    table,
  )) {
    const value = flag === undefined ? undefined : values[flag];
    if (value === undefined) continue;
    if (isSwitch) {
      argv.push(`--${flag}`);
      settings[variable] = switchValue ?? "true";
      continue;
    }
    const texts = [value].flat().map((text) => absolutePath(variable, String(text)));
    argv.push(...texts.map((text) => `--${flag}=${text}`));
    settings[variable] = texts.join(separator);
  }
  return { argv, settings };
}

/** Makes a path absolute. An empty path is kept, so that the validation refuses it. */
function absolutePath(variable: string, text: string): string {
  return PATH_SETTINGS.has(variable) && text !== "" ? resolve(text) : text;
}

/** Makes every path in a settings file absolute, based on the working directory of the user who installs. */
export function withAbsolutePaths(table: SettingTable, settings: FileSettings): FileSettings {
  const absolute: FileSettings = { ...settings };
  for (const { variable, separator } of Object.values<Setting>(table)) {
    const text = settings[variable];
    if (text === undefined) continue;
    const texts = separator === undefined ? [text] : text.split(separator);
    absolute[variable] = texts.map((one) => absolutePath(variable, one)).join(separator);
  }
  return absolute;
}
