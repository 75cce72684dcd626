import { randomBytes } from "node:crypto";
import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { CHECKSUMS_FILE } from "./lib/cli/checksums.ts";
import {
  chownToImageUser,
  containerUser,
  IMAGE_USER_NAME,
} from "./lib/cli/setup/container-user.ts";
import { runProgram } from "./lib/cli/program.ts";
import { paint, say, terminalOf } from "./lib/cli/terminal/terminal.ts";
import { wrapHelp } from "./lib/cli/terminal/wrap.ts";
import { makeTestFilesWithBars } from "./lib/cli/setup/bars.ts";
import { readTestFileFlags, TEST_FILE_FLAGS, TEST_FILE_FLAGS_HELP } from "./lib/cli/setup/flags.ts";
import { testClientIds } from "./lib/cli/setup/test-files.ts";
import { parseFlags } from "./lib/util/flags.ts";
import { plainText } from "./lib/util/plain-text.ts";
import { exposedFiles } from "./lib/util/exposed-files.ts";
import { formatSize } from "./lib/util/sizes.ts";
import { systemCode } from "./lib/util/system-error.ts";
import { stdout } from "./lib/util/output.ts";

const HELP = `Usage: bun run setup [flags]

Makes, in this folder, what a first try needs: test files for three clients, their checksums,
the folders for downloads and keys, and an .env with fresh tokens. What is there and right stays
as it is.

${TEST_FILE_FLAGS_HELP}
  --force
      make the test files anew, even where they are right; an .env is never changed
  --help, -h
      show this
`;

/** Bytes that are left free on the disk when test files are made. */
const RESERVE = 16 * 1024 ** 2;

await runProgram(async (signal) => {
  const { values } = parseFlags(process.argv.slice(2), {
    ...TEST_FILE_FLAGS,
    force: { type: "boolean" },
  });
  if (values["help"]) return void stdout.write(wrapHelp(HELP));
  const terminal = terminalOf(stdout, process.env);
  const { size, clients } = readTestFileFlags(values);
  const folder = process.cwd();
  const files = await makeTestFilesWithBars(
    {
      folder,
      clientIds: testClientIds(clients),
      size,
      force: values["force"] === true,
      reserve: RESERVE,
      signal,
    },
    terminal,
  );
  for (const { path, made } of files) {
    say(terminal, path, made ? `${formatSize(size)} of random bytes` : "kept as it is");
  }
  say(terminal, CHECKSUMS_FILE, 'check with "md5sum -c checksums.txt"');
  await mkdir(join(folder, "downloads"), { recursive: true });
  say(terminal, "downloads/", "where the server puts what it pulls");
  for (const { clientId } of files) {
    await mkdir(join(folder, ".client-state", clientId), { recursive: true, mode: 0o700 });
  }
  say(terminal, ".client-state/", "where the clients keep their keys");
  for (const name of ["downloads", "test-files", ".client-state"]) {
    const { changed, skipped } = await chownToImageUser(join(folder, name));
    if (changed > 0)
      say(terminal, `${name}/`, `given to ${IMAGE_USER_NAME}, as whom containers run`);
    for (const path of skipped) {
      terminal.write(
        `${plainText(path)} still belongs to root, because it has a hard link elsewhere\n`,
      );
    }
  }
  const fresh = await makeEnvironmentFile(join(folder, ".env"));
  say(terminal, ".env", fresh ? "fresh API_TOKEN and ENROLL_TOKEN" : "kept as it is");
  for (const warning of await exposedFiles(".env")) terminal.write(`${warning}\n`);
  terminal.write(`\nNext: ${paint("bun run server", "bold", terminal.colour)}\n`);
});

/**
 * Writes an `.env` file with fresh tokens.
 * @returns false if the file exists already; it is then left unchanged
 */
async function makeEnvironmentFile(file: string): Promise<boolean> {
  const token = () => randomBytes(32).toString("hex");
  const user = containerUser(process.platform, process.getuid?.(), process.getgid?.());
  const lines = [
    "# Secrets of this server: API_TOKEN opens its API, ENROLL_TOKEN lets a new client in.",
    `API_TOKEN=${token()}`,
    `ENROLL_TOKEN=${token()}`,
    ...(user === null
      ? []
      : ["# You, so that what the containers write is yours.", `CONTAINER_USER=${user}`]),
  ];
  try {
    await writeFile(file, `${lines.join("\n")}\n`, { flag: "wx", mode: 0o600 });
    return true;
  } catch (error) {
    if (systemCode(error) === "EEXIST") return false;
    throw error;
  }
}
