import { once } from "node:events";
import { mkdir, mkdtemp, rm } from "node:fs/promises";
import { join } from "node:path";
import { parseFlags } from "../util/flags.ts";
import { formatSize } from "../util/sizes.ts";
import { ApiClient } from "./rest/api-client.ts";
import { boardLines, runNights } from "./demo/night.ts";
import { DOWNLOADS, freshTokens, startClients, startServer } from "./demo/programs.ts";
import { pullAll } from "./demo/pull.ts";
import { verifyAll } from "./demo/results.ts";
import { announceDemo, DEMOS, type KeptDemo } from "./rest/kept-demo.ts";
import { Processes } from "./demo/processes.ts";
import { runProgram } from "./program.ts";
import { paint, say, type Terminal, terminalOf } from "./terminal/terminal.ts";
import { wrapHelp } from "./terminal/wrap.ts";
import { makeTestFilesWithBars } from "./setup/bars.ts";
import { readTestFileFlags, TEST_FILE_FLAGS, TEST_FILE_FLAGS_HELP } from "./setup/flags.ts";
import { testClientIds } from "./setup/test-files.ts";
import { stdout } from "../util/output.ts";

const HELP = `Usage: bun run demo [flags]

Everything in one go: makes test files, starts a server and three clients, pulls all files at
once and verifies each. It has a port and a folder of its own, and removes the folder at its end.

${TEST_FILE_FLAGS_HELP}
  --night
      a schedule and three of its nights in 30 seconds, ending with a board with one missing site;
      its files have 1 MiB
  --keep
      leave the server and the clients running until Ctrl-C
  --help, -h
      show this
`;

/** The default size of each test file in the demo of a schedule (`--night`). */
const NIGHT_SIZE = "1MiB";

/** Disk space that must stay free during the demo, in bytes. The server itself requires less free space. */
const RESERVE = 512 * 1024 ** 2;

await runProgram(async (signal) => {
  const { values } = parseFlags(process.argv.slice(2), {
    ...TEST_FILE_FLAGS,
    keep: { type: "boolean" },
    night: { type: "boolean" },
  });
  if (values["help"]) return void stdout.write(wrapHelp(HELP));
  const night = values["night"] === true;
  const { size, clients } = readTestFileFlags(values, night ? NIGHT_SIZE : undefined);
  const keep = values["keep"] === true;
  const options = { size, clientIds: testClientIds(clients), keep, night };
  const terminal = terminalOf(stdout, process.env);
  await inFreshFolder((folder) => runDemo(folder, options, terminal, signal));
});

/** Runs a function with a new folder, and always removes the folder afterwards. */
async function inFreshFolder(run: (folder: string) => Promise<void>): Promise<void> {
  await mkdir(DEMOS, { recursive: true });
  const folder = await mkdtemp(join(DEMOS, "run-"));
  try {
    await run(folder);
  } finally {
    // On Windows, a file may stay busy for a moment after its process has ended.
    await rm(folder, { recursive: true, force: true, maxRetries: 10 });
  }
}

interface DemoOptions {
  /** The size of each file, in bytes. */
  size: number;
  clientIds: string[];
  keep: boolean;
  /** Whether to play three nights of a schedule. If false, each file is pulled once. */
  night: boolean;
}

async function runDemo(
  folder: string,
  { size, clientIds, keep, night }: DemoOptions,
  terminal: Terminal,
  interrupted: AbortSignal,
): Promise<void> {
  const heading = (text: string) => terminal.write(`\n${paint(text, "bold", terminal.colour)}\n`);
  heading(`Making ${clientIds.length} test files of ${formatSize(size)}`);
  // The server stores a copy of each file on the same disk, so space for the copies is reserved, too.
  const reserve = size * clientIds.length + RESERVE;
  const files = await makeTestFilesWithBars(
    { folder, clientIds, size, reserve, signal: interrupted },
    terminal,
  );

  heading("Starting a server and the clients");
  await using processes = new Processes(folder, interrupted);
  const tokens = freshTokens();
  const server = await startServer(processes, tokens, process.env);
  say(terminal, "server", `listens on ${server}`);
  await startClients(processes, server, files, tokens, process.env);
  say(terminal, "clients", `${clientIds.length} registered`);

  const { signal } = processes;
  const api = new ApiClient({ server, token: tokens.api });
  if (night) {
    heading("Three nights, a few seconds each");
    const deliveries = await runNights({ api, folder, files, terminal, signal });
    terminal.write(`\n${boardLines(deliveries, terminal).join("\n")}\n`);
  } else {
    heading("Pulling all files at once");
    const records = await pullAll(api, clientIds, terminal, signal);
    await verifyAll(folder, join(folder, DOWNLOADS), records, terminal, signal);
  }
  if (!keep) return;

  const { code } = await api.signInCode(signal);
  await describeKeptDemo({ folder, server, token: tokens.api }, code, terminal);
  if (!signal.aborted) await once(signal, "abort");
  // Ctrl-C is the normal end of a demo with `--keep`. Any other abort means that the server or a client
  // ended.
  if (!interrupted.aborted) signal.throwIfAborted();
}

/**
 * Prints the dashboard's address, the API token and the path of the logs. Records the server's address and
 * the token in a file, for other programs.
 * @param code one-time code that signs a browser in to the dashboard
 */
async function describeKeptDemo(demo: KeptDemo, code: string, terminal: Terminal) {
  await announceDemo(demo);
  const { folder, server, token } = demo;
  const lines = [
    `Dashboard  ${paint(`${server}/#code=${code}`, "cyan", terminal.colour)}`,
    `API token  ${token}`,
    `Logs       ${join(folder, "*.log")}`,
  ];
  terminal.write(`\n${lines.join("\n")}\n\nRunning until Ctrl-C, which also removes the folder\n`);
}
