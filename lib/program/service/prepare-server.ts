import { randomBytes } from "node:crypto";
import { dirname, isAbsolute, join } from "node:path";
import { readServerConfig, type ServerConfig } from "../../server/config.ts";
import { UsageError } from "../../util/flags.ts";
import { changeSettings, type FileSettings } from "../../util/settings-file.ts";
import type { Given, Prepared } from "./prepare.ts";

const HEADER = `# Settings of the server, one NAME=value a line: lib/server/README.md says what there is.
# After a change: fds server install
`;

/** The first port on which a program can listen without special rights. */
const FIRST_FREE_PORT = 1024;

/**
 * Prepares the settings of a server for its installation. Tokens that are missing are generated.
 * @throws UsageError for a setting with which the server could not work
 */
export async function prepareServer(given: Given): Promise<Prepared> {
  const { flags, before, text, places } = given;
  const known: FileSettings = { ...before, ...flags.settings };
  const own: FileSettings = {
    DOWNLOADS_DIR: known["DOWNLOADS_DIR"] || join(places.state, "downloads"),
    API_TOKEN: known["API_TOKEN"] || freshToken(),
    ENROLL_TOKEN: given.enrolToken ?? (known["ENROLL_TOKEN"] || freshToken()),
  };
  const config = readServerConfig(flags.argv, { ...known, ...own }, false);
  if (config === "help") throw new Error("help was not asked for");
  const folders = foldersOf(config);
  for (const folder of folders) {
    if (isAbsolute(folder)) continue;
    throw new UsageError(
      `the folder "${folder}" is no whole path, a service runs in a folder of its own`,
    );
  }
  const changes = { ...given.taken, ...flags.settings, ...own };
  return {
    settings: changeSettings(text || HEADER, changes),
    enrolToken: null,
    enrolTokenFile: "",
    readable: [],
    writable: folders.filter((folder) => !`${folder}/`.startsWith(`${places.state}/`)),
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
  const apart = folders.filter((one) =>
    folders.every((other) => one === other || !one.startsWith(`${other}/`)),
  );
  return [...new Set(apart)];
}

function freshToken(): string {
  return randomBytes(32).toString("hex");
}
