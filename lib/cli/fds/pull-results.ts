import { resolve } from "node:path";
import { digestOf } from "../../api/checksums.ts";
import type { JobRecord } from "../../api/jobs.ts";
import type { DownloadRecord } from "../../api/schemas.ts";
import { plainText } from "../../util/plain-text.ts";
import { formatSize } from "../../util/sizes.ts";
import type { RefusedDownload } from "../rest/follow.ts";
import type { SavedFiles } from "../rest/save-set.ts";
import { downloadsDirOf, savedFolderOf, savedPathOf } from "../saved-path.ts";
import { tabbed } from "../terminal/listing.ts";
import { reasonOf, resultLine, resultLines, secondsOf } from "../terminal/pull-result.ts";
import { countFiles } from "../terminal/set-counts.ts";
import { joinFirst, paint } from "../terminal/terminal.ts";
import { type CommandContext, print } from "./command.ts";

/** The maximum number of downloads that a terminal lists. With more downloads, only failures are listed. */
const MAX_SHOWN = 100;

/** The result of `fds pull`. */
export interface PullResults {
  /** The final records of all downloads. */
  records: DownloadRecord[];
  refused: RefusedDownload[];
  /** Ids of clients that were not asked, as they were not connected. Empty in a pull from one client. */
  leftOut: string[];
  /** The job of a pull from many clients. Undefined in a pull from one client. */
  job?: JobRecord;
}

/** Returns a text for each client from which nothing arrived, with the reason. */
export function problemsOf({ records, refused }: PullResults): string[] {
  return [
    ...refused.map(({ clientId, error }) => `${clientId}: ${error.message}`),
    ...records
      .filter(({ status }) => status !== "completed")
      .map((record) => `${record.client_id}: ${reasonOf(record)}${hintOf(record)}`),
  ];
}

/** Returns advice to append to an error message. Empty where there is none. */
function hintOf({ error_code, file_path }: DownloadRecord): string {
  if (error_code !== "not_a_regular_file") return "";
  return `; of a folder, pull "${plainText(file_path ?? "")}/"`;
}

/** A file or set that `-o` saved on this machine. */
export interface LocalCopy {
  path: string;
  /** Counts of the set's files; null for a single file. */
  files: SavedFiles | null;
}

/**
 * Prints the result of one download.
 * @param copy the file or set saved on this machine; null without `-o`
 */
export function printOne(
  context: CommandContext,
  [record]: DownloadRecord[],
  copy: LocalCopy | null,
): void {
  if (!record) return;
  const savedPath = savedPathOf(record, downloadsDirOf(context.env));
  print(context, {
    value: { ...record, ...(copy && localFields(copy)) },
    shown: (coloured) => [
      ...(record.status === "completed" ? resultLines(record, savedPath, coloured) : []),
      ...(copy ? [localLine(copy, coloured)] : []),
    ],
    raw: () => [rawLine(record)],
  });
}

/** Returns the fields that `--json` adds for the copy on this machine. */
function localFields({ path, files }: LocalCopy) {
  const local_path = resolve(path);
  if (files === null) return { local_path };
  const { saved, present, failed } = files;
  return { local_path, local_files: { saved, present, failed } };
}

function localLine({ path, files }: LocalCopy, coloured: boolean): string {
  const isWhole = !files || files.failed === 0;
  const sign = isWhole ? paint("✓", "green", coloured) : paint("✗", "red", coloured);
  const counts = files
    ? [
        `${countFiles(files.saved)} saved`,
        ...(files.present > 0 ? [`${files.present} there already`] : []),
        ...(files.failed > 0 ? [`${files.failed} not saved`] : []),
      ]
    : [];
  return `${sign} ${plainText(resolve(path))}  ${[...counts, ...(isWhole ? ["verified"] : [])].join(", ")}`;
}

/** Prints the results of all clients: a line for each, and a summary. */
export function printAll(context: CommandContext, results: PullResults): void {
  const { records, refused, leftOut, job } = results;
  const isFine = problemsOf(results).length === 0;
  // With very many downloads, a terminal lists only the failures.
  const shownRecords =
    records.length > MAX_SHOWN ? records.filter(({ status }) => status !== "completed") : records;
  print(context, {
    value: {
      ...(job && { job }),
      downloads: records,
      refused: refused.map(({ clientId, error: { message, code } }) => ({
        client_id: clientId,
        error: message,
        code,
      })),
      left_out: leftOut,
    },
    shown: (coloured) => [
      ...shownRecords.map((record) => resultLine(record, coloured)),
      ...refused.map(
        ({ clientId, error }) =>
          `${paint("✗", "red", coloured)} ${clientId}  ${plainText(error.message)}`,
      ),
      ...(isFine ? [paint(closingLine(results, context), "bold", coloured)] : []),
    ],
    raw: () => records.map(rawLine),
  });
}

/**
 * Returns a summary of all downloads in one sentence. The reasons of failures are omitted where they were
 * printed already.
 */
export function closingLine(
  results: PullResults,
  { env, out, json }: Pick<CommandContext, "env" | "out" | "json">,
): string {
  const { records, refused, leftOut } = results;
  const arrived = records.filter(({ status }) => status === "completed");
  const [first] = arrived;
  const problems = problemsOf(results);
  const reasons = out.live && !json ? [] : [joinFirst(problems, "; ")];
  return [
    `${arrived.length} of ${records.length + refused.length} ${nounOf(records)} verified`,
    ...(first
      ? [totalsText(arrived), `saved in ${savedFolderOf(first, downloadsDirOf(env))}`]
      : []),
    ...(leftOut.length > 0 ? [`${leftOut.length} not connected and left out`] : []),
    ...(problems.length > 0 ? [`${problems.length} did not arrive`, ...reasons] : []),
  ].join(", ");
}

function nounOf(records: DownloadRecord[]): string {
  return records.some(({ kind }) => kind === "set") ? "sets" : "files";
}

/** Returns the total size, time and rate of downloads: `85.8 MiB in 2.1 s at 40.2 MiB/s`. */
function totalsText(records: DownloadRecord[]): string {
  const bytes = records.reduce((sum, { total_size }) => sum + (total_size ?? 0), 0);
  const seconds = secondsOf(
    records.map(({ started_at }) => started_at),
    records.map(({ completed_at }) => completed_at),
  );
  return `${formatSize(bytes)} in ${seconds.toFixed(1)} s at ${formatSize(bytes / seconds)}/s`;
}

function rawLine(record: DownloadRecord): string {
  const { kind, status, client_id, download_id, total_size, saved_path } = record;
  const fields = [status, client_id, download_id, total_size, digestOf(record), saved_path];
  if (kind === "file") return tabbed(fields);
  const { files_total, files_received, files_unchanged, files_skipped } = record;
  return tabbed([...fields, files_total, files_received, files_unchanged, files_skipped]);
}
