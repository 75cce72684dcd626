import { randomBytes } from "node:crypto";
import { dirname, isAbsolute, join } from "node:path";
import { readServerConfig, type ServerConfig } from "../../server/config.ts";
import { UsageError } from "../../util/flags.ts";
import { changeSettings, type FileSettings } from "../../util/settings-file.ts";
import type { InstallRequest, PreparedInstallation } from "./prepare.ts";

const HEADER = `# Settings of the server, one NAME=value a line: lib/server/README.md says what there is.
# After a change: fds server install
`;

/** The first port on which a program can listen without special rights. */
const FIRST_FREE_PORT = 1024;

/**
 * Prepares the settings of a server for its installation. Tokens that are missing are generated.
 * @throws UsageError for a setting with which the server could not work
 */
export async function prepareServer(request: InstallRequest): Promise<PreparedInstallation> {
  const { flags, baseSettings, existingText, paths } = request;
  const settings: FileSettings = { ...baseSettings, ...flags.settings };
  const derived: FileSettings = {
    DOWNLOADS_DIR: settings["DOWNLOADS_DIR"] || join(paths.state, "downloads"),
    API_TOKEN: settings["API_TOKEN"] || freshToken(),
    ENROLL_TOKEN: request.enrolToken ?? (settings["ENROLL_TOKEN"] || freshToken()),
  };
  const config = readServerConfig(flags.argv, { ...settings, ...derived }, false);
  if (config === "help") throw new Error("help was not asked for");
  const folders = foldersOf(config);
  for (const folder of folders) {
    if (isAbsolute(folder)) continue;
    throw new UsageError(
      `the folder "${folder}" is no whole path, a service runs in a folder of its own`,
    );
  }
  const changes = { ...request.configSettings, ...flags.settings, ...derived };
  return {
    settings: changeSettings(existingText || HEADER, changes),
    enrolToken: null,
    enrolTokenFile: "",
    readable: [],
    writable: folders.filter((folder) => !`${folder}/`.startsWith(`${paths.state}/`)),
    hasLowPort: config.port > 0 && config.port < FIRST_FREE_PORT,
    title: `on ${config.host}, port ${config.port}`,
    notes: [],
  };
}

/** Returns the folders that a server writes to. A folder inside another one of them is left out. */
function foldersOf({ downloadsDir, storage, databaseUrl }: ServerConfig): string[] {
  const [, database] = /^sqlite:\/\/(.+)$/.exec(databaseUrl) ?? [];
  const folders = [
    downloadsDir,
    ...(storage.type === "s3" ? [] : [storage.path]),
    ...(database === undefined ? [] : [dirname(database)]),
  ];
  // The server makes a folder inside another one by itself.
  const topFolders = folders.filter((one) =>
    folders.every((other) => one === other || !one.startsWith(`${other}/`)),
  );
  return [...new Set(topFolders)];
}

function freshToken(): string {
  return randomBytes(32).toString("hex");
}
