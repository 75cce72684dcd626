import { afterEach, beforeEach } from "bun:test";
import type { Repository } from "../../../lib/server/database/repository.ts";

/** One database that begins empty, and whoever opens it. */
export interface Backend {
  /** Again for each program that uses it; the caller closes what it opened. */
  open(): Promise<Repository>;
  remove(): Promise<void>;
}

/**
 * Opens a new database twice for each test, as two programs that share the rows do, and removes it.
 * @param onOpen called before each test with what the two see; nobody else closes it
 */
export function openedTwice(
  makeBackend: () => Promise<Backend>,
  onOpen: (rows: Repository, others: Repository) => void,
): void {
  let backend: Backend;
  let opened: Repository[] = [];
  beforeEach(async () => {
    backend = await makeBackend();
    const [rows, others] = [await backend.open(), await backend.open()];
    opened = [rows, others];
    onOpen(rows, others);
  });
  afterEach(async () => {
    for (const one of opened) await one.close();
    await backend.remove();
  });
}
