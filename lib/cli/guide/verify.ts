import { parseChecksums, readChecksums } from "../checksums.ts";
import { paint } from "../terminal/terminal.ts";
import { isWrong, sumLines, verdictLines, verdictSummary } from "../verify/verdicts.ts";
import { verifyWithBar } from "../verify/verify-with-bar.ts";
import { cutToScreen } from "./fitting.ts";
import { type GuideContext, tell } from "./guide.ts";

/**
 * Choice 8 of the menu: reads every downloaded file again, and shows its checksums beside the expected ones.
 */
export async function verifyFiles(context: GuideContext): Promise<void> {
  const { target, out, signal } = context;
  const { api, downloadsDir, checksumsFile } = target;
  const { sums, badLines } = parseChecksums(await readChecksums(checksumsFile));
  const files = await verifyWithBar({ api, downloadsDir, sums, signal }, out);
  // Wrong files are listed last, directly before the summary.
  const inOrder = files.toSorted((a, b) => Number(isWrong(a)) - Number(isWrong(b)));
  const lines = inOrder.flatMap((file) => [
    ...verdictLines(file, out.colour),
    ...sumLines(file, out.colour),
  ]);
  const isFine = badLines.length === 0 && !files.some(isWrong);
  const summary = paint(
    verdictSummary(files, badLines, checksumsFile),
    isFine ? "green" : "red",
    out.colour,
  );
  tell(context, ...cutToScreen([...lines, "", summary], out, "end", "bun run fds verify"));
}
