import { expect } from "bun:test";
import type { DownloadRecord } from "../../lib/api/schemas.ts";
import { makeDatabase } from "./backend.ts";
import { FakeS3 } from "./fake-s3.ts";
import { NO_DATABASES } from "./postgres.ts";
import { settingsOf } from "./s3-settings.ts";
import { md5OfBytes, type Version } from "./sources.ts";
import { API_TOKEN, System, type SystemOptions } from "./system.ts";
import { waitFor } from "./wait.ts";

const PREFIX = "sites/";

/**
 * A real server and real clients with the files in a fake S3, and with Postgres as the database if it is
 * available. Disposal stops everything.
 */
export class S3System implements AsyncDisposable {
  private constructor(
    readonly s3: FakeS3,
    readonly system: System,
  ) {}

  /** Starts the fake S3 and the server. @param env settings of the server, which may name another database */
  static async start(
    env: Record<string, string> = {},
    options: SystemOptions = {},
  ): Promise<S3System> {
    const s3 = new FakeS3();
    try {
      const rows = NO_DATABASES === "" && !env["DATABASE_URL"];
      const own = {
        ...settingsOf(s3),
        STORAGE_URL: `s3://${s3.bucket}/${PREFIX}`,
        ...(rows && { DATABASE_URL: await makeDatabase() }),
      };
      return new S3System(s3, await System.start({ ...own, ...env }, options));
    } catch (error) {
      await s3[Symbol.asyncDispose]();
      throw error;
    }
  }

  /** Sends a GET request to the REST interface. */
  ask(path: string, headers: Record<string, string> = {}): Promise<Response> {
    const own = { Authorization: `Bearer ${API_TOKEN}` };
    return fetch(this.system.url + path, { headers: { ...own, ...headers } });
  }

  /** Returns the bytes of a published file. Null if S3 has no such object. */
  stored(savedPath: string): Uint8Array<ArrayBuffer> | null {
    return this.s3.objects.get(PREFIX + savedPath)?.bytes ?? null;
  }

  /** Paths of all published files. */
  get published(): string[] {
    const keys = this.s3.keys.map((key) => key.slice(PREFIX.length));
    return keys.filter((key) => !key.startsWith(".server/"));
  }

  /** Keys of the stored segments of unfinished downloads. */
  get pieces(): string[] {
    return this.s3.keys.filter((key) => key.startsWith(`${PREFIX}.server/parts/`));
  }

  /** Expects a completed download whose object in S3 has the right size and MD5. */
  expectDelivered(record: DownloadRecord, { size, md5 }: Version): void {
    expect(record).toMatchObject({ status: "completed", bytes_received: size, md5, error: null });
    const stored = this.stored(record.saved_path ?? "");
    expect([stored?.length, md5OfBytes(stored ?? new Uint8Array())]).toEqual([size, md5]);
  }

  /**
   * Waits until S3 holds nothing of unfinished downloads. Parts are removed shortly after a download has
   * ended.
   */
  async expectTidy(): Promise<void> {
    await waitFor(
      () => !this.s3.keys.some((key) => key.includes("/.server/")) && this.s3.uploads.size === 0,
      "what was under way to be removed",
    );
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.s3.comeBack();
    await this.system[Symbol.asyncDispose]();
    await this.s3[Symbol.asyncDispose]();
  }
}
