import { readdir, rmdir } from "node:fs/promises";
import { join } from "node:path";
import { Failure } from "../../cli/program.ts";
import { keyFiles } from "../../client/key.ts";
import { parseFlags } from "../../util/flags.ts";
import { type FileSettings, parseSettings } from "../../util/settings-file.ts";
import { systemCode } from "../../util/system-error.ts";
import type { CommandContext } from "./context.ts";
import { uninstallHelp } from "./help.ts";
import { describePlan, isDone, perform, planOf, readIfThere } from "./perform.ts";
import type { ServicePaths, RemoveStep, Service, Step } from "./service.ts";
import { SERVICES } from "./services.ts";

const FLAGS = {
  purge: { type: "boolean" },
  "dry-run": { type: "boolean" },
  destdir: { type: "string" },
} as const;

/**
 * Removes an installed service.
 * @param argv arguments after `uninstall`
 * @returns the exit code
 */
export async function uninstall(context: CommandContext, argv: string[]): Promise<number> {
  const { service, manager, tell } = context;
  const { values } = parseFlags(argv, FLAGS);
  if (values["help"]) {
    tell(uninstallHelp(service));
    return 0;
  }
  const destdir = values["destdir"] === undefined ? null : String(values["destdir"]);
  const isDryRun = values["dry-run"] === true;
  if (!isDryRun && destdir === null) context.requireRights("uninstall");
  const paths = manager.paths(service);
  const purge = values["purge"] === true;
  const root = destdir ?? "";
  const text = await readIfThere(`${root}${paths.settings}`);
  // Unknown settings are accepted, as the file is to be removed anyway.
  const settings = parseSettings(text, paths.settings, null);
  const steps = [
    ...manager.uninstall(service, paths),
    ...(await removalSteps(context, { paths, settings, purge, root })),
    ...(purge ? manager.purge(service) : []),
  ];
  const plan = await planOf(steps, destdir);
  if (isDone(plan)) {
    tell(`There is no ${service.program} installed, and nothing to remove\n`);
    return 0;
  }
  const changes = plan.filter(({ difference }) => difference !== "not there");
  tell(`${service.description}\n${describePlan(changes)}`);
  if (isDryRun) {
    tell("Nothing was changed: --dry-run\n");
    return 0;
  }
  await perform(changes);
  await tidy(context, { paths, settings, purge, root });
  return 0;
}

interface UninstallOptions {
  paths: ServicePaths;
  settings: FileSettings;
  purge: boolean;
  /** The folder that `--destdir` names to be used in place of `/`; empty without that flag. */
  root: string;
}

/** Removes the service's folders that are empty by now, and prints what is left in the others. */
async function tidy({ service, tell }: CommandContext, options: UninstallOptions): Promise<void> {
  const { paths, settings, purge, root } = options;
  const stateDir = stateFolder(service, paths, settings);
  for (const folder of new Set([stateDir, paths.state, paths.settingsFolder])) {
    await removeIfEmpty(`${root}${folder}`);
  }
  const hint = purge ? "" : " (--purge removes it)";
  for (const folder of new Set([paths.state, stateDir]))
    tell(await leftoverLine(folder, root, hint));
  // A folder chosen by the user may contain other files, so it is only reported and never removed.
  const downloads = settings["DOWNLOADS_DIR"] ?? paths.state;
  if (!`${downloads}/`.startsWith(`${paths.state}/`)) tell(await leftoverLine(downloads, root, ""));
}

/** Returns the steps that remove the service's files. The program file stays if the other service uses it. */
async function removalSteps(
  { service, manager }: CommandContext,
  options: UninstallOptions,
): Promise<Step[]> {
  const { paths, settings, purge, root } = options;
  const other = service.program === "client" ? SERVICES.server : SERVICES.client;
  const isShared = (await readIfThere(`${root}${manager.paths(other).settings}`)) !== "";
  const stateSteps =
    service.program === "client"
      ? await clientStateSteps(stateFolder(service, paths, settings), { purge, root })
      : serverStateSteps(paths, purge);
  return [
    { kind: "remove", path: paths.settings, about: "the settings" },
    ...stateSteps,
    ...(isShared ? [] : [{ kind: "remove" as const, path: paths.program, about: "the program" }]),
  ];
}

/** Returns the folder of a client's key, or of a server's downloads and records. */
function stateFolder(
  { program }: Service,
  { state }: ServicePaths,
  settings: FileSettings,
): string {
  return (program === "client" && settings["CLIENT_STATE_DIR"]) || state;
}

/** The maximum number of names that a line lists. */
const MAX_NAMES = 5;

/** Returns a line that lists what is left in a folder; empty if nothing is left. */
async function leftoverLine(folder: string, root: string, hint: string): Promise<string> {
  const names = await readdir(`${root}${folder}`).catch(() => []);
  if (names.length === 0) return "";
  const more = names.length > MAX_NAMES ? ` and ${names.length - MAX_NAMES} more` : "";
  return `Left: ${names.slice(0, MAX_NAMES).join(", ")}${more} in ${folder}${hint}\n`;
}

/**
 * Matches the names of all files that a client writes to its folder, except its key. The key is removed only
 * with `--purge`, and files with other names are not removed.
 */
const CLIENT_FILES =
  /^(?:connection\.json|requests(?:-refused)?\.log(?:\.\d+)?|sent-today\.json|enroll-token)(?:\.[\w-]*\.?tmp|\.new)?$/;

async function clientStateSteps(
  stateDir: string,
  { purge, root }: { purge: boolean; root: string },
): Promise<RemoveStep[]> {
  const names = await readdir(`${root}${stateDir}`).catch((error: unknown) => {
    if (systemCode(error) === "ENOENT") return [];
    throw new Failure(`"${stateDir}" cannot be read (${systemCode(error)}), run it as root`);
  });
  const keys = new Set(keyFiles(stateDir));
  return names
    .map((name) => ({ name, path: join(stateDir, name) }))
    .filter(({ name, path }) => CLIENT_FILES.test(name) || (purge && keys.has(path)))
    .map(({ path }) => ({
      kind: "remove",
      path,
      about: keys.has(path) ? "the client's key" : "a record of the client",
    }));
}

/**
 * Returns the steps that remove a server's downloads and records. They are the operator's, so they are kept
 * unless `purge` is set.
 */
function serverStateSteps({ state }: ServicePaths, purge: boolean): RemoveStep[] {
  if (!purge) return [];
  return [{ kind: "remove", path: state, about: "all downloads and records in it" }];
}

async function removeIfEmpty(folder: string): Promise<void> {
  try {
    await rmdir(folder);
  } catch (error) {
    const code = systemCode(error) ?? "";
    if (!["ENOENT", "ENOTEMPTY", "EEXIST", "ENOTDIR", "EBUSY"].includes(code)) throw error;
  }
}
