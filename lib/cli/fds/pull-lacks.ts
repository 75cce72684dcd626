import { lackOf } from "../../api/lack-of.ts";
import type { DownloadRecord } from "../../api/schemas.ts";
import { plainName, plainText } from "../../util/plain-text.ts";
import { shortId } from "../terminal/download-listing.ts";
import { countFiles } from "../terminal/set-counts.ts";
import { paint } from "../terminal/terminal.ts";
import type { CommandContext } from "./command.ts";

/** The maximum number of skipped files of a set that are listed. */
const MAX_NAMED = 5;

/** Prints what a completed set lacks: the patterns without a match, and the skipped files. */
export async function printLacks(context: CommandContext, record: DownloadRecord): Promise<void> {
  const { client_id, status, files_total } = record;
  const { err } = context;
  const lack = lackOf(record);
  // The result line of an empty set already says that nothing matches.
  if (status === "completed" && lack !== null && files_total !== 0) {
    const line = paint(`${client_id}: ${plainName(lack)}`, "yellow", err.colour);
    err.write(`${err.live ? Bun.sliceAnsi(line, 0, err.columns(), "…") : line}\n`);
  }
  await printSkipped(context, record);
}

/** Prints the first skipped files with their causes, and the command that lists all of them. */
async function printSkipped(
  { api, err, interruptions }: CommandContext,
  { download_id, client_id, status, files_skipped }: DownloadRecord,
): Promise<void> {
  if (status !== "completed" || !files_skipped) return;
  const query = { status: "skipped", limit: String(MAX_NAMED) } as const;
  const { files } = await api.setFiles(download_id, query, interruptions.signal);
  const id = err.live ? shortId(download_id) : download_id;
  const title = `${client_id}: ${countFiles(files_skipped)} skipped`;
  const lines = [
    paint(title, "yellow", err.colour),
    ...files.map(
      ({ path, error_code, error }) =>
        `  ${plainName(path)}  ${plainText(`${error_code}: ${error}`)}`,
    ),
    ...(files_skipped > files.length ? [`  … fds files ${id} --status skipped`] : []),
  ];
  const fitting = err.live
    ? lines.map((line) => Bun.sliceAnsi(line, 0, err.columns(), "…"))
    : lines;
  err.write(fitting.map((line) => `${line}\n`).join(""));
}
