import { accessSync, constants, statSync } from "node:fs";
import * as z from "zod";
import { parseDuration } from "./durations.ts";
import { type Flag, parseFlags, readSetting, type Setting, UsageError } from "./flags.ts";
import { formatSize, parseSize } from "./sizes.ts";

/** How the text of a setting is read, and what a right text looks like. */
export interface Kind<T> {
  schema: z.ZodType<T>;
  /** Ends the sentence `SERVER_PORT is "x", expected …`. */
  expected: string;
}

/** A setting of a program: a variable of the environment, and perhaps a flag that overrides it. */
export interface SettingSpec {
  /** Without the dashes. */
  flag?: string;
  /** The flag can be given again and again. */
  multiple?: boolean;
  /** The flag takes no value: it is there or not. */
  isSwitch?: boolean;
  /** Value of the switch, as the variable would have it; where not given, `true`. */
  switchValue?: string;
  /** Written as a person would write it. */
  default?: string;
  secret?: boolean;
  /** One line for `--help`. */
  help: string;
}

export type Environment = Record<string, string | undefined>;

/** The settings that a program was started with: flags first, then the environment, then defaults. */
export class Settings<Name extends string> {
  readonly helpWanted: boolean;
  private readonly flags: ReturnType<typeof parseFlags>["values"];

  /**
   * @param specs by the name of the variable
   * @throws UsageError when the flags are not right
   */
  constructor(
    private readonly specs: Record<Name, SettingSpec>,
    argv: string[],
    private readonly env: Environment,
  ) {
    const known: Record<string, Flag> = {};
    for (const { flag, multiple = false, isSwitch } of Object.values<SettingSpec>(specs)) {
      if (flag !== undefined) known[flag] = { type: isSwitch ? "boolean" : "string", multiple };
    }
    this.flags = parseFlags(argv, known).values;
    this.helpWanted = this.flags["help"] === true;
  }

  /** @throws UsageError when the value is wrong, or there is none and no default */
  read<T>(name: Name, kind: Kind<T>): T {
    const { flag, default: text } = this.specs[name];
    const value = this.readOptional(name, kind);
    if (value !== null) return value;
    if (text !== undefined) return readSetting({ source: name, text }, kind.schema, kind.expected);
    const ways = flag === undefined ? `set ${name}` : `pass --${flag} or set ${name}`;
    throw new UsageError(`${name} is missing, ${ways}, expected ${kind.expected}`);
  }

  /**
   * @returns null when it was not given, whatever its default
   * @throws UsageError when the value is wrong
   */
  readOptional<T>(name: Name, kind: Kind<T>): T | null {
    const setting = this.given(name).at(-1);
    return setting === undefined ? null : readSetting(setting, kind.schema, kind.expected);
  }

  /**
   * Every value of a flag, or the parts of its variable.
   * @param separator parts the variable, not the flag's values
   * @throws UsageError when a flag's value is empty
   */
  readList(name: Name, separator: string): string[] {
    return this.given(name).flatMap((setting) =>
      setting.source === name
        ? setting.text.split(separator).filter((part) => part !== "")
        : [readSetting(setting, TEXT.schema, TEXT.expected)],
    );
  }

  /** The text that a person wrote. An empty variable is not set, as in a `.env` left to fill in. */
  private given(name: Name): Setting[] {
    const { flag, switchValue, secret = false } = this.specs[name];
    const values = flag === undefined ? undefined : this.flags[flag];
    if (values !== undefined) {
      return [switchValue ?? values]
        .flat()
        .map((text) => ({ source: `--${flag}`, text: String(text), secret }));
    }
    const text = this.env[name];
    return text ? [{ source: name, text, secret }] : [];
  }
}

/** The settings of a program as its `--help` shows them. */
export function describeSettings(specs: Record<string, SettingSpec>): string {
  const lines = Object.entries(specs).map(([name, { flag, multiple, default: text, help }]) => {
    const repeatable = multiple ? " (repeatable)" : "";
    const names = flag === undefined ? name : `--${flag}${repeatable}, ${name}`;
    return `  ${names}\n      ${help}${text === undefined ? "" : ` (default: ${text})`}`;
  });
  return ["  --help, -h\n      show this", ...lines].join("\n");
}

/** The value of a switch. */
export const SWITCH: Kind<boolean> = {
  schema: z.enum(["true", "false"]).transform((text) => text === "true"),
  expected: "true or false",
};

/** Any text but none. */
export const TEXT: Kind<string> = {
  schema: z.string().min(1),
  expected: "a text that is not empty",
};

/** A secret: what an HTTP header can carry, and at most as long as a message of ours takes it. */
export const TOKEN: Kind<string> = {
  schema: z.string().regex(/^[\x21-\x7e]{1,512}$/),
  expected: "at most 512 ASCII characters without white space",
};

/** The path of a file that this program can read now. */
export const READABLE_FILE: Kind<string> = {
  schema: z.string().refine(isReadableFile),
  expected: "the path of a file that can be read",
};

/** @param min, max both allowed */
export function wholeNumber(min: number, max: number): Kind<number> {
  return {
    schema: z
      .string()
      .regex(/^\d{1,15}$/)
      .transform(Number)
      .pipe(z.number().min(min).max(max)),
    expected: `a whole number from ${min} to ${max}`,
  };
}

/** @param min, max in bytes, both allowed; no max where it is not given */
export function size(min: number, max = Number.MAX_SAFE_INTEGER): Kind<number> {
  const range =
    max === Number.MAX_SAFE_INTEGER
      ? `of at least ${formatSize(min)}`
      : `from ${formatSize(min)} to ${formatSize(max)}`;
  return {
    schema: z.string().transform(parseSize).pipe(z.number().min(min).max(max)),
    expected: `a size ${range}, in bytes or such as "1MiB"`,
  };
}

/** A length of time, in ms. */
export const DURATION: Kind<number> = {
  schema: z.string().transform(parseDuration).pipe(z.number().min(1)),
  expected: 'a duration such as "30d", "12h", "15m" or "90s"',
};

export function oneOf<const T extends string>(values: readonly T[]): Kind<T> {
  return { schema: z.enum(values), expected: `one of ${values.join(", ")}` };
}

function isReadableFile(path: string): boolean {
  try {
    accessSync(path, constants.R_OK);
    return statSync(path).isFile();
  } catch {
    return false;
  }
}
