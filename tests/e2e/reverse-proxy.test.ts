import { afterAll, beforeAll, describe, expect, setDefaultTimeout, test } from "bun:test";
import { once } from "node:events";
import { readFileSync } from "node:fs";
import { connect } from "node:net";
import { join } from "node:path";
import type { Browser } from "playwright-core";
import { DownloadAccepted } from "../../lib/api/schemas.ts";
import { launchBrowser, NO_BROWSER } from "../support/browser.ts";
import { Dashboard } from "../support/dashboard.ts";
import { codeBlocks, section } from "../support/markdown.ts";
import { Nginx, NO_NGINX } from "../support/nginx.ts";
import { runProgram } from "../support/operator.ts";
import { md5OfFile, type Version, writeRandom } from "../support/sources.ts";
import { API_TOKEN, System } from "../support/system.ts";
import { TEST_LIMIT, waitFor } from "../support/wait.ts";

/*
 * The server behind nginx, configured as lib/server/README.md says: at the root of a host, and below a path.
 */

setDefaultTimeout(TEST_LIMIT);

const PAGE = readFileSync(join(import.meta.dir, "../../lib/server/README.md"), "utf8");
const [AT_ROOT = "", BELOW = ""] = codeBlocks(section(PAGE, "Behind a reverse proxy"), "nginx");
const SIZE = 64 * 1024 * 1024;

describe.skipIf(NO_NGINX !== "").each([
  ["at the root of a host", "/", () => AT_ROOT],
  // The second example of the page shows "…" for the lines that it has in common with the first.
  ["below a path", "/fds/", () => BELOW.replace("…", AT_ROOT.split("\n").slice(2, -2).join("\n"))],
])(`behind nginx, %s${NO_NGINX}`, (_, path, configOf) => {
  let system: System;
  let nginx: Nginx;
  let url: string;
  let wanted: Version;
  let downloadId: string;

  beforeAll(async () => {
    system = await System.start({ TRUSTED_PROXIES: "127.0.0.0/8" });
    nginx = await Nginx.start(configOf().replace("127.0.0.1:8080", `127.0.0.1:${system.port}`));
    url = nginx.url + path;
    wanted = await writeRandom(system.source("large.bin"), SIZE);
    await system.startClient({ server: url });
    downloadId = await system.pull("large.bin");
    await system.expectDelivered(await system.ended(downloadId), wanted);
  });
  afterAll(async () => {
    await nginx?.[Symbol.asyncDispose]();
    await system?.[Symbol.asyncDispose]();
  });

  const headers = { Authorization: `Bearer ${API_TOKEN}` };

  test("a new download is where the answer says", async () => {
    const body = JSON.stringify({ client_id: "site-1", file_path: "missing.bin" });
    let call = `${url}api/download`;
    for (const asked of [body, undefined]) {
      const answer = await fetch(call, { method: "POST", headers, body: asked });
      const { download_id } = DownloadAccepted.parse(await answer.json());
      const place = new URL(answer.headers.get("Location") ?? "", call).href;
      expect(place).toBe(`${url}api/downloads/${download_id}`);
      expect((await fetch(place, { headers })).status).toBe(200);
      await system.ended(download_id);
      call = `${place}/retry`;
    }
  });

  test("fds pulls and saves", async () => {
    const flags = ["pull", "site-1", "large.bin", "--server", url, "-o", "saved.bin"];
    const { exitCode, stderr } = await runProgram(system, ["fds", ...flags]);
    expect([exitCode, stderr]).toEqual([0, expect.any(String)]);
    expect(await md5OfFile(join(system.folder, "saved.bin"))).toBe(wanted.md5);
  });

  test("a large file comes as fast as it is taken, and is kept nowhere on the way", async () => {
    const socket = connect(nginx.port, "127.0.0.1");
    const head = [`GET ${path}api/downloads/${downloadId}/content HTTP/1.1`, "Host: 127.0.0.1"];
    const lines = [...head, `Authorization: ${headers.Authorization}`, "Connection: close"];
    socket.write(`${lines.join("\r\n")}\r\n\r\n`);
    let bytes = 0;
    socket.on("data", (part) => {
      bytes += part.length;
      // Reads more slowly than the server sends, so that a buffering proxy would have to store the rest.
      socket.pause();
      setTimeout(() => socket.resume(), 1);
    });
    await once(socket, "close");
    expect(bytes).toBeGreaterThan(SIZE);
    expect(await nginx.log()).not.toContain("buffered to a temporary file");
  });

  describe.skipIf(NO_BROWSER !== "")(`the page${NO_BROWSER}`, () => {
    let browser: Browser;
    beforeAll(async () => {
      browser = await launchBrowser();
    });
    afterAll(() => browser?.close());

    test("is live, saves a file, and signs out", async () => {
      await Dashboard.visit(browser, url.replace(/\/$/, ""), async (dashboard) => {
        const { page } = dashboard;
        await dashboard.signIn();
        const [saving] = await Promise.all([
          page.waitForEvent("download"),
          dashboard.row(downloadId).getByRole("link", { name: /^Save/ }).click(),
        ]);
        expect(await md5OfFile(await saving.path())).toBe(wanted.md5);
        const [cookie] = await page.context().cookies(`${url}api/session`);
        expect(cookie).toMatchObject({ path: `${path}api`, httpOnly: true, sameSite: "Strict" });
        // The cookie's path keeps it from other applications on the same host.
        expect(await page.context().cookies(nginx.url)).toEqual([]);
        await dashboard.signOut();
        await waitFor(
          async () => (await page.context().cookies(`${url}api/session`)).length === 0,
          "the cookie to be gone",
        );
      });
    });
  });
});
