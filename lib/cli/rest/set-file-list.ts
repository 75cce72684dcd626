import { MAX_PAGE } from "../../api/page-limit.ts";
import {
  MAX_SET_FILES,
  type SetFileList,
  type SetFileRecord,
  type SetFileStatus,
} from "../../api/sets.ts";
import { pause } from "../pause.ts";
import { Failure } from "../program.ts";
import type { ApiClient } from "./api-client.ts";
import { isTransient } from "./api-errors.ts";

/** Wait between two tries to reach an unreachable server, in ms. */
const RETRY_INTERVAL = 500;

export interface SetFileListOptions {
  status?: SetFileStatus;
  signal: AbortSignal;
  /** Time that the server may be unreachable before the listing fails, in ms. */
  patience?: number;
}

/**
 * Yields the files of a set, page by page, in the order of the manifest.
 * @throws Failure where the server lists more files than a set can have
 * @throws errors of {@link ApiClient}; an unreachable or busy server is called again for up to `patience` ms
 */
export async function* setFilePages(
  api: ApiClient,
  downloadId: string,
  { status, signal, patience = 0 }: SetFileListOptions,
): AsyncGenerator<SetFileRecord[]> {
  const query = { limit: String(MAX_PAGE), ...(status && { status }) };
  let count = 0;
  for (let cursor: string | null = null; ;) {
    const from = cursor === null ? {} : { cursor };
    const page: SetFileList = await retryWhileUnreachable(
      () => api.setFiles(downloadId, { ...query, ...from }, signal),
      patience,
      signal,
    );
    count += page.files.length;
    const isEndless = page.files.length === 0 && page.next_cursor !== null;
    if (isEndless || count > MAX_SET_FILES) {
      throw new Failure("look at the server: it lists more files than a set can have");
    }
    yield page.files;
    if (page.next_cursor === null) return;
    cursor = page.next_cursor;
  }
}

/** Repeats a call while the server is unreachable or busy, for up to `patience` ms. */
async function retryWhileUnreachable<T>(
  call: () => Promise<T>,
  patience: number,
  signal: AbortSignal,
): Promise<T> {
  for (const since = performance.now(); ;) {
    try {
      return await call();
    } catch (error) {
      if (!isTransient(error) || performance.now() - since >= patience) throw error;
      await pause(RETRY_INTERVAL, signal);
    }
  }
}
