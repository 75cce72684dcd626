import { resolve } from "node:path";
import { digestOf } from "../../api/checksums.ts";
import type { DownloadRecord } from "../../api/schemas.ts";
import { plainText } from "../../util/plain-text.ts";
import { formatSize } from "../../util/sizes.ts";
import type { Refused } from "../rest/follow.ts";
import { downloadsDirOf, savedFolderOf, savedPathOf } from "../saved-path.ts";
import { tabbed } from "../terminal/listing.ts";
import { reasonOf, resultLine, resultLines, secondsOf } from "../terminal/pull-result.ts";
import { paint, someOf } from "../terminal/terminal.ts";
import { type CommandContext, print } from "./command.ts";

/** What came of `fds pull`. */
export interface PullResults {
  /** Each with its terminal status. */
  records: DownloadRecord[];
  refused: Refused[];
  /** With `--all`: clients that were not asked, as they are not connected. */
  leftOut: string[];
}

/** Why something of it did not arrive, a text for each. */
export function problemsOf({ records, refused }: PullResults): string[] {
  return [
    ...refused.map(({ clientId, error }) => `${clientId}: ${error.message}`),
    ...records
      .filter(({ status }) => status !== "completed")
      .map((record) => `${record.client_id}: ${reasonOf(record)}`),
  ];
}

/** Writes what came of one download. @param path where the file was saved here; null: nowhere */
export function printOne(
  context: CommandContext,
  [record]: DownloadRecord[],
  path: string | null,
): void {
  if (!record) return;
  const local_path = path === null ? null : resolve(path);
  const savedPath = savedPathOf(record, downloadsDirOf(context.env));
  print(context, {
    value: { ...record, ...(local_path !== null && { local_path }) },
    shown: (coloured) => [
      ...(record.status === "completed" ? resultLines(record, savedPath, coloured) : []),
      ...(local_path === null
        ? []
        : [`${paint("✓", "green", coloured)} ${plainText(local_path)}  verified`]),
    ],
    raw: () => [rawLine(record)],
  });
}

/** Writes what came of the downloads of all clients: a line for each, and one for the whole. */
export function printAll(context: CommandContext, results: PullResults): void {
  const { records, refused, leftOut } = results;
  const isFine = problemsOf(results).length === 0;
  print(context, {
    value: {
      downloads: records,
      refused: refused.map(({ clientId, error: { message, code } }) => ({
        client_id: clientId,
        error: message,
        code,
      })),
      left_out: leftOut,
    },
    shown: (coloured) => [
      ...records.map((record) => resultLine(record, coloured)),
      ...refused.map(
        ({ clientId, error }) =>
          `${paint("✗", "red", coloured)} ${clientId}  ${plainText(error.message)}`,
      ),
      ...(isFine ? [paint(closingLine(results, context), "bold", coloured)] : []),
    ],
    raw: () => records.map(rawLine),
  });
}

/** The whole of it in one sentence, with the reasons where they were not shown yet. */
export function closingLine(
  results: PullResults,
  { env, out, json }: Pick<CommandContext, "env" | "out" | "json">,
): string {
  const { records, refused, leftOut } = results;
  const arrived = records.filter(({ status }) => status === "completed");
  const [first] = arrived;
  const problems = problemsOf(results);
  const reasons = out.live && !json ? [] : [someOf(problems, "; ")];
  return [
    `${arrived.length} of ${records.length + refused.length} files verified`,
    ...(first ? [sumOf(arrived), `saved in ${savedFolderOf(first, downloadsDirOf(env))}`] : []),
    ...(leftOut.length > 0 ? [`${leftOut.length} not connected and left out`] : []),
    ...(problems.length > 0 ? [`${problems.length} did not arrive`, ...reasons] : []),
  ].join(", ");
}

/** `85.8 MiB in 2.1 s at 40.2 MiB/s` */
function sumOf(records: DownloadRecord[]): string {
  const bytes = records.reduce((sum, { total_size }) => sum + (total_size ?? 0), 0);
  const seconds = secondsOf(
    records.map(({ started_at }) => started_at),
    records.map(({ completed_at }) => completed_at),
  );
  return `${formatSize(bytes)} in ${seconds.toFixed(1)} s at ${formatSize(bytes / seconds)}/s`;
}

function rawLine(record: DownloadRecord): string {
  const { status, client_id, download_id, total_size, saved_path } = record;
  return tabbed([status, client_id, download_id, total_size, digestOf(record), saved_path]);
}
