import { DEFAULT_FILE, type DownloadRecord, type NewDownload } from "../../api/schemas.ts";
import { hasDates } from "../../util/path-dates.ts";
import { plainText } from "../../util/plain-text.ts";
import { Failure } from "../program.ts";
import { follow, type StartedDownload, startDownloads } from "../rest/follow.ts";
import { STANDARD_OUTPUT } from "../rest/local-path.ts";
import { shortId } from "../terminal/download-listing.ts";
import { countFiles } from "../terminal/set-counts.ts";
import { cutStart, NAME_COLUMNS, paint } from "../terminal/terminal.ts";
import type { Command, CommandContext } from "./command.ts";
import { followToTheEnd } from "./pull-attended.ts";
import { readOutput, saveFile, saveFiles } from "./pull-output.ts";
import {
  CHOICE_FLAGS,
  CHOICE_FLAGS_HELP,
  isForMany,
  pullFromMany,
  refuseFlagsOfMany,
} from "./pull-job.ts";
import { readRequest } from "./pull-requests.ts";
import { printOne, problemsOf } from "./pull-results.ts";
import { SET_FLAGS, SET_FLAGS_HELP } from "./pull-set.ts";
import { printLacks } from "./pull-lacks.ts";

/** The command `fds pull`, which pulls files from clients. */
export const pull: Command = {
  words: "CLIENT [FILE…]",
  usage: "CLIENT [FILE | PATTERN…]",
  wordCount: [0, Infinity],
  summary: "brings files to the server, and here with -o",
  flags: {
    output: { type: "string", short: "o" },
    ...CHOICE_FLAGS,
    "if-offline": { type: "string" },
    checksum: { type: "string" },
    "rate-limit": { type: "string" },
    ...SET_FLAGS,
  },
  flagsHelp: `  FILE
      relative to a folder that the client serves, or absolute inside one
      (default: ${DEFAULT_FILE})
  PATTERN…
      a set, which is many files in one download: a folder, whose name ends in "/", a pattern
      (* ? [a-z] {a,b}, ** for any depth, \\ before a character that is meant as it is), or more
      than one word
  --output PATH, -o PATH
      also save the file here, under this name or in this folder; - is standard output. A set is
      saved in the folder PATH. Each file is verified, is fetched on where it broke off, and never
      overwrites another file
${CHOICE_FLAGS_HELP}
  --if-offline wait|fail
      what to do while the client is not connected (default: wait; of many: leave it out)
  --checksum md5|sha256
      what proves that each file arrived whole (default: md5)
  --rate-limit SIZE
      most bytes a second, such as 2MiB; fds limit changes it while it runs (default: no limit)
${SET_FLAGS_HELP}`,
  notes: `In FILE and PATTERN, {date} is today at the client (yyyy-MM-dd), {date:yyyyMMdd} the same in another
form (yyyy yy MM dd HH mm ss), {date-1d} and {date-1d:yyyyMMdd} the day before: 'sales-{date-1d}.csv'.

Quote patterns, or your shell expands them here. Files of a set that were skipped are listed with
their cause; they are no failure without --strict.

Many clients are asked by one job, see fds jobs. Ctrl-C asks whether to cancel the download or the
job; a second one leaves it running. It goes on at the
server whatever becomes of this program, and so does the watching when the server is restarted.

In a pipe: status, client, download, size, checksum and where the server saved it, relative to its
folder of downloads, with tabs between; of a set also how many files it has, and how many of them
were received, unchanged and skipped.`,
  examples: [
    "pull restaurant-001",
    "pull restaurant-001 logs/today.log -o ./today.log",
    "pull restaurant-001 logs/today.log -o - | grep ERROR",
    "pull restaurant-001 'exports/*.csv' logs/ -o ./restaurant-001",
    "pull --all --json",
    "pull -l region=west,tier!=test 'logs/*.log' --spread 10m --if-offline wait --expires-in 12h",
  ],
  run: (context) => (isForMany(context) ? pullFromMany(context) : pullFromOne(context)),
};

async function pullFromOne(context: CommandContext): Promise<void> {
  refuseFlagsOfMany(context);
  const request = readRequest(context);
  const outputPath = await readOutput(context, request);
  const { records, refused } = await startAndFollow(context, request);
  const completed = records.find(({ status }) => status === "completed");
  if (completed && (completed.kind === "set") !== "paths" in request) {
    throw new Failure("look at the server: it pulled something else than what was asked for");
  }
  const path = completed ? await datedOutput(context, completed, outputPath) : outputPath;
  const saved = path !== null && completed ? await save(context, completed, path) : null;
  // If the file goes to standard output, the result is written to standard error.
  const { out, err } = context;
  const resultContext = { ...context, out: path === STANDARD_OUTPUT ? err : out };
  for (const record of records) await printLacks(context, record);
  const hasPath = saved !== null && path !== STANDARD_OUTPUT;
  printOne(resultContext, records, hasPath ? { path: path ?? "", ...saved } : null);
  const [problem] = [...problemsOf({ records, refused, leftOut: [] }), ...(saved?.problems ?? [])];
  if (problem === undefined) return;
  throw refused[0]?.error.withPrefix(context.words[0] ?? "") ?? new Failure(problem);
}

/**
 * Returns the path on this machine for `-o`. If the requested file name contains `{date…}`, this path is
 * computed again, from the name of the file that was pulled.
 * @param outputPath the path that was computed before the pull; null where `-o` was not given
 */
async function datedOutput(
  context: CommandContext,
  { file_path, resolved_path }: DownloadRecord,
  outputPath: string | null,
): Promise<string | null> {
  if (file_path === null || resolved_path === null || !hasDates(file_path)) return outputPath;
  return readOutput(context, { file_path: resolved_path });
}

/**
 * Saves a pulled file or set on this machine.
 * @returns the counts of a set's files, which are null for a single file, and error messages
 */
async function save(context: CommandContext, record: DownloadRecord, path: string) {
  if (record.kind === "file") {
    await saveFile(context, record, path);
    return { files: null, problems: [] };
  }
  const files = await saveFiles(context, record, path);
  const { saved, present, failed, problems } = files;
  if (failed === 0) return { files, problems: [] };
  const count = `${failed} of ${countFiles(saved + present + failed)} not saved`;
  return { files, problems: [`${count}: ${problems.join("; ")}`] };
}

/** Requests the file or set, and follows the download to its end. */
async function startAndFollow(context: CommandContext, request: NewDownload) {
  const { api, err, interruptions } = context;
  const { started, refused } = await startDownloads(api, [request], interruptions.signal);
  const [one] = started;
  if (!one) return { records: [], refused };
  printStarted(context, one);
  const records = await followToTheEnd(context, {
    what: "the download",
    id: one.downloadId,
    follow: (options) => follow(api, started, err, options),
    cancel: () => api.cancel(one.downloadId),
  });
  return { records, refused };
}

/** Prints the id of a download. With the id, the download can be found even after this program has ended. */
function printStarted(
  { err }: CommandContext,
  { clientId, downloadId, message }: StartedDownload,
): void {
  const id = err.live ? shortId(downloadId) : downloadId;
  const name = err.live ? cutStart(clientId, NAME_COLUMNS) : clientId;
  const text = `${name}  ${id}  ${plainText(message)}`;
  const line = err.live ? Bun.sliceAnsi(text, 0, err.columns(), "…") : text;
  err.write(`${paint(line, "dim", err.colour)}\n`);
}
