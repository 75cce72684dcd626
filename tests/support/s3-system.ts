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
 * A real server and real clients, with the files in a fake S3, and the rows in Postgres where there is one;
 * disposal ends all of it.
 */
export class S3System implements AsyncDisposable {
  private constructor(
    readonly s3: FakeS3,
    readonly system: System,
  ) {}

  /** @param env settings of the server; with a `DATABASE_URL` its rows are there */
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

  /** Asks REST for something. */
  ask(path: string, headers: Record<string, string> = {}): Promise<Response> {
    const own = { Authorization: `Bearer ${API_TOKEN}` };
    return fetch(this.system.url + path, { headers: { ...own, ...headers } });
  }

  /** The bytes of a published file, or of one in a set. */
  stored(savedPath: string): Uint8Array<ArrayBuffer> | null {
    return this.s3.objects.get(PREFIX + savedPath)?.bytes ?? null;
  }

  /** Paths of all that is published. */
  get published(): string[] {
    const keys = this.s3.keys.map((key) => key.slice(PREFIX.length));
    return keys.filter((key) => !key.startsWith(".server/"));
  }

  /** Keys of the pieces of all that is under way. */
  get pieces(): string[] {
    return this.s3.keys.filter((key) => key.startsWith(`${PREFIX}.server/parts/`));
  }

  /** That a download is completed, and that its object is the file that was wanted. */
  expectDelivered(record: DownloadRecord, { size, md5 }: Version): void {
    expect(record).toMatchObject({ status: "completed", bytes_received: size, md5, error: null });
    const stored = this.stored(record.saved_path ?? "");
    expect([stored?.length, md5OfBytes(stored ?? new Uint8Array())]).toEqual([size, md5]);
  }

  /** That nothing is under way: what has ended goes just after its record says so. */
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
