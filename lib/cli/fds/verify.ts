import { CHECKSUMS_FILE, parseChecksums, readChecksums } from "../checksums.ts";
import { tabbed } from "../terminal/listing.ts";
import { Failure } from "../program.ts";
import { paint } from "../terminal/terminal.ts";
import { sumLines, verdictLines, verdictSummary } from "../verify/verdicts.ts";
import type { CheckedFile } from "../verify/verification.ts";
import { verifyWithBar } from "../verify/verify-with-bar.ts";
import { type Command, type CommandContext, print } from "./command.ts";

/** `fds verify` */
export const verify: Command = {
  words: "",
  count: [0, 0],
  summary: "reads every file in downloads/ again and compares its checksum",
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
that is known. Fails where a file is altered, missing, or of no download on record.
In a pipe: verdict, checksum on disk, the recorded one, MD5 of the original and path, with tabs between.`,
  examples: ["verify", "verify --json | jq '.files[] | select(.verdict != \"ok\")'"],
  async run(context) {
    const files = await check(context);
    const wrong = files.filter(({ verdict }) => verdict !== "ok");
    print(context, {
      value: { files, verified: files.length - wrong.length, wrong: wrong.length },
      shown: (coloured) => [
        ...files.flatMap((file) => [
          ...verdictLines(file, coloured),
          ...(file.verdict === "ok" ? [] : sumLines(file, coloured)),
        ]),
        ...(wrong.length > 0 ? [] : [paint(verdictSummary(files), "bold", coloured)]),
      ],
      raw: () =>
        files.map((file) =>
          tabbed([
            file.verdict,
            file.recorded_sha256 === null ? file.md5 : file.sha256,
            file.recorded_sha256 ?? file.recorded_md5,
            file.original_md5,
            file.path,
          ]),
        ),
    });
    if (wrong.length > 0) throw new Failure(verdictSummary(files));
  },
};

async function check({ api, values, env, err, interruptions }: CommandContext) {
  const sumsFile = values["checksums"];
  if (sumsFile !== undefined && !(await Bun.file(String(sumsFile)).exists())) {
    throw new Failure(`pass another file as --checksums: there is no "${String(sumsFile)}"`);
  }
  const files: CheckedFile[] = await verifyWithBar(
    {
      api,
      downloadsDir: String(values["downloads-dir"] ?? (env["DOWNLOADS_DIR"] || "downloads")),
      sums: parseChecksums(await readChecksums(String(sumsFile ?? CHECKSUMS_FILE))),
      signal: interruptions.signal,
    },
    err,
  );
  return files.filter(({ verdict }) => verdict !== "missing" || !values["ignore-missing"]);
}
