import { accessSync, constants, statSync } from "node:fs";
import * as z from "zod";
import { parseDuration } from "./durations.ts";
import { parseRateRules, type RateRule, RateRulesError } from "./rate-rules.ts";
import { formatSize, parseSize } from "./sizes.ts";

/** A kind of value for settings and flags, such as a size: how its text is parsed, and what is valid. */
export interface Kind<T> {
  schema: z.ZodType<T>;
  /** Description of a valid text. It ends error messages such as `SERVER_PORT is "x", expected …`. */
  expected: string;
}

/** A setting that is on or off: `true` or `false`. */
export const SWITCH: Kind<boolean> = {
  schema: z.enum(["true", "false"]).transform((text) => text === "true"),
  expected: "true or false",
};

/** A setting with two valid texts. The text `yes` is read as true, the text `no` as false. */
export function either(yes: string, no: string): Kind<boolean> {
  return {
    schema: z.enum([yes, no]).transform((text) => text === yes),
    expected: `one of ${yes}, ${no}`,
  };
}

/** Any text that is not empty. */
export const TEXT: Kind<string> = {
  schema: z.string().min(1),
  expected: "a text that is not empty",
};

/** A secret token. It must fit into an HTTP header, and into the 512 characters that the protocol allows. */
export const TOKEN: Kind<string> = {
  schema: z.string().regex(/^[\x21-\x7e]{1,512}$/),
  expected: "at most 512 ASCII characters without white space",
};

/** The path of a regular file that this program can read at the moment. */
export const READABLE_FILE: Kind<string> = {
  schema: z.string().refine(isReadableFile),
  expected: "the path of a file that can be read",
};

/** A whole number in decimal digits. @param min, max the smallest and the largest valid number */
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

/**
 * A number of bytes.
 * @param min, max the smallest and the largest valid size; by default without a maximum
 */
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

/** A rate, or several rates by the hour of the day. @param minRate lowest valid rate, in bytes a second */
export function rates(minRate: number): Kind<RateRule[]> {
  return {
    schema: z.string().transform((text, context) => {
      try {
        return parseRateRules(text, minRate);
      } catch (error) {
        if (!(error instanceof RateRulesError)) throw error;
        context.addIssue({ code: "custom", params: { expected: error.message } });
        return z.NEVER;
      }
    }),
    expected: 'a rate such as "2MiB", or rates by the hour such as "256KiB@08:00-22:00,off"',
  };
}

/** A length of time, such as `30d`. It is parsed to ms. */
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
