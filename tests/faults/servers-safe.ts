import { expect } from "bun:test";
import { readdir } from "node:fs/promises";
import { join } from "node:path";
import type { HeldRow } from "../support/history.ts";
import { md5OfBytes, md5OfFile } from "../support/sources.ts";
import { waitFor } from "../support/wait.ts";
import type { ServersStage } from "./servers-stage.ts";

/**
 * Expects invariant B: the bytes that rows call durable are stored, and equal the source's.
 * @param ids of downloads whose sources do not change
 */
export async function expectSafe(stage: ServersStage, ids: readonly string[]): Promise<void> {
  for (const id of ids) {
    // A row that changed during the check is checked again, as its bytes may have moved meanwhile.
    await waitFor(async () => {
      const [row] = await stage.history.rows([id]);
      if (!row || (await isSafe(stage, row))) return true;
      const [again] = await stage.history.rows([id]);
      if (!Bun.deepEquals(row, again)) return false;
      throw new Error(`not all that is safe is there: ${JSON.stringify(row)}`);
    }, "a row that stays as it is");
  }
}

async function isSafe(stage: ServersStage, row: HeldRow): Promise<boolean> {
  if (row.status !== "queued" && row.status !== "downloading" && row.status !== "verifying") {
    return true;
  }
  return row.is_set ? isSetSafe(stage, row) : isFileSafe(stage, row);
}

async function isFileSafe(
  stage: ServersStage,
  { download_id, file_path, safe_offset, saved_path }: HeldRow,
): Promise<boolean> {
  // Parts in a bucket are not checked, because some of their bytes are in an incomplete upload, which
  // cannot be read. The server verifies a part when its download continues.
  if (safe_offset === 0 || stage.shared === "bucket") return true;
  const source = await md5OfPrefix(stage.group.source(file_path ?? ""), safe_offset);
  expect(source).not.toBeNull();
  const published = saved_path === null ? [] : [join(stage.files, saved_path)];
  const paths = [...(await partsOf(stage, download_id, ".part")), ...published];
  const stored = await Promise.all(paths.map((path) => md5OfPrefix(path, safe_offset)));
  return stored.includes(source);
}

async function isSetSafe(
  stage: ServersStage,
  { download_id, saved_path }: HeldRow,
): Promise<boolean> {
  const folders =
    stage.shared === "bucket"
      ? []
      : (await partsOf(stage, download_id, ".set")).concat(
          saved_path === null ? [] : join(stage.files, saved_path),
        );
  for (const { place, digest } of await stage.history.files(download_id)) {
    const there =
      stage.shared === "bucket"
        ? stage.s3.keys
            .filter(
              (key) =>
                key === `${saved_path}/${place}` ||
                (key.startsWith(`.server/sets/${download_id}/`) && key.endsWith(`/${place}`)),
            )
            .map((key) => md5OfBytes(stage.s3.objects.get(key)?.bytes ?? new Uint8Array()))
        : await Promise.all(
            folders.map((folder) => md5OfFile(join(folder, place)).catch(() => null)),
          );
    if (!there.includes(digest)) return false;
  }
  return true;
}

async function partsOf(stage: ServersStage, downloadId: string, suffix: string): Promise<string[]> {
  const folder = join(stage.files, ".server/parts");
  const names = await readdir(folder);
  return names
    .filter((name) => name.startsWith(downloadId) && name.endsWith(suffix))
    .map((name) => join(folder, name));
}

/** Returns the MD5 of a file's first bytes. @returns null if the file is shorter */
async function md5OfPrefix(path: string, length: number): Promise<string | null> {
  const bytes = await Bun.file(path)
    .slice(0, length)
    .bytes()
    .catch(() => new Uint8Array());
  return bytes.length < length ? null : md5OfBytes(bytes);
}
