import { type Flag, type GivenText, parseFlags, readSetting, UsageError } from "./flags.ts";
import type { Kind } from "./kinds.ts";

/** The flag that names a file of settings. Whoever starts a program reads that file (settings-file.ts). */
export const CONFIG_FLAG = "config";

/** A setting of a program, stated once: a variable of the environment, and perhaps a flag. */
export interface Setting<T = unknown> {
  /** The variable's name. */
  variable: string;
  /** The flag that overrides it, without the dashes. */
  flag?: string;
  kind: Kind<T>;
  /** Makes it a list: separates the items in the variable, while the flag can be given several times. */
  separator?: string;
  /** The flag takes no value: it is there or not. */
  isSwitch?: true;
  /** Value of the variable that the switch stands for; by default `true`. */
  switchValue?: string;
  /** As a person would write it. */
  default?: string;
  /** The program cannot start without it. */
  isRequired?: true;
  secret?: boolean;
  /** One line for `--help`. */
  help: string;
}

/** The settings of a program, by the names that it has for them. */
export type SettingTable = Record<string, Setting>;

/** Type of a setting's value; null is part of it where the setting may be missing. */
type ValueOf<S extends Setting> =
  S["kind"] extends Kind<infer T>
    ? S extends { separator: string }
      ? T[]
      : S extends { default: string } | { isRequired: true }
        ? T
        : T | null
    : never;

/** Types of all settings of a table, by name. */
export type ValuesOf<Table extends SettingTable> = {
  [Name in keyof Table]: ValueOf<Table[Name]>;
};

export type Environment = Record<string, string | undefined>;

/** The flags of a program that has these settings, for parseFlags. */
export function flagsOf(table: SettingTable): Record<string, Flag> {
  const settings = Object.values<Setting>(table).filter(({ flag }) => flag !== undefined);
  const flags = settings.map(({ flag, isSwitch, separator }) => [
    flag,
    { type: isSwitch ? "boolean" : "string", multiple: separator !== undefined },
  ]);
  return { ...Object.fromEntries(flags), [CONFIG_FLAG]: { type: "string" } };
}

/** The settings that a program was started with: flags first, then the environment, then defaults. */
export class Settings<Table extends SettingTable> {
  readonly helpWanted: boolean;
  readonly #flags: ReturnType<typeof parseFlags>["values"];

  /** @throws UsageError when the flags are not right */
  constructor(
    private readonly table: Table,
    argv: string[],
    private readonly env: Environment,
  ) {
    this.#flags = parseFlags(argv, flagsOf(table)).values;
    this.helpWanted = this.#flags["help"] === true;
  }

  /**
   * Reads a setting.
   * @param kind how to read its value, where that depends on others; by default as the table says
   * @throws UsageError when the value is wrong, or is missing and required
   */
  read<Name extends keyof Table & string>(
    name: Name,
    kind?: Table[Name]["kind"],
  ): ValueOf<Table[Name]>;
  read(name: string, stricter?: Kind<unknown>): unknown {
    const setting: Setting | undefined = this.table[name];
    if (!setting) throw new Error(`there is no setting "${name}"`);
    const { variable, default: text, separator, isRequired } = setting;
    const kind = stricter ?? setting.kind;
    const given = this.#given(setting);
    if (separator !== undefined) return listOf(given, kind, variable, separator);
    const last = given.at(-1) ?? (text === undefined ? undefined : { source: variable, text });
    if (last) return readSetting(last, kind.schema, kind.expected);
    if (!isRequired) return null;
    throw new UsageError(`${variable} is missing, ${waysOf(setting)}, expected ${kind.expected}`);
  }

  /**
   * Reads every setting but some.
   * @throws UsageError as `read` does
   */
  readAllBut<Name extends keyof Table & string>(...names: Name[]): Omit<ValuesOf<Table>, Name> {
    const others = Object.keys(this.table).filter((name) => !names.includes(name as Name));
    const values = others.map((name) => [name, this.read(name)]);
    // Each name has the type that `read` gives for it.
    return Object.fromEntries(values) as Omit<ValuesOf<Table>, Name>;
  }

  /** The text that a person wrote. An empty variable counts as not set, as in a `.env` to be filled in. */
  #given({ variable, flag, switchValue, secret = false }: Setting): GivenText[] {
    const values = flag === undefined ? undefined : this.#flags[flag];
    if (values !== undefined) {
      return [switchValue ?? values]
        .flat()
        .map((text) => ({ source: `--${flag}`, text: String(text), secret }));
    }
    const text = this.env[variable];
    return text ? [{ source: variable, text, secret }] : [];
  }
}

function listOf(
  given: GivenText[],
  kind: Kind<unknown>,
  variable: string,
  separator: string,
): unknown[] {
  const texts = given.flatMap((whole) =>
    whole.source === variable
      ? whole.text
          .split(separator)
          .filter((text) => text !== "")
          .map((text) => ({ ...whole, text }))
      : whole,
  );
  return texts.map((text) => readSetting(text, kind.schema, kind.expected));
}

function waysOf({ variable, flag }: Setting): string {
  return flag === undefined ? `set ${variable}` : `pass --${flag} or set ${variable}`;
}

/** The settings of a program as its `--help` shows them. */
export function describeSettings(table: SettingTable): string {
  const lines = Object.values(table).map((setting) => {
    const { variable, flag, separator, default: text, help } = setting;
    const repeatable = separator === undefined ? "" : " (repeatable)";
    const names = flag === undefined ? variable : `--${flag}${repeatable}, ${variable}`;
    return `  ${names}\n      ${help}${text === undefined ? "" : ` (default: ${text})`}`;
  });
  const config =
    "  --config FILE\n      lines of NAME=value, which override the environment; # begins a comment";
  return ["  --help, -h\n      show this", config, ...lines].join("\n");
}
