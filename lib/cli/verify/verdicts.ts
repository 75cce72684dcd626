import { plainText } from "../../util/plain-text.ts";
import { CHECKSUMS_FILE } from "../checksums.ts";
import { countFiles } from "../terminal/set-counts.ts";
import { paint } from "../terminal/terminal.ts";
import type { CheckedFile, Verdict } from "./checked-file.ts";

/** Most line numbers in a sentence. */
const MAX_STRANGE = 10;

const WORDS: Record<Exclude<Verdict, "ok" | "removed">, string> = {
  altered: "altered: it is not what was downloaded",
  not_original: `as it was downloaded, but ${CHECKSUMS_FILE} has another sum`,
  not_as_listed: "as it was written, but the server lists other files or checksums",
  missing: "missing: it was downloaded, and is not there",
  unknown: "unknown: no download on record has this name",
  unreadable: "cannot be read: look at what it is, and who owns it",
};

/** The verdict on a file, for a person; problems have a line of their own. */
export function verdictLines({ path, verdict, files }: CheckedFile, coloured: boolean): string[] {
  const name = plainText(path);
  const count = files === undefined ? "" : `  ${paint(countFiles(files), "dim", coloured)}`;
  if (verdict === "ok") return [`${paint("✓", "green", coloured)} ${name}${count}`];
  // Nothing to look at, and there may be very many: the summary counts them.
  if (verdict === "removed") return [];
  return [
    `${paint("✗", "red", coloured)} ${name}`,
    `    ${paint(WORDS[verdict], "red", coloured)}`,
  ];
}

/** Whether a person has to do something about a file. */
export function isWrong({ verdict }: CheckedFile): boolean {
  return verdict !== "ok" && verdict !== "removed";
}

/** Number of files without a problem. */
export function countRight(files: CheckedFile[]): number {
  const right = files.filter(({ verdict }) => verdict === "ok");
  return right.reduce((sum, file) => sum + (file.files ?? 1), 0);
}

/**
 * A summary in one sentence.
 * @param strange numbers of lines in the checksums' file that were not understood
 */
export function verdictSummary(
  files: CheckedFile[],
  strange: number[],
  checksumsFile: string,
): string {
  const wrong = files.filter(isWrong).length;
  const removed = files.filter(({ verdict }) => verdict === "removed").length;
  const there = countRight(files) + wrong;
  const count = countFiles(there);
  const judged = wrong === 0 ? `${count} verified` : `${wrong} of ${count} not as it should be`;
  return [
    there === 0 ? "there is no downloaded file to verify" : judged,
    ...(removed === 0 ? [] : [`${removed} removed`]),
    ...(strange.length === 0 ? [] : [strangeSummary(strange, checksumsFile)]),
  ].join(", ");
}

function strangeSummary(strange: number[], checksumsFile: string): string {
  const numbers = strange.slice(0, MAX_STRANGE).join(", ");
  const more = strange.length > MAX_STRANGE ? ", …" : "";
  const [lines, are] = strange.length === 1 ? ["line", "is"] : ["lines", "are"];
  return `${lines} ${numbers}${more} of ${checksumsFile} ${are} not understood, and not compared`;
}

/** The sums of a file below each other, if there is something to compare. */
export function sumLines(file: CheckedFile, coloured: boolean): string[] {
  // A removed file has nothing to compare.
  if (file.verdict === "removed") return [];
  return [
    ...compared(file.original_md5 ?? file.recorded_md5, coloured, [
      ["on disk ", file.md5],
      ["recorded", file.recorded_md5],
      ["original", file.original_md5],
    ]),
    ...compared(file.recorded_sha256, coloured, [
      ["on disk ", file.sha256],
      ["recorded", file.recorded_sha256],
    ]),
  ];
}

function compared(
  right: string | null,
  coloured: boolean,
  sums: [name: string, digest: string | null][],
): string[] {
  return sums.flatMap(([name, digest]) => {
    if (digest === null) return [];
    const isRight = right === null || digest === right;
    return `    ${paint(name, "dim", coloured)}  ${isRight ? digest : paint(digest, "red", coloured)}`;
  });
}
