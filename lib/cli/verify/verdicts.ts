import { plainText } from "../../util/plain-text.ts";
import { CHECKSUMS_FILE } from "../checksums.ts";
import { countFiles } from "../terminal/set-counts.ts";
import { paint } from "../terminal/terminal.ts";
import type { CheckedFile, Verdict } from "./checked-file.ts";

/** The maximum number of line numbers that the summary lists. */
const MAX_BAD_LINES = 10;

const VERDICT_TEXTS: Record<Exclude<Verdict, "ok" | "removed">, string> = {
  altered: "altered: it is not what was downloaded",
  not_original: `as it was downloaded, but ${CHECKSUMS_FILE} has another sum`,
  not_as_listed: "as it was written, but the server lists other files or checksums",
  missing: "missing: it was downloaded, and is not there",
  unknown: "unknown: no download on record has this name",
  unreadable: "cannot be read: look at what it is, and who owns it",
};

/** Returns the verdict on a file as lines for a terminal. A problem has a line of its own. */
export function verdictLines({ path, verdict, files }: CheckedFile, coloured: boolean): string[] {
  const name = plainText(path);
  const count = files === undefined ? "" : `  ${paint(countFiles(files), "dim", coloured)}`;
  if (verdict === "ok") return [`${paint("✓", "green", coloured)} ${name}${count}`];
  // Removed files are only counted in the summary, as there may be very many.
  if (verdict === "removed") return [];
  return [
    `${paint("✗", "red", coloured)} ${name}`,
    `    ${paint(VERDICT_TEXTS[verdict], "red", coloured)}`,
  ];
}

/** Reports whether a file has a problem that a user has to look at. */
export function isWrong({ verdict }: CheckedFile): boolean {
  return verdict !== "ok" && verdict !== "removed";
}

/** Returns the number of files without a problem, including files of sets. */
export function countRight(files: CheckedFile[]): number {
  const right = files.filter(({ verdict }) => verdict === "ok");
  return right.reduce((sum, file) => sum + (file.files ?? 1), 0);
}

/**
 * Returns a summary of the verification in one sentence.
 * @param badLines line numbers in `checksumsFile`, counted from 1, of lines that were not understood
 */
export function verdictSummary(
  files: CheckedFile[],
  badLines: number[],
  checksumsFile: string,
): string {
  const wrong = files.filter(isWrong).length;
  const removed = files.filter(({ verdict }) => verdict === "removed").length;
  const presentCount = countRight(files) + wrong;
  const count = countFiles(presentCount);
  const result = wrong === 0 ? `${count} verified` : `${wrong} of ${count} not as it should be`;
  return [
    presentCount === 0 ? "there is no downloaded file to verify" : result,
    ...(removed === 0 ? [] : [`${removed} removed`]),
    ...(badLines.length === 0 ? [] : [badLinesSummary(badLines, checksumsFile)]),
  ].join(", ");
}

function badLinesSummary(badLines: number[], checksumsFile: string): string {
  const numbers = badLines.slice(0, MAX_BAD_LINES).join(", ");
  const more = badLines.length > MAX_BAD_LINES ? ", …" : "";
  const [lines, are] = badLines.length === 1 ? ["line", "is"] : ["lines", "are"];
  return `${lines} ${numbers}${more} of ${checksumsFile} ${are} not understood, and not compared`;
}

/** Returns the checksums of a file as lines for a terminal, with differences in red. */
export function sumLines(file: CheckedFile, coloured: boolean): string[] {
  // A removed file has no checksum to compare.
  if (file.verdict === "removed") return [];
  return [
    ...comparisonLines(file.original_md5 ?? file.recorded_md5, coloured, [
      ["on disk ", file.md5],
      ["recorded", file.recorded_md5],
      ["original", file.original_md5],
    ]),
    ...comparisonLines(file.recorded_sha256, coloured, [
      ["on disk ", file.sha256],
      ["recorded", file.recorded_sha256],
    ]),
  ];
}

function comparisonLines(
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
