import { afterAll, beforeAll, expect } from "bun:test";
import { mkdir, utimes, writeFile } from "node:fs/promises";
import { join } from "node:path";
import type { DownloadRecord } from "../../lib/api/schemas.ts";
import type { SetFileRecord } from "../../lib/api/sets.ts";
import { spawnSync } from "./spawn.ts";
import { API_TOKEN, System } from "./system.ts";

export let system: System;
/** The folder that the client serves. */
export let root: string;

/** Calls the REST interface: POST if there is a body, else GET. */
export async function call(path: string, body?: object) {
  const response = await fetch(`${system.url}${path}`, {
    ...(body && { method: "POST", body: JSON.stringify(body) }),
    headers: { Authorization: `Bearer ${API_TOKEN}`, "Content-Type": "application/json" },
  });
  return { status: response.status, body: (await response.json()) as Record<string, never> };
}

/** Starts the download of a set, and waits until it has ended. */
export async function pull(fields: object): Promise<DownloadRecord> {
  const { status, body } = await call("/api/download", { client_id: "site-1", ...fields });
  expect([status, body["error"]]).toEqual([202, undefined]);
  return system.ended(body["download_id"]!);
}

/** Returns the REST records of the files of a set. */
export async function filesOf(
  { download_id }: DownloadRecord,
  query = "",
): Promise<SetFileRecord[]> {
  const { body } = await call(`/api/downloads/${download_id}/files?limit=1000&${query}`);
  return (body as unknown as { files: SetFileRecord[] }).files;
}

/** Requests the content of a download. */
export const content = (record: DownloadRecord, query = "", method = "GET") =>
  fetch(`${system.url}/api/downloads/${record.download_id}/content${query}`, {
    method,
    headers: { Authorization: `Bearer ${API_TOKEN}` },
  });

/** Runs a command in the folder of the client's published files, and returns its output. */
export function inFolder(...argv: string[]): string {
  const run = spawnSync(argv, { cwd: join(system.folder, "downloads/site-1") });
  return run.stdout.toString() + run.stderr.toString();
}

/** Before a file's tests, starts a server and a client with a tree of test files. */
export function useSets(): void {
  beforeAll(async () => {
    system = await System.start();
    root = join(system.folder, "root");
    await mkdir(join(root, "logs/deep/er"), { recursive: true });
    await mkdir(join(root, "logs/empty"));
    for (let n = 0; n < 60; n++) {
      await writeFile(join(root, "logs", `day-${n}.log`), `day ${n}\n`.repeat(n));
    }
    await writeFile(join(root, "logs/deep/large.bin"), Buffer.alloc(3_000_000, "large"));
    await writeFile(join(root, "logs/deep/er/empty.txt"), "");
    await writeFile(join(root, "logs/.hidden"), "hidden");
    await utimes(join(root, "logs/day-5.log"), 1_700_000_000, 1_700_000_000);
    await writeFile(join(root, "sales_1.csv"), "1");
    await writeFile(join(root, "sales_2.csv"), "22");
    await writeFile(join(root, "server.key"), "secret");
    await system.startClient();
  });

  afterAll(() => system[Symbol.asyncDispose]());
}
