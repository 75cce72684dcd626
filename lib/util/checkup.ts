import { parseFlags } from "./flags.ts";
import { becomeOwnerOf } from "./machine.ts";
import { plainJson, plainText } from "./plain-text.ts";
import { flagsOf, type SettingTable } from "./settings.ts";

/** The result of a check that was run. */
export interface Finding {
  /** `ok`, `wrong`, or `not_needed` if the check does not apply to this machine. */
  status: "ok" | "wrong" | "not_needed";
  /** The result as a sentence for a person, without a full stop. */
  text: string;
  /** Advice to the person: how to mend the fault, or what else is worth knowing. */
  advice?: string;
}

/** One check of a `doctor` command, such as whether a port is free. */
export interface Check {
  /** The subject of the check in one or two words, such as "user" or "settings". */
  name: string;
  /** Names of earlier checks. If one of them is wrong or was not run, this check is not run. */
  needs?: readonly string[];
  /** Runs the check. @param signal aborted when the check has reached its time limit */
  run(signal: AbortSignal): Promise<Finding> | Finding;
}

/** The result of a check, which may also be that the check was not run. */
export interface Checked {
  name: string;
  status: Finding["status"] | "not_tried";
  text: string;
  advice: string | null;
}

/** Longest time for one check, in ms. A firewall that drops packets would otherwise block a check forever. */
const CHECK_WITHIN_MS = 5_000;

const MARKS: Record<Checked["status"], string> = {
  ok: "✓",
  wrong: "✗",
  not_needed: "–",
  not_tried: "–",
};

/** Width to which the name of a check is padded, in characters. */
const NAME_WIDTH = 14;

/**
 * Runs checks one after the other. A check is not run if an earlier check that it needs is wrong or was not
 * run.
 * @param onChecked called with the result of each check as soon as it ends
 * @param limit longest time for each check, in ms
 */
export async function runChecks(
  checks: readonly Check[],
  onChecked: (checked: Checked) => void,
  limit = CHECK_WITHIN_MS,
): Promise<Checked[]> {
  const results: Checked[] = [];
  for (const check of checks) {
    const checked = await runCheck(check, results, limit);
    results.push(checked);
    onChecked(checked);
  }
  return results;
}

async function runCheck(
  { name, needs = [], run }: Check,
  results: readonly Checked[],
  limit: number,
): Promise<Checked> {
  const isFailedNeed = ({ name: other, status }: Checked) =>
    needs.includes(other) && (status === "wrong" || status === "not_tried");
  const failedNeed = results.find(isFailedNeed);
  if (failedNeed) {
    const cause = `not tried, see "${failedNeed.name}"`;
    const text = failedNeed.status === "wrong" ? cause : failedNeed.text;
    return { name, status: "not_tried", text, advice: null };
  }
  const signal = AbortSignal.timeout(limit);
  const timeout = Promise.withResolvers<Finding>();
  const timeoutText = `no answer in ${limit / 1000} s`;
  signal.addEventListener("abort", () => timeout.resolve({ status: "wrong", text: timeoutText }));
  try {
    const { status, text, advice } = await Promise.race([run(signal), timeout.promise]);
    return { name, status, text, advice: advice ?? null };
  } catch (error) {
    const text = error instanceof Error ? error.message : String(error);
    return { name, status: "wrong", text, advice: null };
  }
}

/** How and where the results of the checks are written. */
export interface Report {
  /**
   * True writes one JSON document at the end, for scripts. False writes text for people as each check ends.
   */
  json: boolean;
  write: (text: string) => void;
}

/**
 * Returns a check that reports which user the checks run as. If that is root, the process first becomes the
 * user of the service.
 * @param folder a folder of the service, owned by the user that the service runs as
 */
export function userCheck(folder: string): Check {
  return {
    name: "user",
    async run() {
      const { user, hasChanged } = await becomeOwnerOf(folder);
      const text = hasChanged ? `"${user}", to whom "${folder}" belongs` : `"${user}"`;
      return { status: "ok", text };
    },
  };
}

/** The parsed command line of a `doctor` command. */
export interface CommandLine {
  isHelp: boolean;
  json: boolean;
  /** All words of the command line but `--json`. */
  flags: string[];
}

/**
 * Reads the command line of a `doctor` command. The command takes `--json` and all flags of the program that
 * it examines. The values of these flags are not checked yet.
 * @param argv the words behind `doctor`
 * @param table the settings of the examined program
 * @throws UsageError for an unknown flag, or a flag without its value
 */
export function parseCommandLine(argv: string[], table: SettingTable): CommandLine {
  const { values } = parseFlags(argv, { ...flagsOf(table), json: { type: "boolean" } });
  return {
    isHelp: values["help"] === true,
    json: values["json"] === true,
    flags: argv.filter((word) => word !== "--json"),
  };
}

/**
 * Checks the settings of a program, and then the files, addresses and other things that the settings name.
 * @param read reads the settings, and throws if one is wrong
 * @param describe returns the text to show if the settings are right
 * @param checksOf returns the checks to run if the settings are right
 * @returns true if no check found anything wrong
 */
export async function examine<Config>(
  read: () => Config,
  describe: (config: Config) => string,
  checksOf: (config: Config) => readonly Check[],
  { json, write }: Report,
): Promise<boolean> {
  let config: Config | undefined;
  const tell = (checked: Checked) => (json ? undefined : write(linesOf(checked)));
  const settings: Check = {
    name: "settings",
    run() {
      config = read();
      return { status: "ok", text: describe(config) };
    },
  };
  const checked = await runChecks([settings], tell);
  if (config !== undefined) checked.push(...(await runChecks(checksOf(config), tell)));
  const ok = checked.every(({ status }) => status !== "wrong");
  write(json ? `${plainJson({ ok, checks: checked })}\n` : summaryOf(checked));
  return ok;
}

/** Formats the result of a check for a terminal, as one line or, with advice, two. */
function linesOf({ name, status, text, advice }: Checked): string {
  const first = `${MARKS[status]} ${name.padEnd(NAME_WIDTH)} ${plainText(text)}\n`;
  return advice === null ? first : `${first}${" ".repeat(NAME_WIDTH + 3)}→ ${plainText(advice)}\n`;
}

function summaryOf(checked: readonly Checked[]): string {
  const wrongCount = checked.filter(({ status }) => status === "wrong").length;
  if (wrongCount === 0) return "\nAll is well.\n";
  return wrongCount === 1 ? "\nOne thing is wrong.\n" : `\n${wrongCount} things are wrong.\n`;
}
