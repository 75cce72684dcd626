import type { DownloadRecord } from "../../api/schemas.ts";
import { UsageError } from "../../util/flags.ts";
import { stdout } from "../../util/output.ts";
import { PATIENCE_MS } from "../rest/follow.ts";
import { localPath, STANDARD_OUTPUT } from "../rest/local-path.ts";
import { saveContent, streamContent } from "../rest/save-content.ts";
import { Progress } from "../terminal/progress.ts";
import type { CommandContext } from "./command.ts";

/**
 * Reads `-o`: where `fds pull` saves the file on this machine.
 * @param filePath the file as its client knows it
 * @returns a path, {@link STANDARD_OUTPUT}, or null: nowhere
 * @throws UsageError, Failure before anything is pulled
 */
export async function readOutput(
  { values, json }: CommandContext,
  filePath: string,
): Promise<string | null> {
  const output = values["output"];
  if (output === undefined) return null;
  if (output !== STANDARD_OUTPUT) return localPath(String(output), filePath);
  if (json) throw new UsageError('--output is "-", expected a path, as --json writes there too');
  if (stdout.isTTY) {
    throw new UsageError('--output is "-", expected a pipe or a file there, not a terminal');
  }
  return STANDARD_OUTPUT;
}

/** Brings the file of a completed download here, under a bar of its own. @param path or `-` */
export async function save(
  { api, err, interruptions }: CommandContext,
  record: DownloadRecord,
  path: string,
): Promise<void> {
  const progress = new Progress(err);
  const bar = {
    label: "saving",
    total: record.total_size,
    bytesPerSecond: null,
    etaSeconds: null,
  };
  const options = {
    signal: interruptions.signal,
    patience: PATIENCE_MS,
    onProgress: (done: number) =>
      progress.set(path, { ...bar, done, note: "saving", tone: "active" }),
  };
  const bring = async () => {
    if (path !== STANDARD_OUTPUT) return saveContent(api, record, path, options);
    await streamContent(api, record, stdout, options);
    return true;
  };
  try {
    const note = (await bring()) ? "saved" : "was there";
    progress.set(path, { ...bar, done: record.total_size ?? 0, note, tone: "good" });
  } finally {
    progress.stop();
  }
}
