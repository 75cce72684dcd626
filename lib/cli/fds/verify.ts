import { resolve } from "node:path";
import { CHECKSUMS_FILE, parseChecksums, readChecksums } from "../checksums.ts";
import { tabbed } from "../terminal/listing.ts";
import { Failure } from "../program.ts";
import { paint, renderText } from "../terminal/terminal.ts";
import { countRight, isWrong, sumLines, verdictLines, verdictSummary } from "../verify/verdicts.ts";
import type { CheckedFile } from "../verify/checked-file.ts";
import { downloadsDirOf } from "../saved-path.ts";
import { verifyWithBar } from "../verify/verify-with-bar.ts";
import { type Command, type CommandContext, print } from "./command.ts";

/** The command `fds verify`, which compares saved files with their checksums. */
export const verify: Command = {
  words: "",
  wordCount: [0, 0],
  summary: "compares every file in downloads/ with its checksum",
  flags: {
    "downloads-dir": { type: "string" },
    checksums: { type: "string" },
    "ignore-missing": { type: "boolean" },
  },
  flagsHelp: `  --downloads-dir FOLDER, DOWNLOADS_DIR
      the server's folder of downloads, as this machine sees it (default: ./downloads)
  --checksums FILE
      sums of the originals, as md5sum writes them (default: ./${CHECKSUMS_FILE}, if it is there)
  --ignore-missing
      a file that was removed or moved away is no failure`,
  notes: `Each file is compared with the record of its download, and with the sum of its original where
that is known. Fails where a file is altered, missing, or of no download on record, and
where a line of the sums is not understood. What the server or choice 11 of the guide removed is not missing.
A set has one verdict for all its files that are right, and one for each other file; its .md5 is
compared with its record, and with what the server lists.
In a pipe: verdict, checksum on disk, the recorded one, MD5 of the original and path, with tabs between;
behind the path of a set, how many of its files are right.`,
  examples: ["verify", "verify --json | jq '.files[] | select(.verdict != \"ok\")'"],
  async run(context) {
    const checksumsFile = String(context.values["checksums"] ?? CHECKSUMS_FILE);
    const folder = String(context.values["downloads-dir"] ?? downloadsDirOf(context.env));
    const { files, badLines } = await check(context, folder, checksumsFile);
    const wrong = files.filter(isWrong);
    const isFine = wrong.length === 0 && badLines.length === 0;
    const summary = verdictSummary(files, badLines, checksumsFile);
    const removed = files.filter(({ verdict }) => verdict === "removed").length;
    const verified = countRight(files);
    print(context, {
      value: { files, verified, wrong: wrong.length, removed, strange_lines: badLines },
      shown: (coloured) => [
        ...files.flatMap((file) => [
          ...verdictLines(file, coloured),
          ...(isWrong(file) ? sumLines(file, coloured) : []),
        ]),
        renderText({ text: `All of this is in ${resolve(folder)}`, colour: "dim" }, coloured),
        ...(isFine ? [paint(summary, "bold", coloured)] : []),
      ],
      raw: () =>
        files.map((file) =>
          tabbed([
            file.verdict,
            file.recorded_sha256 === null ? file.md5 : file.sha256,
            file.recorded_sha256 ?? file.recorded_md5,
            file.original_md5,
            file.path,
            ...(file.files === undefined ? [] : [file.files]),
          ]),
        ),
    });
    if (!isFine) throw new Failure(summary);
  },
};

async function check(
  { api, values, err, interruptions }: CommandContext,
  downloadsDir: string,
  checksumsFile: string,
) {
  if (values["checksums"] !== undefined && !(await Bun.file(checksumsFile).exists())) {
    throw new Failure(`pass another file as --checksums: there is no "${checksumsFile}"`);
  }
  const { sums, badLines } = parseChecksums(await readChecksums(checksumsFile));
  const files: CheckedFile[] = await verifyWithBar(
    { api, downloadsDir, sums, signal: interruptions.signal },
    err,
  );
  const isIgnored = ({ verdict }: CheckedFile) => verdict === "missing" && values["ignore-missing"];
  return { files: files.filter((file) => !isIgnored(file)), badLines };
}
