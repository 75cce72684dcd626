import { describe, expect, setDefaultTimeout, test } from "bun:test";
import { rm } from "node:fs/promises";
import { join } from "node:path";
import {
  FILE,
  oneSiteAndOneAway,
  original,
  system,
  useCommandLine,
  waiting,
} from "../support/command-line.ts";
import { Screen } from "../support/operator.ts";
import { versionOf } from "../support/sources.ts";
import { TEST_LIMIT, waitFor } from "../support/wait.ts";

setDefaultTimeout(TEST_LIMIT);

/* The output of `fds` at a terminal, as a person sees it. */

useCommandLine(oneSiteAndOneAway);

const itPty = test.skipIf(process.platform === "win32");

describe("at a terminal (needs POSIX)", () => {
  itPty("Ctrl-C asks; No goes on, and Yes cancels", async () => {
    await using screen = new Screen(system, ["fds", "pull", "away"]);
    await screen.shows(/queued\s*\n/);
    await screen.pressCtrlC(/Cancel the download\?.+\[y\/N\]/);
    screen.type("n\n");
    await screen.shows(/queued\s*\n/);
    await screen.pressCtrlC(/Cancel the download\?.+\[y\/N\]/);
    screen.type("y\n");
    await screen.shows(/error: away: cancelled/);
    expect(await screen.ended()).toBe(1);
  });

  itPty("a second Ctrl-C leaves the download running", async () => {
    await using screen = new Screen(system, ["fds", "pull", "away"]);
    await screen.shows(/queued\s*\n/);
    await screen.pressCtrlC(/\[y\/N\]/);
    const said = await screen.pressCtrlC(/at the server: [\da-f-]{36}/);
    const id = said.slice(-36);
    expect(await screen.ended()).toBe(130);
    expect((await system.api.download(id)).status).toBe("queued");
    await system.api.cancel(id);
  });

  itPty("no file is written to it by -o -", async () => {
    await using screen = new Screen(system, ["fds", "pull", "site-1", "-o", "-"]);
    await screen.shows(/error: --output is "-", expected a pipe or a file there, not a terminal/);
    expect(await screen.ended()).toBe(2);
  });

  itPty("a list that goes on says how", async () => {
    await using screen = new Screen(system, ["fds", "downloads", "--limit", "1"]);
    await screen.shows(/\nThere are more: --cursor [\da-f-]{36}\n/);
  });

  itPty("fds pull --all shows one bar for all, and ends with one line", async () => {
    await using screen = new Screen(system, ["fds", "pull", "--all"]);
    await screen.shows(/1 of 2 clients is not connected and left out: away/);
    await screen.shows(/1 of 1 +━+ +100%.* completed/);
    await screen.shows(/✓ site-1\/\S+ +5.0 MiB\n/);
    const folder = join(system.folder, "downloads");
    const line = screen.shows(
      /1 of 1 files verified, 5.0 MiB in .+1 not connected and left out\n$/,
    );
    expect((await line).replaceAll("\n", "")).toContain(`saved in ${folder}`);
    expect(await screen.ended()).toBe(0);
  });

  itPty("fds verify says where the files are", async () => {
    await system.ended(await system.pull(FILE));
    await using screen = new Screen(system, ["fds", "verify"], { columns: 200 });
    const shown = await screen.shows(/All of this is in (\/.+)\n\d+ files? verified\n/);
    const [, folder = ""] = /is in (.+)\n/.exec(shown) ?? [];
    const [, path = ""] = /✓ (site-1\/.+)\n/.exec(shown) ?? [];
    expect(await versionOf(join(folder, path))).toEqual(original);
  });

  itPty("fds watch shows what moves, and who is there, before what waits", async () => {
    const waits: string[] = [];
    for (let n = 0; n < 3; n++) waits.push(await waiting());
    const moving = await system.api.startDownload({
      client_id: "site-1",
      file_path: FILE,
      rate_limit: 1024,
    });
    waits.push(await waiting());
    await using screen = new Screen(system, ["fds", "watch"]);
    await screen.shows(/\n(?:download )? *client +status.+\n(?:\S+ +)?site-1 +downloading/);
    // The clients appear one by one, in the lines above the downloads.
    const clients = () => screen.visible.slice(0, screen.visible.indexOf("status"));
    await waitFor(() => /^site-1 [^]*^away /m.test(clients()), "the clients, who is there first");
    for (const id of [moving.download_id, ...waits]) await system.api.cancel(id);
  });

  itPty("a result has a path that can be opened", async () => {
    await using screen = new Screen(system, ["fds", "pull", "site-1", "-o", "here.bin"]);
    expect(await screen.ended()).toBe(0);
    const [, atServer = ""] = /^ {2}(\/.+\.txt)$/m.exec(screen.text) ?? [];
    const [, here = ""] = /^✓ (\/.+here\.bin) {2}verified$/m.exec(screen.text) ?? [];
    expect(await versionOf(atServer)).toEqual(original);
    expect(await versionOf(here)).toEqual(original);
    await rm(join(system.folder, "here.bin"));
  });

  itPty("no line is wider than a narrow one, and NO_COLOR is obeyed", async () => {
    const env = { NO_COLOR: "1" };
    for (const command of [["clients"], ["downloads", "--limit", "1000"], ["health"]]) {
      await using screen = new Screen(system, ["fds", ...command], { columns: 40, env });
      expect(await screen.ended()).toBe(0);
      const widths = screen.text.split("\n").map((line) => Bun.stringWidth(line));
      expect(Math.max(...widths)).toBeLessThanOrEqual(40);
      expect(screen.raw).not.toContain("\x1b");
    }
  });

  itPty("fds downloads and fds watch say why one failed, and of which file", async () => {
    const name = "no/such.txt";
    await system.ended(await system.pull(name));
    for (const command of ["downloads", "watch"]) {
      await using screen = new Screen(system, ["fds", command]);
      await screen.shows(new RegExp(`failed .+ ${name}\\s+↳ file_not_found: .+"${name}"`));
    }
  });

  itPty("fds watch draws a table that is live, and gives the screen back", async () => {
    await using screen = new Screen(system, ["fds", "watch"]);
    await screen.shows(/1 of 2 clients connected/);
    const id = await waiting();
    await screen.shows(new RegExp(`${id.slice(0, 18)} +away +queued`));
    await system.api.cancel(id);
    await screen.shows(new RegExp(`${id.slice(0, 18)} +away +cancelled`));
    screen.type("\x03");
    expect(await screen.ended()).toBe(0);
    expect(screen.raw).toEndWith("\x1b[?1049l");
  });
});
