import { randomBytes } from "node:crypto";
import { dirname, isAbsolute, join } from "node:path";
import { readServerConfig, type ServerConfig } from "../../server/config.ts";
import { UsageError } from "../../util/flags.ts";
import { changeSettings, type FileSettings } from "../../util/settings-file.ts";
import type { Given, Prepared } from "./prepare.ts";

const HEADER = `# Settings of the server, one NAME=value a line: lib/server/README.md says what there is.
# After a change: fds server install
`;

/** Ports below this are reserved for the system. */
const FIRST_FREE_PORT = 1024;

/**
 * Prepares the settings of a server to be installed. It has tokens from the beginning.
 * @throws UsageError for anything that would keep it from working
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

/** Folders that a server writes to. */
function foldersOf({ downloadsDir, storage, databaseUrl }: ServerConfig): string[] {
  const [, database] = /^sqlite:\/\/(.+)$/.exec(databaseUrl) ?? [];
  const folders = [
    downloadsDir,
    ...(storage.type === "s3" ? [] : [storage.path]),
    ...(database === undefined ? [] : [dirname(database)]),
  ];
  // The server makes folders inside the others itself.
  const apart = folders.filter((one) =>
    folders.every((other) => one === other || !one.startsWith(`${other}/`)),
  );
  return [...new Set(apart)];
}

function freshToken(): string {
  return randomBytes(32).toString("hex");
}
