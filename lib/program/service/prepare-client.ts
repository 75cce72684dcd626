import { stat } from "node:fs/promises";
import { dirname, isAbsolute } from "node:path";
import { readClientConfig } from "../../client/config.ts";
import { enrolTokenFile } from "../../client/enrol-token-file.ts";
import { UsageError } from "../../util/flags.ts";
import { changeSettings, type FileSettings } from "../../util/settings-file.ts";
import type { InstallRequest, PreparedInstallation } from "./prepare.ts";

const HEADER = `# Settings of the client, one NAME=value a line: lib/client/README.md says what there is.
# After a change: fds client install
`;

/**
 * Prepares the settings of a client for its installation.
 * @throws UsageError for a setting with which the client could not work
 */
export async function prepareClient(request: InstallRequest): Promise<PreparedInstallation> {
  const { flags, baseSettings, existingText, service, paths } = request;
  const settings: FileSettings = { ...baseSettings, ...flags.settings };
  for (const [variable, flag] of [
    ["CLIENT_ID", "--id ID"],
    ["SERVER_URL", "--server URL"],
    ["CLIENT_ROOTS", "--root FOLDER"],
  ] as const) {
    if (!settings[variable]) throw new UsageError(`${variable} is missing, pass ${flag}`);
  }
  const derived = { CLIENT_STATE_DIR: settings["CLIENT_STATE_DIR"] || paths.state };
  const config = readClientConfig(flags.argv, { ...settings, ...derived }, false, () => false);
  if (config === "help") throw new Error("help was not asked for");
  const notes: string[] = [];
  for (const root of config.roots) {
    await checkRoot(root);
    const commands = await grantCommands(root, service.name);
    if (commands.length === 0) continue;
    notes.push(
      `see to it that the user ${service.name} may read "${root}": ${commands.join(" && ")}`,
    );
  }
  const { stateDir } = config;
  // The enrolment token works only once, so it is not written to the settings.
  const changes = { ...flags.settings, ...derived, ENROLL_TOKEN: null };
  return {
    settings: changeSettings(existingText || HEADER, { ...request.configSettings, ...changes }),
    enrolToken: request.enrolToken ?? (baseSettings["ENROLL_TOKEN"] || null),
    enrolTokenFile: enrolTokenFile(stateDir),
    readable: config.roots,
    writable: stateDir === paths.state ? [] : [stateDir],
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
async function grantCommands(folder: string, user: string): Promise<string[]> {
  const READ_AND_ENTER = 0o005;
  const ENTER = 0o001;
  const lacks = async (path: string, right: number) => ((await stat(path)).mode & right) !== right;
  const commands: string[] = [];
  for (let path = dirname(folder); path !== dirname(path); path = dirname(path)) {
    if (await lacks(path, ENTER)) commands.unshift(`setfacl -m u:${user}:x "${path}"`);
  }
  const isBlocked = commands.length > 0 || (await lacks(folder, READ_AND_ENTER));
  return isBlocked ? [...commands, `setfacl -R -m u:${user}:rX "${folder}"`] : [];
}
