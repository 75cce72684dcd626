import { afterEach, beforeEach } from "bun:test";
import type { Repository } from "../../../lib/server/database/repository.ts";
import type { Download } from "../../../lib/server/download.ts";
import { queued } from "./samples.ts";

/** A database that begins empty, and the function that opens it. */
export interface Backend {
  /** Opens the database. Called once for each program that uses it. The caller closes the repository. */
  open(): Promise<Repository>;
  remove(): Promise<void>;
}

/**
 * Opens a new database twice for each test, as two programs that share the rows do, and removes it
 * afterwards.
 * @param onOpen called before each test with both repositories, which are closed after the test, and the
 * database
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

/** Writes a download in any state. @returns the download with its new revision */
export async function putDownload<T extends Download>(rows: Repository, download: T): Promise<T> {
  const { downloadId, clientId } = download;
  const { revision } = await rows.insertDownload({ ...queued(0), downloadId, clientId });
  const written = await rows.replaceDownload({ ...download, revision });
  if (!written) throw new Error("the row was changed by another");
  return written;
}
