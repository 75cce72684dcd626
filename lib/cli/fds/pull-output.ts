import type { DownloadRecord, NewDownload } from "../../api/schemas.ts";
import { UsageError } from "../../util/flags.ts";
import { stdout } from "../../util/output.ts";
import { PATIENCE_MS } from "../rest/follow.ts";
import { localFolder, localPath, STANDARD_OUTPUT } from "../rest/local-path.ts";
import { saveContent, streamContent } from "../rest/save-content.ts";
import { type SavedFiles, saveSet } from "../rest/save-set.ts";
import { storedFileOf } from "../rest/stored-file.ts";
import { Progress } from "../terminal/progress.ts";
import type { CommandContext } from "./command.ts";

/**
 * Reads `-o`, the path on this machine where `fds pull` saves the file or set.
 * @returns a path, {@link STANDARD_OUTPUT}, or null where `-o` was not given
 * @throws UsageError for `-o -` with a set, with `--json`, or where standard output is a terminal
 * @throws Failure where the file or set cannot be saved at the path
 */
export async function readOutput(
  { values, json }: CommandContext,
  { file_path = "", paths }: Pick<NewDownload, "file_path" | "paths">,
): Promise<string | null> {
  const output = values["output"];
  if (output === undefined) return null;
  if (paths && output === STANDARD_OUTPUT) {
    throw new UsageError('--output is "-", expected a folder for many files');
  }
  if (paths) return localFolder(String(output));
  if (output !== STANDARD_OUTPUT) return localPath(String(output), file_path);
  if (json) throw new UsageError('--output is "-", expected a path, as --json writes there too');
  if (stdout.isTTY) {
    throw new UsageError('--output is "-", expected a pipe or a file there, not a terminal');
  }
  return STANDARD_OUTPUT;
}

/**
 * Saves the file of a completed download on this machine, with a progress bar.
 * @param path a file, or {@link STANDARD_OUTPUT}
 */
export async function saveFile(
  context: CommandContext,
  record: DownloadRecord,
  path: string,
): Promise<void> {
  const { api, err } = context;
  const progress = new Progress(err);
  const bar = { ...BAR, total: record.total_size };
  const options = {
    ...optionsOf(context),
    onProgress: (done: number) =>
      progress.set(path, { ...bar, done, note: "saving", tone: "active" }),
  };
  const file = storedFileOf(record);
  const fetchFile = async () => {
    if (path !== STANDARD_OUTPUT) return saveContent(api, file, path, options);
    await streamContent(api, file, stdout, options);
    return true;
  };
  try {
    const note = (await fetchFile()) ? "saved" : "was there";
    progress.set(path, { ...bar, done: record.total_size ?? 0, note, tone: "good" });
  } finally {
    progress.stop();
  }
}

/** Saves the files of a completed set on this machine, with a progress bar. */
export async function saveFiles(
  context: CommandContext,
  record: DownloadRecord,
  folder: string,
): Promise<SavedFiles> {
  const { api, err } = context;
  const progress = new Progress(err);
  const count = (record.files_received ?? 0) + (record.files_unchanged ?? 0);
  const show = ({ saved, present, failed, bytes }: SavedFiles, hasEnded: boolean) => {
    const done = saved + present + failed;
    const files = { done, total: count };
    // The record's size excludes unchanged files. With such files, the total is unknown until the end.
    const total = record.files_unchanged === 0 ? record.total_size : hasEnded ? bytes : null;
    const note = failed > 0 ? `${failed} failed` : hasEnded ? "saved" : "saving";
    const tone = failed > 0 ? "bad" : hasEnded ? "good" : "active";
    progress.set(folder, { ...BAR, done: bytes, total, share: done / count, files, note, tone });
  };
  try {
    const onProgress = (files: SavedFiles) => show(files, false);
    const saved = await saveSet(api, record, folder, { ...optionsOf(context), onProgress });
    if (count > 0) show(saved, true);
    return saved;
  } finally {
    progress.stop();
  }
}

const BAR = { label: "saving", bytesPerSecond: null, etaSeconds: null };

function optionsOf({ interruptions }: CommandContext) {
  return { signal: interruptions.signal, patience: PATIENCE_MS };
}
