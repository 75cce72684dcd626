import { nameOfDownload } from "../../api/download-name.ts";
import type { DownloadRecord } from "../../api/schemas.ts";
import { UsageError } from "../../util/flags.ts";
import { formatSize } from "../../util/sizes.ts";
import { findDownloadId } from "../rest/download-id.ts";
import { DOWNLOAD_FIELDS } from "../terminal/download-listing.ts";
import { Input } from "../terminal/input.ts";
import { countFiles } from "../terminal/set-counts.ts";
import { Failure } from "../program.ts";
import type { Command, CommandContext } from "./command.ts";
import { printDone } from "./listing.ts";

/** The command `fds rm`, which removes the content of a download. */
export const rm: Command = {
  words: "ID",
  wordCount: [1, 1],
  summary: "removes the content of a download, not its record",
  flags: { yes: { type: "boolean" } },
  flagsHelp: `  --yes
      ask nothing (default: it asks first, and a script, which nobody can answer for, has to say it)`,
  notes: `What is held stays, see "fds release". Of a set all files go; what a later set shares with it stays
there. It cannot be undone: fds pull brings the file again, if the site still has it.`,
  examples: ["rm 0198c0de-7f00", "rm 0198c0de-7f00 --yes"],
  async run(context) {
    const { api, words, values, interactive, interruptions } = context;
    const [text = ""] = words;
    const isSure = values["yes"] === true;
    if (!isSure && !interactive) {
      throw new UsageError(
        "--yes is missing, expected it where nobody can be asked: fds rm ID --yes",
      );
    }
    const downloadId = await findDownloadId(api, text, interruptions.signal);
    const before = isSure ? null : await api.download(downloadId, interruptions.signal);
    // Confirmation is needed only if the server would remove the content.
    if (before && isStored(before) && !before.hold) await confirm(context, before);
    const record = await api.removeContent(downloadId, interruptions.signal);
    printDone(context, record, DOWNLOAD_FIELDS, `removed ${downloadId}`);
  },
};

function isStored({ status, removed_at }: DownloadRecord): boolean {
  return status === "completed" && removed_at === null;
}

/** Asks the user to confirm the removal. @throws Failure unless the user confirms */
async function confirm({ err, interruptions }: CommandContext, record: DownloadRecord) {
  using input = new Input(process.stdin, err);
  const { kind, client_id, total_size, files_total } = record;
  const size = formatSize(total_size ?? 0);
  const what = kind === "set" ? `${countFiles(files_total ?? 0)}, ${size}` : size;
  const question = `Remove ${nameOfDownload(record)} of ${client_id} (${what}) from the server?`;
  if (await input.confirm(question, interruptions.signal)) return;
  throw new Failure("nothing was removed");
}
