import { afterAll, beforeAll, describe, expect, setDefaultTimeout, test } from "bun:test";
import { join } from "node:path";
import { Proxy } from "../support/proxy.ts";
import { runProgram } from "../support/operator.ts";
import { writeRandom } from "../support/sources.ts";
import { API_TOKEN, System } from "../support/system.ts";
import { TEST_LIMIT } from "../support/wait.ts";

setDefaultTimeout(TEST_LIMIT);

const MiB = 1024 * 1024;

/** Downloads whose checksum is SHA-256 instead of MD5. */
describe("a file that is proven by SHA-256", () => {
  let system: System;
  let proxy: Proxy;

  beforeAll(async () => {
    system = await System.start();
    proxy = await Proxy.listen(system.port);
    await system.startClient({ server: proxy.url });
  });
  afterAll(async () => {
    await system[Symbol.asyncDispose]();
    await proxy[Symbol.asyncDispose]();
  });

  async function pull(name: string) {
    const { download_id } = await system.api.startDownload({
      client_id: "site-1",
      file_path: name,
      checksum: "sha256",
    });
    return download_id;
  }

  const sha256Of = async (path: string) =>
    new Bun.CryptoHasher("sha256").update(await Bun.file(path).bytes()).digest("hex");

  test("comes whole, and the record and the ETag say what proves it", async () => {
    await writeRandom(system.source("a.bin"), 3 * MiB + 1);
    const sha256 = await sha256Of(system.source("a.bin"));
    const record = await system.ended(await pull("a.bin"));
    expect(record).toMatchObject({ status: "completed", checksum: "sha256", sha256, md5: null });
    const saved = join(system.folder, "downloads", record.saved_path ?? "");
    expect(await sha256Of(saved)).toBe(sha256);
    const answer = await fetch(`${system.url}/api/downloads/${record.download_id}/content`, {
      method: "HEAD",
      headers: { Authorization: `Bearer ${API_TOKEN}` },
    });
    expect(answer.headers.get("ETag")).toBe(`"sha256:${sha256}"`);
  });

  test("goes on where it broke off, proven by the same", async () => {
    await writeRandom(system.source("b.bin"), 40 * MiB);
    const begun = proxy.carried.up;
    const broken = proxy.after("up", 30 * MiB, () => proxy.cut("rst"));
    const id = await pull("b.bin");
    await broken;
    const record = await system.ended(id);
    expect(record).toMatchObject({
      status: "completed",
      sha256: await sha256Of(system.source("b.bin")),
    });
    expect(record.attempts).toBeGreaterThan(1);
    expect(proxy.carried.up - begun).toBeLessThan(70 * MiB);
  });

  test("is verified by the command line, and an altered one is found", async () => {
    const fds = (...words: string[]) => runProgram(system, ["fds", ...words]);
    await writeRandom(system.source("c.bin"), MiB);
    const pulled = await fds("pull", "site-1", "c.bin", "--checksum", "sha256", "-o", "here.bin");
    expect(pulled.exitCode).toBe(0);
    expect(await sha256Of(join(system.folder, "here.bin"))).toBe(
      await sha256Of(system.source("c.bin")),
    );
    expect((await fds("verify")).exitCode).toBe(0);
    const [record] = (await system.api.downloads({ limit: "1" })).downloads;
    await Bun.write(join(system.folder, "downloads", record?.saved_path ?? ""), "something else");
    const found = await fds("verify");
    expect(found.exitCode).toBe(1);
    expect(found.stdout).toContain("altered");
  });
});
