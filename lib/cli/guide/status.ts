import type { DownloadRecord } from "../../api/schemas.ts";
import { plainText } from "../../util/plain-text.ts";
import { downloadFields } from "../terminal/download-fields.ts";
import { findDownloadId } from "../rest/download-id.ts";
import { savedPathOf } from "../saved-path.ts";
import { nameShown, statusShown } from "../terminal/download-listing.ts";
import { cutStart, renderText, type Terminal } from "../terminal/terminal.ts";
import { formatAge } from "../terminal/times.ts";
import { type GuideContext, pick, tell } from "./guide.ts";

/** The number of latest downloads from which the user can choose. */
const MAX_OFFERED = "9";

/** The minimum number of terminal columns in which a file can be recognized by the end of its name. */
const MIN_NAME_COLUMNS = 8;

/** Choice 7 of the menu: shows all fields of a download that the user picks. */
export async function checkStatus(context: GuideContext): Promise<void> {
  const { target, out, signal } = context;
  const { downloads } = await target.api.downloads({ limit: MAX_OFFERED }, signal);
  if (downloads.length === 0) return tell(context, "No downloads yet, choices 3 to 6 make some");
  tell(context, ...downloads.map((download, index) => offerLine(download, index + 1, out)));
  const question = `Which one? 1-${downloads.length}, an id, or Enter for none: `;
  const picked = await pick(context, question, downloads);
  if (picked === null) return;
  const id =
    typeof picked === "string"
      ? await findDownloadId(target.api, picked, signal)
      : picked.download_id;
  const record = await target.api.download(id, signal);
  const savedPath = savedPathOf(record, target.downloadsDir);
  tell(context, "", ...downloadFields(record, savedPath, out.colour));
}

/** Returns a line that describes a download. Only the end of a long file name is shown. */
function offerLine(download: DownloadRecord, number: number, out: Terminal): string {
  const { client_id, status, created_at, error_code } = download;
  const state = renderText(statusShown(status), out.colour);
  const why = error_code === null ? "" : ` (${error_code})`;
  const line = `  ${number}  ${client_id}  ${state}${why}  ${formatAge(created_at)}  `;
  const room = out.live ? out.columns() - Bun.stringWidth(line) : Infinity;
  return room < MIN_NAME_COLUMNS
    ? line.trimEnd()
    : line + cutStart(plainText(nameShown(download)), room);
}
