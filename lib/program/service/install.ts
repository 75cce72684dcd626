import { Failure } from "../../cli/program.ts";
import { readConnectionRecord } from "../../client/connection-record.ts";
import { type ParsedFlags, parseFlags, UsageError } from "../../util/flags.ts";
import { CONFIG_FLAG, flagsOf } from "../../util/settings.ts";
import { parseSettings, readSettingsFile } from "../../util/settings-file.ts";
import { askForToken } from "./ask-for-token.ts";
import { type CommandContext, runStateOf, SETTING_TABLES } from "./context.ts";
import { settingsOfFlags, withAbsolutePaths } from "./given-settings.ts";
import { describePlan, isDone, perform, planOf, readIfThere } from "./perform.ts";
import type { InstallRequest } from "./prepare.ts";
import { prepareClient } from "./prepare-client.ts";
import { prepareServer } from "./prepare-server.ts";
import { installHelp } from "./help.ts";
import { tellOutcome } from "./outcome.ts";

/** Flags of `install`, besides the flags of the installed program. */
const FLAGS = {
  "enroll-token": { type: "string" },
  "dry-run": { type: "boolean" },
  destdir: { type: "string" },
} as const;

/**
 * Installs a program as a service, or changes an installed service.
 * @param argv arguments after `install`
 * @returns the exit code
 */
export async function install(context: CommandContext, argv: string[]): Promise<number> {
  const { service, manager, tell, thisProgram } = context;
  const table = SETTING_TABLES[service.program];
  const { values } = parseFlags(argv, { ...flagsOf(table), ...FLAGS });
  if (values["help"]) {
    tell(installHelp(service));
    return 0;
  }
  if (thisProgram === null) {
    throw new Failure("install the built program: make it with bun run build");
  }
  const destdir = values["destdir"] === undefined ? null : String(values["destdir"]);
  const isDryRun = values["dry-run"] === true;
  if (!isDryRun && destdir === null) {
    const reason = manager.whyUnsupported(service);
    if (reason !== null) throw new Failure(reason);
    context.requireRights("install");
  }
  const request = await requestOf(context, values);
  const prepared = await (service.program === "client" ? prepareClient : prepareServer)(request);
  const steps = manager.install({ ...service, paths: request.paths, ...prepared });
  const plan = await planOf(steps, destdir);
  const isRunning = destdir !== null || (await runStateOf(context)) === "running";
  tell(`${service.description}: ${prepared.title}\n`);
  if (isDone(plan) && isRunning) {
    tell("Nothing to do: all is as it should be\n");
    return 0;
  }
  tell(describePlan(plan));
  if (isDryRun) tell("Nothing was changed: --dry-run\n");
  if (isDryRun) return 0;
  const settings = parseSettings(prepared.settings, request.paths.settings, table);
  const stateDir = settings["CLIENT_STATE_DIR"];
  const oldRecord = stateDir === undefined ? null : await readConnectionRecord(stateDir);
  await perform(plan);
  for (const note of prepared.notes) tell(`${note}\n`);
  if (destdir === null) await tellOutcome(context, settings, oldRecord?.pid ?? null);
  return 0;
}

async function requestOf(
  { service, manager, input }: CommandContext,
  values: ParsedFlags["values"],
): Promise<InstallRequest> {
  const table = SETTING_TABLES[service.program];
  const paths = manager.paths(service);
  const destdir = values["destdir"] === undefined ? "" : String(values["destdir"]);
  const existingText = await readIfThere(`${destdir}${paths.settings}`);
  const file = values[CONFIG_FLAG];
  const configSettings = file
    ? withAbsolutePaths(table, readSettingsFile(String(file), table))
    : {};
  return {
    service,
    paths,
    flags: settingsOfFlags(table, values),
    baseSettings: { ...parseSettings(existingText, paths.settings, table), ...configSettings },
    configSettings,
    existingText,
    enrolToken: await tokenOf(values["enroll-token"], input),
  };
}

/**
 * Reads the enrolment token from standard input. A token as the flag's value is refused, as other users of
 * this machine could see it.
 */
async function tokenOf(
  value: ParsedFlags["values"][string],
  input: NodeJS.ReadStream,
): Promise<string | null> {
  if (value === undefined) return null;
  if (value === "-") return askForToken(input);
  throw new UsageError(
    "--enroll-token has a value that others on this machine can see, pass --enroll-token - and the token on standard input",
  );
}
