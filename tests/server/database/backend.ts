import { afterEach, beforeEach } from "bun:test";
import type { Repository } from "../../../lib/server/database/repository.ts";
import type { Download } from "../../../lib/server/download.ts";
import { queued } from "./samples.ts";

/** One database that begins empty, and whoever opens it. */
export interface Backend {
  /** Again for each program that uses it; the caller closes what it opened. */
  open(): Promise<Repository>;
  remove(): Promise<void>;
}

/**
 * Opens a new database twice for each test, as two programs that share the rows do, and removes it.
 * @param onOpen called before each test with what the two see, which nobody else closes, and the database
 */
export function openedTwice(
  makeBackend: () => Promise<Backend>,
  onOpen: (rows: Repository, others: Repository, backend: Backend) => void,
): void {
  let backend: Backend;
  let opened: Repository[] = [];
  beforeEach(async () => {
    backend = await makeBackend();
    const [rows, others] = [await backend.open(), await backend.open()];
    opened = [rows, others];
    onOpen(rows, others, backend);
  });
  afterEach(async () => {
    for (const one of opened) await one.close();
    await backend.remove();
  });
}

/** Writes a download in any state. @returns it with its revision */
export async function putDownload<T extends Download>(rows: Repository, download: T): Promise<T> {
  const { downloadId, clientId } = download;
  const { revision } = await rows.insertDownload({ ...queued(0), downloadId, clientId });
  const written = await rows.replaceDownload({ ...download, revision });
  if (!written) throw new Error("the row was changed by another");
  return written;
}
