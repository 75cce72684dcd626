import { accessSync, constants, statSync } from "node:fs";
import * as z from "zod";
import { parseDuration } from "./durations.ts";
import { parseRateRules, type RateRule, RateRulesError } from "./rate-rules.ts";
import { formatSize, parseSize } from "./sizes.ts";

/** How the text of a setting or a flag is read, and what a right text looks like. */
export interface Kind<T> {
  schema: z.ZodType<T>;
  /** Ends the sentence `SERVER_PORT is "x", expected …`. */
  expected: string;
}

/** The value of a switch. */
export const SWITCH: Kind<boolean> = {
  schema: z.enum(["true", "false"]).transform((text) => text === "true"),
  expected: "true or false",
};

/** One of two words; the first means true. */
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

/** A rate, or rates by the hour. @param least in bytes a second */
export function rates(least: number): Kind<RateRule[]> {
  return {
    schema: z.string().transform((text, context) => {
      try {
        return parseRateRules(text, least);
      } catch (error) {
        if (!(error instanceof RateRulesError)) throw error;
        context.addIssue({ code: "custom", params: { expected: error.message } });
        return z.NEVER;
      }
    }),
    expected: 'a rate such as "2MiB", or rates by the hour such as "256KiB@08:00-22:00,off"',
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
