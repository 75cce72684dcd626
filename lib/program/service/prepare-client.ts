import { stat } from "node:fs/promises";
import { dirname, isAbsolute } from "node:path";
import { readClientConfig } from "../../client/config.ts";
import { enrolTokenFile } from "../../client/enrol-token-file.ts";
import { UsageError } from "../../util/flags.ts";
import { changeSettings, type FileSettings } from "../../util/settings-file.ts";
import type { Given, Prepared } from "./prepare.ts";

const HEADER = `# Settings of the client, one NAME=value a line: lib/client/README.md says what there is.
# After a change: fds client install
`;

/**
 * Prepares the settings of a client for its installation.
 * @throws UsageError for a setting with which the client could not work
 */
export async function prepareClient(given: Given): Promise<Prepared> {
  const { flags, before, text, service, places } = given;
  const known: FileSettings = { ...before, ...flags.settings };
  for (const [variable, flag] of [
    ["CLIENT_ID", "--id ID"],
    ["SERVER_URL", "--server URL"],
    ["CLIENT_ROOTS", "--root FOLDER"],
  ] as const) {
    if (!known[variable]) throw new UsageError(`${variable} is missing, pass ${flag}`);
  }
  const own = { CLIENT_STATE_DIR: known["CLIENT_STATE_DIR"] || places.state };
  const config = readClientConfig(flags.argv, { ...known, ...own }, false, () => false);
  if (config === "help") throw new Error("help was not asked for");
  const notes: string[] = [];
  for (const root of config.roots) {
    await checkRoot(root);
    const commands = await rightsToGive(root, service.name);
    if (commands.length === 0) continue;
    notes.push(
      `see to it that the user ${service.name} may read "${root}": ${commands.join(" && ")}`,
    );
  }
  const { stateDir } = config;
  // The enrolment token works only once, so it is not written to the settings.
  const changes = { ...flags.settings, ...own, ENROLL_TOKEN: null };
  return {
    settings: changeSettings(text || HEADER, { ...given.taken, ...changes }),
    enrolToken: given.enrolToken ?? (before["ENROLL_TOKEN"] || null),
    enrolTokenFile: enrolTokenFile(stateDir),
    readable: config.roots,
    writable: stateDir === places.state ? [] : [stateDir],
    hasLowPort: false,
    title: `${config.id}, for ${addressOf(config.serverUrl)}`,
    notes: process.platform === "win32" ? [] : notes,
  };
}

/** Returns the server's address with http or https in place of ws or wss. */
function addressOf({ protocol, host }: URL): string {
  return `${protocol.replace("ws", "http")}//${host}`;
}

async function checkRoot(root: string): Promise<void> {
  if (!isAbsolute(root)) {
    throw new UsageError(
      `the root "${root}" is no whole path, a service runs in a folder of its own`,
    );
  }
  const found = await stat(root).catch(() => null);
  if (!found) throw new UsageError(`the root "${root}" is not there, make the folder first`);
  if (!found.isDirectory()) throw new UsageError(`the root "${root}" is no folder`);
}

/**
 * Returns commands that let a user read a folder. Empty where the permissions of the folder and its parents
 * allow this already.
 */
async function rightsToGive(folder: string, user: string): Promise<string[]> {
  const READ_AND_ENTER = 0o005;
  const ENTER = 0o001;
  const lacks = async (path: string, right: number) => ((await stat(path)).mode & right) !== right;
  const commands: string[] = [];
  for (let path = dirname(folder); path !== dirname(path); path = dirname(path)) {
    if (await lacks(path, ENTER)) commands.unshift(`setfacl -m u:${user}:x "${path}"`);
  }
  const isShut = commands.length > 0 || (await lacks(folder, READ_AND_ENTER));
  return isShut ? [...commands, `setfacl -R -m u:${user}:rX "${folder}"`] : [];
}
