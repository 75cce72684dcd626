import { describe, expect, setDefaultTimeout, test } from "bun:test";
import { ON_S3 } from "../support/backend.ts";
import { CLIENTS, FILE, original, system, useGuide } from "../support/guide.ts";
import { Screen } from "../support/operator.ts";
import { Proxy } from "../support/proxy.ts";
import { writeRandom } from "../support/sources.ts";
import { System } from "../support/system.ts";
import { TEST_LIMIT } from "../support/wait.ts";

setDefaultTimeout(TEST_LIMIT);
useGuide();

/* How the guide looks at a terminal. */

const onPosix = test.skipIf(process.platform === "win32");

describe("at a terminal (needs POSIX)", () => {
  onPosix.each([80, 50])("%d columns: the menu and all three bars", async (columns) => {
    await using screen = new Screen(system, ["guide"], { columns });
    const menu = await screen.shows(/Your choice \(1-12\): /);
    screen.type("6\n");
    const result = await screen.shows(/Your choice \(1-12\): /);
    for (const id of CLIENTS)
      expect(result).toMatch(new RegExp(`^${id} +━+ +100%.* completed`, "m"));
    // ESC[3A moves the cursor up over the three progress bars, which are drawn again in place.
    expect(screen.raw).toContain("\x1b[3A\x1b[J");
    const widths = menu.split("\n").map((line) => Bun.stringWidth(line));
    expect(Math.max(...widths)).toBeLessThanOrEqual(columns);
    screen.type("12\n");
    expect(await screen.ended()).toBe(0);
  });

  test.skipIf(process.platform === "win32" || ON_S3 !== "")(
    `24 rows of 80 columns show each result with its title, and how to get the menu back${ON_S3}`,
    async () => {
      await system.ended(await system.pull("missing.txt", "restaurant-002"));
      await using screen = new Screen(system, ["guide"], { rows: 24 });
      await screen.shows(/Your choice \(1-12\): /);
      expect(screen.visible).toContain("File Download System");
      const see = async (keys: string[], ...expected: string[]) => {
        for (const [index, key] of keys.entries()) {
          screen.type(`${key}\n`);
          await screen.shows(index + 1 < keys.length ? /: $/ : /Your choice \(1-12\): $/);
        }
        for (const text of [...expected, "m shows the menu again"]) {
          expect(screen.visible).toContain(text);
        }
      };
      await see(["1"], "Check system health", "✓ healthy", "3 connected");
      await see(["2"], "List connected clients", ...CLIENTS);
      await see(["3"], "Download from restaurant-001", "✓ restaurant-001", original.md5);
      await see(["6"], "Download from all clients", ...CLIENTS.map((id) => `✓ ${id}`));
      await see(["7", "1"], "status", "completed", "saved as");
      expect(screen.visible).toMatch(
        /\d {2}restaurant-00. {2}completed {2}.* ago {2}file_to_download/,
      );
      // Each file takes three lines of the result, so six files do not fit on the screen.
      await writeRandom(system.source("small.txt"), 1000);
      for (let n = 0; n < 6; n++) await system.ended(await system.pull("small.txt", CLIENTS[0]));
      await see(["8"], "Verify downloaded files", "more lines: bun run fds verify", "on disk");
      screen.type("m\n");
      await screen.shows(/12 {2}Exit\s+Your choice \(1-12\): $/);
      expect(screen.visible).toContain("File Download System");
    },
  );

  onPosix.each([
    ["Ctrl-C at the menu", "\x03", []],
    ["Ctrl-C at a question", "\x03", ["7"]],
    ["the end of input", "\x04", []],
  ])("%s leaves", async (_, key, choices) => {
    await using screen = new Screen(system, ["guide"]);
    await screen.shows(/Your choice \(1-12\): /);
    for (const choice of choices) {
      screen.type(`${choice}\n`);
      await screen.shows(/Which one\?.+: /);
    }
    screen.type(key);
    await screen.shows(/Bye\./);
    expect(await screen.ended()).toBe(0);
  });

  onPosix(
    "Ctrl-C during a pull leaves, gives the cursor back, and the download goes on",
    async () => {
      await using other = await System.start();
      await writeRandom(other.source(FILE), 1024 * 1024);
      await using proxy = await Proxy.listen(other.port);
      await other.startClient({ id: "restaurant-001", server: proxy.url });
      proxy.hold("up");
      await using screen = new Screen(other, ["guide"]);
      await screen.shows(/Your choice \(1-12\): /);
      screen.type("3\n");
      await screen.shows(/restaurant-001 +━+/);
      screen.type("\x03");
      await screen.shows(/Bye\./);
      expect(await screen.ended()).toBe(0);
      expect(screen.raw).toContain("\x1b[?25h");
      const { downloads } = await other.api.downloads();
      expect(downloads).toMatchObject([{ client_id: "restaurant-001", error: null }]);
    },
  );

  onPosix("NO_COLOR is obeyed", async () => {
    await using screen = new Screen(system, ["guide"], { env: { NO_COLOR: "1" } });
    await screen.shows(/Your choice \(1-12\): /);
    screen.type("1\n2\n12\n");
    expect(await screen.ended()).toBe(0);
    expect(screen.raw).not.toContain("\x1b");
  });
});
