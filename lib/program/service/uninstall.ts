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
import type { Places, RemoveStep, Service, Step } from "./service.ts";
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
  const places = manager.places(service);
  const purge = values["purge"] === true;
  const root = destdir ?? "";
  const text = await readIfThere(`${root}${places.settings}`);
  // Unknown settings are accepted, as the file is to be removed anyway.
  const settings = parseSettings(text, places.settings, null);
  const steps = [
    ...manager.uninstall(service, places),
    ...(await filesOf(context, { places, settings, purge, root })),
    ...(purge ? manager.purge(service) : []),
  ];
  const plan = await planOf(steps, destdir);
  if (isDone(plan)) {
    tell(`There is no ${service.program} installed, and nothing to remove\n`);
    return 0;
  }
  const wanted = plan.filter(({ difference }) => difference !== "not there");
  tell(`${service.description}\n${describePlan(wanted)}`);
  if (isDryRun) {
    tell("Nothing was changed: --dry-run\n");
    return 0;
  }
  await perform(wanted);
  await tidy(context, { places, settings, purge, root });
  return 0;
}

interface Wanted {
  places: Places;
  settings: FileSettings;
  purge: boolean;
  /** The folder that `--destdir` names to be used in place of `/`; empty without that flag. */
  root: string;
}

/** Removes the service's folders that are empty by now, and prints what is left in the others. */
async function tidy({ service, tell }: CommandContext, wanted: Wanted): Promise<void> {
  const { places, settings, purge, root } = wanted;
  const keeping = stateFolder(service, places, settings);
  for (const folder of new Set([keeping, places.state, places.settingsFolder])) {
    await removeIfEmpty(`${root}${folder}`);
  }
  const hint = purge ? "" : " (--purge removes it)";
  for (const folder of new Set([places.state, keeping])) tell(await tellLeft(folder, root, hint));
  // A folder chosen by the user may contain other files, so it is only reported and never removed.
  const downloads = settings["DOWNLOADS_DIR"] ?? places.state;
  if (!`${downloads}/`.startsWith(`${places.state}/`)) tell(await tellLeft(downloads, root, ""));
}

/** Returns the steps that remove the service's files. The program file stays if the other service uses it. */
async function filesOf({ service, manager }: CommandContext, wanted: Wanted): Promise<Step[]> {
  const { places, settings, purge, root } = wanted;
  const other = service.program === "client" ? SERVICES.server : SERVICES.client;
  const isShared = (await readIfThere(`${root}${manager.places(other).settings}`)) !== "";
  const kept =
    service.program === "client"
      ? await stateOfClient(stateFolder(service, places, settings), { purge, root })
      : stateOfServer(places, purge);
  return [
    { kind: "remove", path: places.settings, about: "the settings" },
    ...kept,
    ...(isShared ? [] : [{ kind: "remove" as const, path: places.program, about: "the program" }]),
  ];
}

/** Returns the folder of a client's key, or of a server's downloads and records. */
function stateFolder({ program }: Service, { state }: Places, settings: FileSettings): string {
  return (program === "client" && settings["CLIENT_STATE_DIR"]) || state;
}

/** The maximum number of names that a line lists. */
const MAX_NAMES = 5;

/** Returns a line that lists what is left in a folder; empty if nothing is left. */
async function tellLeft(folder: string, root: string, hint: string): Promise<string> {
  const names = await readdir(`${root}${folder}`).catch(() => []);
  if (names.length === 0) return "";
  const more = names.length > MAX_NAMES ? ` and ${names.length - MAX_NAMES} more` : "";
  return `Left: ${names.slice(0, MAX_NAMES).join(", ")}${more} in ${folder}${hint}\n`;
}

/**
 * Matches the names of all files that a client writes to its folder, except its key. The key is removed only
 * with `--purge`, and files with other names are not removed.
 */
const OURS =
  /^(?:connection\.json|requests(?:-refused)?\.log(?:\.\d+)?|sent-today\.json|enroll-token)(?:\.[\w-]*\.?tmp|\.new)?$/;

async function stateOfClient(
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
    .filter(({ name, path }) => OURS.test(name) || (purge && keys.has(path)))
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
function stateOfServer({ state }: Places, purge: boolean): RemoveStep[] {
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
