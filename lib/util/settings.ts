import { type Flag, type GivenText, parseFlags, readSetting, UsageError } from "./flags.ts";
import type { Kind } from "./kinds.ts";

/** Name of the flag `--config`, which gives the path of a settings file (settings-file.ts reads the file). */
export const CONFIG_FLAG = "config";

/** A setting of a program: an environment variable, perhaps a flag, and how the value is parsed. */
export interface Setting<T = unknown> {
  /** Name of the environment variable, such as `SERVER_PORT`. */
  variable: string;
  /** Name of the flag that overrides the variable, without `--`. */
  flag?: string;
  kind: Kind<T>;
  /**
   * Text between the items in the variable, if the value is a list. The flag is then given once for each
   * item.
   */
  separator?: string;
  /** True if the flag takes no value, such as `--json`. */
  isSwitch?: true;
  /** The value that a flag without a value sets; by default `true`. */
  switchValue?: string;
  /** The default, as the text that a person would write. */
  default?: string;
  /** True if the program cannot start without a value for the setting. */
  isRequired?: true;
  secret?: boolean;
  /** Description of the setting in one line of `--help`. */
  help: string;
}

/** All settings of a program. The key is the name that the program's code uses for a setting. */
export type SettingTable = Record<string, Setting>;

/**
 * Type of a setting's parsed value. The value can be null only if the setting is no list, has no default and
 * is not required.
 */
type ValueOf<S extends Setting> =
  S["kind"] extends Kind<infer T>
    ? S extends { separator: string }
      ? T[]
      : S extends { default: string } | { isRequired: true }
        ? T
        : T | null
    : never;

/** Types of the parsed values of all settings in a table. The keys are those of the table. */
export type ValuesOf<Table extends SettingTable> = {
  [Name in keyof Table]: ValueOf<Table[Name]>;
};

export type Environment = Record<string, string | undefined>;

/** Returns the flags of all settings in a table, and `--config`, as parseFlags wants them. */
export function flagsOf(table: SettingTable): Record<string, Flag> {
  const settings = Object.values<Setting>(table).filter(({ flag }) => flag !== undefined);
  const flags = settings.map(({ flag, isSwitch, separator }) => [
    flag,
    { type: isSwitch ? "boolean" : "string", multiple: separator !== undefined },
  ]);
  return { ...Object.fromEntries(flags), [CONFIG_FLAG]: { type: "string" } };
}

/** The settings that a program was started with. Flags override the environment, which overrides defaults. */
export class Settings<Table extends SettingTable> {
  readonly helpWanted: boolean;
  readonly #flags: ReturnType<typeof parseFlags>["values"];

  /** Parses the flags. @throws UsageError for an unknown flag, or one without its value */
  constructor(
    private readonly table: Table,
    argv: string[],
    private readonly env: Environment,
  ) {
    this.#flags = parseFlags(argv, flagsOf(table)).values;
    this.helpWanted = this.#flags["help"] === true;
  }

  /**
   * Reads the value of a setting.
   * @param kind how to parse the value, if that depends on other settings; by default as the table says
   * @throws UsageError if the value is invalid, or required and missing
   */
  read<Name extends keyof Table & string>(
    name: Name,
    kind?: Table[Name]["kind"],
  ): ValueOf<Table[Name]>;
  read(name: string, kindOverride?: Kind<unknown>): unknown {
    const setting: Setting | undefined = this.table[name];
    if (!setting) throw new Error(`there is no setting "${name}"`);
    const { variable, default: text, separator, isRequired } = setting;
    const kind = kindOverride ?? setting.kind;
    const given = this.#given(setting);
    if (separator !== undefined) return listOf(given, kind, variable, separator);
    const last = given.at(-1) ?? (text === undefined ? undefined : { source: variable, text });
    if (last) return readSetting(last, kind.schema, kind.expected);
    if (!isRequired) return null;
    throw new UsageError(`${variable} is missing, ${howToSet(setting)}, expected ${kind.expected}`);
  }

  /**
   * Reads all settings except those named.
   * @throws UsageError if a value is invalid, or required and missing
   */
  readAllBut<Name extends keyof Table & string>(...excluded: Name[]): Omit<ValuesOf<Table>, Name> {
    const included = Object.keys(this.table).filter((name) => !excluded.includes(name as Name));
    const values = included.map((name) => [name, this.read(name)]);
    // TypeScript cannot infer this type, but each value has the type that `read` returns for its name.
    return Object.fromEntries(values) as Omit<ValuesOf<Table>, Name>;
  }

  /** Returns the texts given for a setting. An empty variable counts as not set, as in an unfilled `.env`. */
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

function howToSet({ variable, flag }: Setting): string {
  return flag === undefined ? `set ${variable}` : `pass --${flag} or set ${variable}`;
}

/** Formats the settings of a program for its `--help`. */
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
