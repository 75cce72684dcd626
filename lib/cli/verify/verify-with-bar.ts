import { Progress } from "../terminal/progress.ts";
import type { Terminal } from "../terminal/terminal.ts";
import type { CheckedFile } from "./checked-file.ts";
import { type VerificationOptions, verifyDownloads } from "./verification.ts";

/** Verifies the folder of downloads, and shows a progress bar. */
export async function verifyWithBar(
  options: Omit<VerificationOptions, "onProgress">,
  terminal: Terminal,
): Promise<CheckedFile[]> {
  const progress = new Progress(terminal);
  const bar = { label: "reading", bytesPerSecond: null, etaSeconds: null, note: null };
  try {
    return await verifyDownloads({
      ...options,
      onProgress: (done, total) =>
        progress.set("", { ...bar, done, total, tone: done === total ? "good" : "active" }),
    });
  } finally {
    progress.stop();
  }
}
