import { describe, expect, setDefaultTimeout, test } from "bun:test";
import { copyFile, mkdtemp, rm, writeFile } from "node:fs/promises";
import { once } from "node:events";
import { connect } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { connect as connectTls } from "node:tls";
import { Authority, openssl } from "../support/certificates.ts";
import { Proxy } from "../support/proxy.ts";
import { upgradeRequest } from "../support/raw-websocket.ts";
import { REGISTER, ScriptedClient } from "../support/scripted-client.ts";
import { writeRandom } from "../support/sources.ts";
import { API_TOKEN, ENROLL_TOKEN, System } from "../support/system.ts";
import { TEST_LIMIT, waitFor } from "../support/wait.ts";

setDefaultTimeout(TEST_LIMIT);

/* Limits that protect a server whose port anybody can reach, tested from outside. */

/** Sends bytes that no HTTP library would send. @returns all that the server answers */
async function raw(port: number, request: string): Promise<string> {
  const socket = connect(port, "127.0.0.1");
  socket.end(request);
  let answer = "";
  socket.on("data", (data) => (answer += data));
  await once(socket, "close");
  return answer;
}

describe("quotas", () => {
  test("a client's: the next file waits until one is removed, others go on", async () => {
    await using system = await System.start({ QUOTA_PER_CLIENT: "1MiB" });
    await system.startClient();
    await system.startClient({ id: "site-2" });
    const wanted = await writeRandom(system.source("a.bin"), 700_000);
    const first = await system.ended(await system.pull("a.bin"));
    const waiting = await system.pull("a.bin");
    const record = await waitFor(async () => {
      const now = await system.api.download(waiting);
      return now.error_code !== null && now;
    }, "the quota to be told");
    expect(record).toMatchObject({
      status: "queued",
      error_code: "storage_full",
      error: expect.stringMatching(/^the quota of "site-1" is too small: 683\.6 KiB of 1\.0 MiB/),
    });
    await system.expectDelivered(await system.ended(await system.pull("a.bin", "site-2")), wanted);
    await rm(join(system.folder, "downloads", first.saved_path ?? ""));
    // The server checks the quota again every 5 s, so the start of the waiting download may take that long.
    await system.expectDelivered(await system.ended(waiting), wanted);
  });

  test("a file over the largest size fails before its first byte", async () => {
    await using system = await System.start({ MAX_FILE_SIZE: "1MiB" });
    await using proxy = await Proxy.listen(system.port);
    await system.startClient({ server: proxy.url });
    await writeRandom(system.source("large.bin"), 4 * 1024 * 1024);
    expect(await system.ended(await system.pull("large.bin"))).toMatchObject({
      status: "failed",
      error_code: "storage_full",
      error: "the file has 4.0 MiB, the most is 1.0 MiB",
    });
    await system.expectNoParts();
  });
});

describe("requests", () => {
  const get = (system: System, token: string) =>
    fetch(`${system.url}/api/clients`, { headers: { Authorization: `Bearer ${token}` } });

  test("that come too fast wait, those of others do not", async () => {
    await using system = await System.start({ REQUEST_RATE: "1" });
    const { token } = await system.api.createToken({ name: "other", role: "viewer" });
    const limited = await waitFor(async () => {
      const answer = await get(system, API_TOKEN);
      return answer.status === 429 && answer;
    }, "an answer that says wait");
    expect(await limited.json()).toEqual({
      error: expect.stringMatching(/^Wait 1 s, too many requests came$/),
      code: "rate_limited",
    });
    expect(limited.headers.get("Retry-After")).toBe("1");
    expect((await get(system, token)).status).toBe(200);
    const guessed = await Promise.all(Array.from({ length: 9 }, () => get(system, "wrong")));
    expect(new Set(guessed.map(({ status }) => status))).toEqual(new Set([401, 429]));
  });

  test("with two Host headers are refused", async () => {
    await using system = await System.start();
    for (const path of ["/health", "/ws"]) {
      for (const second of ["Host: evil.example", "Host: 127.0.0.1"]) {
        const lines = [`GET ${path} HTTP/1.1`, "Host: 127.0.0.1", second, "Connection: close"];
        const answer = await raw(system.port, `${lines.join("\r\n")}\r\n\r\n`);
        expect(answer).toStartWith("HTTP/1.1 400 ");
        expect(answer).toContain('"code":"invalid_request"');
      }
    }
  });
});

describe("a server without tokens", () => {
  test("is none for a page whose own name leads to it (DNS rebinding), by any door", async () => {
    await using system = await System.start({ API_TOKEN: "", ENROLL_TOKEN: "" });
    const send = (lines: string[]) => raw(system.port, `${lines.join("\r\n")}\r\n\r\n`);
    const upgrade = (lines: string[]) => raw(system.port, upgradeRequest(...lines));
    const foreign = `evil.example:${system.port}`;
    for (const host of [foreign, "127.0.0.1.evil.example", "evil.example"]) {
      const headers = [`Host: ${host}`, `Origin: http://${host}`];
      expect(await upgrade(headers)).toStartWith("HTTP/1.1 403 ");
      expect(await upgrade([`Host: ${host}`])).toStartWith("HTTP/1.1 403 ");
      for (const path of ["/", "/health", "/openapi.json", "/api/clients", "/metrics"]) {
        const answer = await send([`GET ${path} HTTP/1.1`, ...headers, "Connection: close"]);
        expect(answer, path).toStartWith("HTTP/1.1 403 ");
        expect(answer).toContain('"code":"forbidden"');
      }
    }
    const own = ["localhost", `127.0.0.1:${system.port}`, "[::1]"];
    for (const host of own) {
      const headers = [`Host: ${host}`, `Origin: http://${host}`];
      expect(await upgrade(headers)).toStartWith("HTTP/1.1 101 ");
      const answer = await send(["GET / HTTP/1.1", ...headers, "Connection: close"]);
      expect(answer).toStartWith("HTTP/1.1 200 ");
    }
  });

  test("is none for such a page where the token of the API alone is set", async () => {
    await using system = await System.start({ ENROLL_TOKEN: "" });
    const request = upgradeRequest("Host: evil.example", "Origin: http://evil.example");
    const answer = await raw(system.port, request);
    expect(answer).toStartWith("HTTP/1.1 403 ");
    expect(answer).toContain("Set ENROLL_TOKEN");
  });
});

describe("connections", () => {
  test("of one address are so many and no more; one that closes makes room", async () => {
    await using system = await System.start({ MAX_CONNECTIONS_PER_ADDRESS: "2" });
    const as = (n: number) => ({
      client_id: `site-${n}`,
      key: `key-${n}-of-the-client`,
      enroll_token: ENROLL_TOKEN,
    });
    await using first = await ScriptedClient.register(system.url, as(1));
    await using _ = await ScriptedClient.register(system.url, as(2));
    const refused = await fetch(`${system.url}/ws`, {
      headers: {
        Connection: "Upgrade",
        Upgrade: "websocket",
        "Sec-WebSocket-Version": "13",
        "Sec-WebSocket-Key": "dGhlIHNhbXBsZSBub25jZQ==",
      },
    });
    expect(refused.status).toBe(429);
    await first[Symbol.asyncDispose]();
    await using third = await waitFor(
      () => ScriptedClient.register(system.url, as(3)).catch(() => null),
      "room for another connection",
    );
    expect(third).toBeDefined();
  });

  test("through a trusted proxy have the address that it tells", async () => {
    await using trusting = await System.start({ TRUSTED_PROXIES: "127.0.0.0/8" });
    await using wary = await System.start();
    for (const [system, address] of [
      [trusting, "198.51.100.9"],
      [wary, "127.0.0.1"],
    ] as const) {
      const socket = new WebSocket(`${system.url.replace("http", "ws")}/ws`, {
        headers: { "X-Forwarded-For": "6.6.6.6, 198.51.100.9" },
      });
      await new Promise((resolve) => socket.addEventListener("open", resolve));
      socket.send(JSON.stringify({ ...REGISTER, enroll_token: ENROLL_TOKEN }));
      const found = await waitFor(async () => (await system.api.clients())[0], "the client");
      expect(found.remote_address).toBe(address);
      socket.close();
    }
  });
});

describe.skipIf(!openssl.isThere || process.platform === "win32")(
  openssl.isThere ? "SIGHUP (needs POSIX)" : `SIGHUP (${openssl.hint})`,
  () => {
    test("brings the new certificate in, and a transfer goes on", async () => {
      const folder = await mkdtemp(join(tmpdir(), "fds-reload-"));
      const authority = await Authority.make(folder, "authority");
      const [old, fresh] = [
        await authority.sign("old", "serverAuth"),
        await authority.sign("fresh", "serverAuth"),
      ];
      const used = { cert: join(folder, "used.crt"), key: join(folder, "used.key") };
      const use = async ({ cert, key }: typeof used) => {
        await copyFile(cert, used.cert);
        await copyFile(key, used.key);
      };
      await use(old);
      await using system = await System.start(
        { TLS_CERT: used.cert, TLS_KEY: used.key },
        { tls: { ca: authority.cert } },
      );
      const shown = () =>
        new Promise<string>((resolve, reject) => {
          const options = { host: "127.0.0.1", port: system.port, rejectUnauthorized: false };
          const socket = connectTls(options, () => {
            resolve(String(socket.getPeerCertificate().subject.CN));
            socket.destroy();
          }).on("error", reject);
        });
      expect(await shown()).toBe("old");
      await system.startClient({ env: { TLS_CA: authority.cert } });
      const wanted = await writeRandom(system.source("a.bin"), 8_000_000);
      const { download_id } = await system.api.startDownload({
        client_id: "site-1",
        file_path: "a.bin",
        rate_limit: 100_000,
      });
      await waitFor(
        async () => (await system.api.download(download_id)).bytes_received > 0,
        "bytes",
      );

      await use(fresh);
      system.server.signal("SIGHUP");
      await system.server.waitForLine(/reloaded after SIGHUP/);
      expect(await shown()).toBe("fresh");

      await writeFile(used.cert, "no certificate");
      system.server.signal("SIGHUP");
      await system.server.waitForLine(/not reloaded: .*check the PEM files/);
      expect(await shown()).toBe("fresh");

      await system.api.change(download_id, { rate_limit: null });
      const record = await system.ended(download_id);
      await system.expectDelivered(record, wanted);
      expect(record.attempts).toBe(1);
      await rm(folder, { recursive: true });
    });
  },
);
