import { parseArgs } from "node:util";
import { BUILD, howToRun } from "../util/build.ts";
import { type ParsedFlags, parseFlags, UsageError } from "../util/flags.ts";
import { CONFIG_FLAG, type Environment } from "../util/settings.ts";
import { readSettingsFile } from "../util/settings-file.ts";
import { plainText } from "../util/plain-text.ts";
import { ApiClient } from "./rest/api-client.ts";
import {
  CONNECTION_FLAGS,
  CONNECTION_FLAGS_HELP,
  connectionWarnings,
  readConnection,
} from "./rest/connection.ts";
import { audit } from "./fds/audit.ts";
import { cancel } from "./fds/cancel.ts";
import { clients } from "./fds/clients.ts";
import { dashboard } from "./fds/dashboard.ts";
import type { Command } from "./fds/command.ts";
import { deliveries } from "./fds/deliveries.ts";
import { downloads } from "./fds/downloads.ts";
import { enroll } from "./fds/enroll.ts";
import { files } from "./fds/files.ts";
import { health } from "./fds/health.ts";
import { hold, release } from "./fds/hold.ts";
import { JsonOutput } from "./fds/json-output.ts";
import { job } from "./fds/job.ts";
import { jobs } from "./fds/jobs.ts";
import { label } from "./fds/label.ts";
import { limit } from "./fds/limit.ts";
import { ls } from "./fds/ls.ts";
import { pull } from "./fds/pull.ts";
import { retry } from "./fds/retry.ts";
import { revoke } from "./fds/revoke.ts";
import { rm } from "./fds/rm.ts";
import { schedule } from "./fds/schedule.ts";
import { schedules } from "./fds/schedules.ts";
import { token } from "./fds/token.ts";
import { status } from "./fds/status.ts";
import { verify } from "./fds/verify.ts";
import { watch } from "./fds/watch.ts";
import { webhook } from "./fds/webhook.ts";
import { webhooks } from "./fds/webhooks.ts";
import { type Interruptions, runProgram } from "./program.ts";
import { type Terminal, terminalOf } from "./terminal/terminal.ts";
import { wrapCommand, wrapHelp } from "./terminal/wrap.ts";
import { stderr, stdout } from "../util/output.ts";

/** All commands, grouped by purpose. */
const GROUPS: Record<string, Record<string, Command>> = {
  "pull files": { pull, limit, cancel, retry },
  "many sites": { jobs, job, label },
  "every night": { schedules, schedule, deliveries },
  "what there is": { health, clients, ls, downloads, status, files, watch },
  "what is kept": { verify, hold, release, rm },
  "who is told": { webhooks, webhook },
  "who gets in": { enroll, revoke, token, audit, dashboard },
};

const COMMANDS = new Map(Object.values(GROUPS).flatMap((group) => Object.entries(group)));

const COMMON_FLAGS = {
  ...CONNECTION_FLAGS,
  [CONFIG_FLAG]: { type: "string" },
  json: { type: "boolean" },
} as const;

const COMMON_FLAGS_HELP = `  --json
      JSON on standard output, for scripts; a failure is {"error": "…", "code": "…"} there, unless
      the result tells it
${CONNECTION_FLAGS_HELP}
  --config FILE
      the server's file of settings: its port and its token are taken from there
  --help, -h
      show this`;

const COMMAND_LIST = [...COMMANDS]
  .map(([name, { words, summary }]) => `  ${`${name} ${words}`.padEnd(21)} ${summary}`)
  .join("\n");

const FDS = howToRun("fds");

/**
 * Help text about `fds client` and `fds server`, which only the built program has. Empty when `fds` runs from
 * its source.
 */
const PROGRAMS_HELP =
  BUILD === null
    ? ""
    : "The client and the server: fds client --help, fds server --help\nWhat is wrong with them: fds client doctor, fds server doctor";

/** The help of `fds` without a command. Commands are listed in groups, to fit a terminal of 24 rows. */
const OVERVIEW = `Usage: ${FDS} COMMAND [flags]

${Object.entries(GROUPS)
  .map(([title, group]) => `  ${title.padEnd(14)} ${Object.keys(group).join(", ")}`)
  .join("\n")}
${PROGRAMS_HELP}
What each of them does: ${FDS} --help
All of one: ${FDS} pull --help
`;

const HELP = `Usage: ${FDS} COMMAND [flags]

Pulls files from clients and looks after them, by the server's REST API. Exits 0 only if what was
asked is done, 1 if it failed, 2 for a wrong flag or value.${PROGRAMS_HELP && `\n\n${PROGRAMS_HELP}`}

Commands:
${COMMAND_LIST}

Flags of each command:
${COMMON_FLAGS_HELP}

Examples:
  ${FDS} pull restaurant-001 -o ./restaurant-001.txt
  ${FDS} downloads --status failed --json
  ${FDS} pull --help
`;

if (import.meta.main) await runFds(process.argv.slice(2));

/**
 * Runs one command of `fds`, and ends the process with the command's exit code.
 * @param argv arguments without the program's name
 */
export async function runFds(argv: string[]): Promise<void> {
  await runProgram(async (_, interruptions) => {
    if (argv.length === 0) return void stdout.write(wrapHelp(OVERVIEW));
    const out = new JsonOutput(terminalOf(stdout, process.env));
    try {
      await runCommand(argv, out.terminal, interruptions);
    } catch (error) {
      if (argv.includes("--json")) out.tellFailure(error);
      throw error;
    }
  });
}

async function runCommand(
  argv: string[],
  out: Terminal,
  interruptions: Interruptions,
): Promise<void> {
  const { name, rest } = splitCommand(argv);
  if (name === null) {
    const { values } = parseFlags(rest, COMMON_FLAGS);
    if (values["help"]) return void stdout.write(wrapHelp(HELP));
    throw new UsageError(`COMMAND is missing, expected one of ${[...COMMANDS.keys()].join(", ")}`);
  }
  const command = COMMANDS.get(name);
  if (!command) {
    const names = [...COMMANDS.keys()].join(", ");
    throw new UsageError(`unknown command "${name}", expected one of ${names}`);
  }
  const [min, max] = command.wordCount;
  const { values, positionals } = parseFlags(rest, { ...COMMON_FLAGS, ...command.flags }, max);
  if (values["help"]) return void stdout.write(wrapHelp(helpOf(name, command)));
  if (positionals.length < min) {
    throw new UsageError(`${command.words} is missing, expected fds ${name} ${command.words}`);
  }
  const env = environmentOf(values[CONFIG_FLAG]);
  const connection = readConnection(values, env);
  for (const warning of await connectionWarnings(connection, env)) {
    stderr.write(`${plainText(warning)}\n`);
  }
  const json = values["json"] === true;
  const err = terminalOf(stderr, process.env);
  await command.run({
    api: new ApiClient(connection),
    words: positionals,
    values,
    env,
    out,
    err: json && !err.live ? silent(err) : err,
    json,
    interactive: err.live && process.stdin.isTTY === true,
    interruptions,
  });
}

/** Returns the environment, overridden by the settings file that `--config` names, if the flag was given. */
function environmentOf(file: ParsedFlags["values"][string]): Environment {
  return file === undefined
    ? process.env
    : { ...process.env, ...readSettingsFile(String(file), null) };
}

/**
 * Splits the command's name from the other arguments. Flags that all commands share may precede the name.
 * @returns `name` is null where no command is given
 */
function splitCommand(argv: string[]): { name: string | null; rest: string[] } {
  const { tokens } = parseArgs({ args: argv, options: COMMON_FLAGS, strict: false, tokens: true });
  const word = tokens.find(({ kind }) => kind === "positional");
  if (!word) return { name: null, rest: argv };
  return { name: argv[word.index] ?? null, rest: argv.toSpliced(word.index, 1) };
}

function helpOf(
  name: string,
  { words, usage = words, summary, flagsHelp, notes, examples }: Command,
): string {
  const flags = [flagsHelp, COMMON_FLAGS_HELP].filter(Boolean).join("\n");
  const list = examples.map((example) => wrapCommand(`${FDS} ${example}`)).join("\n");
  const parts = [
    `Usage: ${[FDS, name, usage, "[flags]"].filter(Boolean).join(" ")}`,
    summary.charAt(0).toUpperCase() + summary.slice(1),
    flags,
    notes,
    `Examples:\n${list}`,
  ];
  return `${parts.filter(Boolean).join("\n\n")}\n`;
}

/** Returns a terminal that discards its output, for scripts that read JSON. */
function silent(terminal: Terminal): Terminal {
  return { ...terminal, write: () => undefined };
}
