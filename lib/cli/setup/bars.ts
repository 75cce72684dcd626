import { Progress } from "../terminal/progress.ts";
import type { Terminal } from "../terminal/terminal.ts";
import { makeTestFiles, type TestFile, type TestFileOptions } from "./test-files.ts";

/** Makes test files as {@link makeTestFiles} does, with a progress bar for each. */
export async function makeTestFilesWithBars(
  options: Omit<TestFileOptions, "onProgress">,
  terminal: Terminal,
): Promise<TestFile[]> {
  const progress = new Progress(terminal);
  const startedAt = new Map<string, number>();
  try {
    return await makeTestFiles({
      ...options,
      onProgress: (clientId, step, bytes) => {
        const key = `${clientId} ${step}`;
        const start = startedAt.get(key) ?? performance.now();
        startedAt.set(key, start);
        const seconds = (performance.now() - start) / 1000;
        // A rate that is measured over less than 0.1 s would not be reliable.
        const rate = seconds > 0.1 ? bytes / seconds : null;
        const hasEnded = bytes === options.size;
        progress.set(clientId, {
          label: clientId,
          done: bytes,
          total: options.size,
          bytesPerSecond: rate,
          etaSeconds: rate === null ? null : (options.size - bytes) / rate,
          note: hasEnded ? { checking: "checked", making: "made" }[step] : null,
          tone: hasEnded ? "good" : "active",
        });
      },
    });
  } finally {
    progress.stop();
  }
}
