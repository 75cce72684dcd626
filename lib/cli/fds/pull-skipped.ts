import type { DownloadRecord } from "../../api/schemas.ts";
import { plainName, plainText } from "../../util/plain-text.ts";
import { shortId } from "../terminal/download-listing.ts";
import { countFiles } from "../terminal/set-counts.ts";
import { paint } from "../terminal/terminal.ts";
import type { CommandContext } from "./command.ts";

/** Most skipped files that are listed. */
const MAX_NAMED = 5;

/** Prints which files of a completed set did not come, and why: the first few, and how to see all. */
export async function saySkipped(
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
