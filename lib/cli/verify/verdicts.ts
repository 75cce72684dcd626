import { plainText } from "../../util/plain-text.ts";
import { CHECKSUMS_FILE } from "../checksums.ts";
import { paint } from "../terminal/terminal.ts";
import type { CheckedFile, Verdict } from "./verification.ts";

const WORDS: Record<Exclude<Verdict, "ok">, string> = {
  altered: "altered: it is not what was downloaded",
  not_original: `as it was downloaded, but ${CHECKSUMS_FILE} has another sum`,
  missing: "missing: it was downloaded, and is not there",
  unknown: "unknown: no download on record has this name",
  unreadable: "cannot be read: look at who owns it",
};

/** The verdict on a file, for a person; what is wrong with it has a line of its own. */
export function verdictLines({ path, verdict }: CheckedFile, coloured: boolean): string[] {
  const name = plainText(path);
  if (verdict === "ok") return [`${paint("✓", "green", coloured)} ${name}`];
  return [
    `${paint("✗", "red", coloured)} ${name}`,
    `    ${paint(WORDS[verdict], "red", coloured)}`,
  ];
}

/** The whole of it in one sentence. */
export function verdictSummary(files: CheckedFile[]): string {
  const wrong = files.filter(({ verdict }) => verdict !== "ok").length;
  const count = files.length === 1 ? "1 file" : `${files.length} files`;
  if (files.length === 0) return "there is no downloaded file to verify";
  return wrong === 0 ? `${count} verified` : `${wrong} of ${count} not as it should be`;
}

/** The sums of a file below each other, where there is something to compare. */
export function sumLines(file: CheckedFile, coloured: boolean): string[] {
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
