import { readFileSync } from "node:fs";
import { parseArgs } from "node:util";
import { UsageError } from "./flags.ts";
import { CONFIG_FLAG, type Environment, type SettingTable } from "./settings.ts";
import { systemCode } from "./system-error.ts";

/** Largest settings file, in bytes: far more than all settings need. */
const MAX_FILE_BYTES = 64 * 1024;

/** The values of the settings in a file. The key is the name of the variable. */
export type FileSettings = Record<string, string>;

/** The settings of a program from the environment and from a file, without those from flags. */
export interface GivenSettings {
  /** The environment's variables, overridden by those in the file of `--config`. */
  env: Environment;
  /** Path of the file given by `--config`; null without that flag. */
  file: string | null;
  /** Path of the file given by `--config` if it contains a secret; otherwise null. */
  secretFile: string | null;
}

/**
 * Merges the settings in the file of `--config`, if that flag is given, into the environment's variables.
 * @param argv the words behind the program's name
 * @throws UsageError if the file cannot be read, or contains a line that is no setting of `table`
 */
export function withConfigFile(
  table: SettingTable,
  argv: string[],
  env: Environment,
): GivenSettings {
  const options = { [CONFIG_FLAG]: { type: "string" as const } };
  const path = parseArgs({ args: argv, options, strict: false }).values[CONFIG_FLAG];
  // `--config` without a value is reported later, when all flags are parsed.
  if (typeof path !== "string") return { env, file: null, secretFile: null };
  const settings = readSettingsFile(path, table);
  const secrets = Object.values(table).filter(({ secret }) => secret);
  const hasSecret = secrets.some(({ variable }) => settings[variable]);
  return { env: { ...env, ...settings }, file: path, secretFile: hasSecret ? path : null };
}

/**
 * Reads a file of settings: lines of `NAME=value`, and comments after `#`.
 * @param table the settings that the file may contain; null allows any names
 * @throws UsageError that names the file and the line
 */
export function readSettingsFile(path: string, table: SettingTable | null): FileSettings {
  return parseSettings(readText(path), path, table);
}

/**
 * Parses the text of a settings file that was already read, like {@link readSettingsFile}.
 * @param path the file's name in error messages
 */
export function parseSettings(
  text: string,
  path: string,
  table: SettingTable | null,
): FileSettings {
  const allowedNames = table && new Set(Object.values(table).map(({ variable }) => variable));
  const settings: FileSettings = {};
  for (const { number, name, value } of linesOf(text)) {
    const place = `line ${number} of "${path}"`;
    if (name === null) throw new UsageError(`${place} is no setting, expected NAME=value`);
    if (allowedNames && !allowedNames.has(name)) {
      throw new UsageError(
        `${place} sets "${name}", expected one of ${[...allowedNames].join(" ")}`,
      );
    }
    if (Object.hasOwn(settings, name))
      throw new UsageError(`${place} sets ${name} once more, expected one line`);
    settings[name] = value;
  }
  return settings;
}

/**
 * Changes settings in the text of a settings file. Other lines and comments stay as they are.
 * @param changes the new value of each variable, with the variable's name as the key; null removes its line
 * @returns the new text of the file
 * @throws UsageError for a value of more than one line
 */
export function changeSettings(text: string, changes: Record<string, string | null>): string {
  const remaining = new Map(Object.entries(changes));
  const keptLines = text.split(/\r?\n/).flatMap((line) => {
    const [parsed] = linesOf(line);
    const name = parsed?.name;
    const change = name ? remaining.get(name) : undefined;
    if (!name || change === undefined) return [line];
    remaining.delete(name);
    return change === null ? [] : [lineOf(name, change)];
  });
  while (keptLines.at(-1) === "") keptLines.pop();
  const addedLines = [...remaining].flatMap(([name, value]) =>
    value === null ? [] : lineOf(name, value),
  );
  return [...keptLines, ...addedLines].map((line) => `${line}\n`).join("");
}

interface SettingLine {
  /** Number of the line in its file; the first line is 1. */
  number: number;
  /** Name of the variable; null if the line is not of the form `NAME=value`. */
  name: string | null;
  value: string;
}

function linesOf(text: string): SettingLine[] {
  return text
    .replace(/^\uFEFF/, "")
    .split(/\r?\n/)
    .map((line, index) => ({ line: line.trim(), number: index + 1 }))
    .filter(({ line }) => line !== "" && !line.startsWith("#"))
    .map(({ line, number }) => {
      const [, name = null, value = ""] = /^([A-Za-z_][A-Za-z0-9_]*)\s*=\s*(.*)$/s.exec(line) ?? [];
      return { number, name, value: value.replace(/^(["'])(.*)\1$/s, "$2") };
    });
}

function lineOf(name: string, value: string): string {
  if (/[\r\n\0]/.test(value)) throw new UsageError(`${name} has a value of more than one line`);
  // A value that begins with a quote, or begins or ends with white space, is quoted. A parser would otherwise
  // strip these characters.
  return /^\s|\s$|^["']/.test(value) ? `${name}="${value}"` : `${name}=${value}`;
}

function readText(path: string): string {
  try {
    const text = readFileSync(path);
    if (text.length <= MAX_FILE_BYTES) return text.toString();
  } catch (error) {
    const code = systemCode(error);
    if (code === null) throw error;
    const advice = code === "EACCES" ? ", run this as root or as the user that it belongs to" : "";
    throw new UsageError(`--config "${path}" cannot be read (${code})${advice}`, { cause: error });
  }
  throw new UsageError(`--config "${path}" is too large, expected lines of NAME=value`);
}
