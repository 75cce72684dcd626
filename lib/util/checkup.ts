import { parseFlags } from "./flags.ts";
import { becomeOwnerOf } from "./machine.ts";
import { plainJson, plainText } from "./plain-text.ts";
import { flagsOf, type SettingTable } from "./settings.ts";

/** What a check found. */
export interface Finding {
  /** `ok`, `wrong`, or `not_needed` for what does not apply here. */
  status: "ok" | "wrong" | "not_needed";
  /** The finding as a sentence for a person, without a full stop. */
  text: string;
  /** What to do, or to know. */
  advice?: string;
}

/** Something that is looked at. */
export interface Check {
  /** What it is about: one or two words. */
  name: string;
  /** Names of checks that must be well before this one can be tried. */
  needs?: readonly string[];
  /** @param signal aborted when the time of the check is over */
  run(signal: AbortSignal): Promise<Finding> | Finding;
}

/** What became of a check. */
export interface Checked {
  name: string;
  status: Finding["status"] | "not_tried";
  text: string;
  advice: string | null;
}

/** Most time of one check, in ms: a network that swallows what is sent answers never. */
const CHECK_WITHIN_MS = 5_000;

const MARKS: Record<Checked["status"], string> = {
  ok: "✓",
  wrong: "✗",
  not_needed: "–",
  not_tried: "–",
};

/** Columns of the mark and the name, before the text. */
const NAME_WIDTH = 14;

/**
 * Runs checks one after the other. A check is not tried unless all that it needs are well.
 * @param tell called with each check as it ends
 * @param limit time for each check, in ms
 */
export async function runChecks(
  checks: readonly Check[],
  tell: (checked: Checked) => void,
  limit = CHECK_WITHIN_MS,
): Promise<Checked[]> {
  const done: Checked[] = [];
  for (const check of checks) {
    const checked = await runCheck(check, done, limit);
    done.push(checked);
    tell(checked);
  }
  return done;
}

async function runCheck(
  { name, needs = [], run }: Check,
  done: readonly Checked[],
  limit: number,
): Promise<Checked> {
  const isMissing = ({ name: other, status }: Checked) =>
    needs.includes(other) && (status === "wrong" || status === "not_tried");
  const missing = done.find(isMissing);
  if (missing) {
    const cause = `not tried, see "${missing.name}"`;
    const text = missing.status === "wrong" ? cause : missing.text;
    return { name, status: "not_tried", text, advice: null };
  }
  const signal = AbortSignal.timeout(limit);
  const overdue = Promise.withResolvers<Finding>();
  const late = `no answer in ${limit / 1000} s`;
  signal.addEventListener("abort", () => overdue.resolve({ status: "wrong", text: late }));
  try {
    const { status, text, advice } = await Promise.race([run(signal), overdue.promise]);
    return { name, status, text, advice: advice ?? null };
  } catch (error) {
    const text = error instanceof Error ? error.message : String(error);
    return { name, status: "wrong", text, advice: null };
  }
}

/** How the findings are shown. */
export interface Report {
  /** True: one JSON document at the end, for scripts. */
  json: boolean;
  write: (text: string) => void;
}

/**
 * Says with which user's rights the checkup looks.
 * @param folder whose owner is the user that the service runs as
 */
export function userCheck(folder: string): Check {
  return {
    name: "user",
    async run() {
      const { user, became } = await becomeOwnerOf(folder);
      const text = became ? `"${user}", to whom "${folder}" belongs` : `"${user}"`;
      return { status: "ok", text };
    },
  };
}

/** How a checkup was called, apart from the settings that it looks at. */
export interface Order {
  isHelp: boolean;
  json: boolean;
  /** All other flags. */
  flags: string[];
}

/**
 * Reads the command line of a checkup. The values of flags are settings, which the checkup looks at.
 * @param argv behind the word that asks for the checkup
 * @param table of the program that is looked at
 * @throws UsageError for a flag that there is not, or one without its value
 */
export function readOrder(argv: string[], table: SettingTable): Order {
  const { values } = parseFlags(argv, { ...flagsOf(table), json: { type: "boolean" } });
  return {
    isHelp: values["help"] === true,
    json: values["json"] === true,
    flags: argv.filter((word) => word !== "--json"),
  };
}

/**
 * Looks whether settings are right, and then at what they name.
 * @param read the settings
 * @param name what is said of those that are right
 * @param checksOf what else is looked at
 * @returns whether nothing is wrong
 */
export async function examine<Config>(
  read: () => Config,
  name: (config: Config) => string,
  checksOf: (config: Config) => readonly Check[],
  { json, write }: Report,
): Promise<boolean> {
  let config: Config | undefined;
  const tell = (checked: Checked) => (json ? undefined : write(linesOf(checked)));
  const settings: Check = {
    name: "settings",
    run() {
      config = read();
      return { status: "ok", text: name(config) };
    },
  };
  const checked = await runChecks([settings], tell);
  if (config !== undefined) checked.push(...(await runChecks(checksOf(config), tell)));
  const ok = checked.every(({ status }) => status !== "wrong");
  write(json ? `${plainJson({ ok, checks: checked })}\n` : summaryOf(checked));
  return ok;
}

/** The lines of a check for a person. */
function linesOf({ name, status, text, advice }: Checked): string {
  const first = `${MARKS[status]} ${name.padEnd(NAME_WIDTH)} ${plainText(text)}\n`;
  return advice === null ? first : `${first}${" ".repeat(NAME_WIDTH + 3)}→ ${plainText(advice)}\n`;
}

function summaryOf(checked: readonly Checked[]): string {
  const isWrong = checked.filter(({ status }) => status === "wrong").length;
  if (isWrong === 0) return "\nAll is well.\n";
  return isWrong === 1 ? "\nOne thing is wrong.\n" : `\n${isWrong} things are wrong.\n`;
}
