import { describe, expect, test } from "bun:test";
import { Progress } from "../../../lib/cli/terminal/progress.ts";
import type { Terminal } from "../../../lib/cli/terminal/terminal.ts";
import { completed, half, queued } from "../../support/bars.ts";
import { waitFor } from "../../support/wait.ts";
import { spawn } from "../../support/spawn.ts";

const MIB = 1024 ** 2;

/** Returns a fake terminal, and the list of all texts written to it. */
function fakeTerminal(options: Partial<Terminal> = {}) {
  const written: string[] = [];
  const terminal: Terminal = {
    write: (text) => written.push(text),
    live: true,
    colour: false,
    columns: () => 80,
    rows: () => 24,
    ...options,
  };
  return { terminal, written };
}

/**
 * Returns the lines on the screen after these texts. Handles only the control codes that progress bars use.
 */
function screenOf(written: string[]): string[] {
  const lines: string[] = [];
  const text = written.join("").replaceAll("\x1b[J", "");
  for (const [, up, line] of text.matchAll(/\p{Cc}\[(\d+)A|(\P{Cc}+)\n/gu)) {
    if (up !== undefined) lines.splice(lines.length - Number(up));
    else lines.push((line ?? "").trimEnd());
  }
  return lines;
}

describe("bars on a terminal", () => {
  test("are drawn in place, in line with each other, and the cursor comes back", async () => {
    const { terminal, written } = fakeTerminal();
    const progress = new Progress(terminal);
    progress.set("a", { ...half, label: "short" });
    await waitFor(() => screenOf(written).length === 1, "the first drawing");
    progress.set("b", half);
    progress.set("a", { ...completed, label: "short" });
    progress.stop();
    const screen = screenOf(written);
    expect(screen).toEqual([
      expect.stringMatching(/^short           ━+  100%.* completed$/),
      expect.stringMatching(/^restaurant-001  ━+─+   63%.* ETA 0:04$/),
    ]);
    expect(written[0]).toBe("\x1b[?25l");
    expect(written.at(-1)).toBe("\x1b[?25h");
  });

  test("of a site with a long name are bars still, and the name keeps its end", () => {
    const { terminal, written } = fakeTerminal();
    const progress = new Progress(terminal);
    progress.set("a", { ...half, label: `${"x".repeat(60)}-001` });
    progress.set("b", half);
    progress.stop();
    expect(screenOf(written)).toEqual([
      expect.stringMatching(/^…x{15}-001  ━+─+ +63%.* ETA 0:04$/),
      expect.stringMatching(/^restaurant-001        ━+─+ +63%.* ETA 0:04$/),
    ]);
  });

  test("are not drawn for every change", () => {
    const { terminal, written } = fakeTerminal();
    const progress = new Progress(terminal);
    for (let done = 0; done < 1000; done++) progress.set("a", { ...half, done });
    progress.stop();
    expect(written).toHaveLength(3);
  });

  test("are replaced whole when the terminal got narrower and wrapped them", async () => {
    let columns = 100;
    const { terminal, written } = fakeTerminal({ columns: () => columns });
    const progress = new Progress(terminal);
    progress.set("a", half);
    await waitFor(() => screenOf(written).length === 1, "the first drawing");
    columns = 40;
    progress.stop();
    expect(written.at(-2)).toStartWith("\r\x1b[3A\x1b[J");
  });

  test("that find no room give way to those that still move", async () => {
    const { terminal, written } = fakeTerminal({ rows: () => 3 });
    const progress = new Progress(terminal);
    for (const label of ["a", "b", "c"]) progress.set(label, { ...completed, label });
    progress.set("d", { ...half, label: "d" });
    await waitFor(() => screenOf(written).length > 0, "the first drawing");
    expect(screenOf(written)).toEqual([expect.stringMatching(/^d /), expect.stringMatching(/^a /)]);
    progress.stop();
    expect(screenOf(written).map((line) => line[0])).toEqual(["a", "b", "c", "d"]);
  });

  test("have one for all of them below, which is there however many they are, and remains", async () => {
    const { terminal, written } = fakeTerminal({ rows: () => 4 });
    const progress = new Progress(terminal);
    for (const label of ["a", "b", "c"]) progress.set(label, { ...half, label });
    progress.setTotal({ ...half, label: "0 of 3" });
    await waitFor(() => screenOf(written).length > 0, "the first drawing");
    expect(screenOf(written).map((line) => line.split("  ")[0])).toEqual(["a", "b", "0 of 3"]);
    progress.stop();
    expect(screenOf(written)).toEqual([expect.stringMatching(/^0 of 3  ━+/)]);
  });

  test("leave a cursor behind even when the program just ends", async () => {
    const shown: string[] = [];
    const module = JSON.stringify(require.resolve("../../../lib/cli/terminal/progress.ts"));
    const script = `
      const { Progress } = await import(${module});
      const write = (text) => process.stdout.write(text);
      new Progress({ write, live: true, colour: false, columns: () => 80, rows: () => 24 });
      process.exit(3);`;
    const child = spawn([process.execPath, "-e", script], { stderr: "inherit" });
    for await (const bytes of child.stdout) shown.push(new TextDecoder().decode(bytes));
    expect(await child.exited).toBe(3);
    expect(shown.join("")).toBe("\x1b[?25l\x1b[?25h");
  });
});

describe("bars in a pipe", () => {
  test("are a line for each tenth and for the end, without any codes", () => {
    const { terminal, written } = fakeTerminal({ live: false });
    const progress = new Progress(terminal);
    for (let percent = 0; percent <= 100; percent++) {
      progress.set("a", { ...half, done: percent * MIB });
    }
    progress.set("a", completed);
    progress.stop();
    expect(written.map((line) => /\d+%/.exec(line)?.[0])).toEqual(
      [0, 10, 20, 30, 40, 50, 60, 70, 80, 90, 100, 100].map((percent) => `${percent}%`),
    );
    expect(written.join("")).not.toMatch(/[\p{Cc}--\n]/v);
    expect(written.at(-1)).toEndWith("completed\n");
  });

  test("end with how many of all were there, whatever was shown before", () => {
    const { terminal, written } = fakeTerminal({ live: false });
    const progress = new Progress(terminal);
    const ended = (count: number, done: number) =>
      progress.setTotal({ ...half, label: `${count} of 40`, done, tone: "bad" });
    ended(37, 95 * MIB);
    ended(38, 96 * MIB);
    ended(40, 97 * MIB);
    progress.stop();
    expect(written.map((line) => line.slice(0, 8))).toEqual(["37 of 40", "40 of 40"]);
  });

  test("say once what one waits for, and when that is something else", () => {
    const { terminal, written } = fakeTerminal({ live: false });
    const progress = new Progress(terminal);
    for (const reason of ["no slot", "no slot", "no room"]) {
      progress.set("a", { ...queued, reason });
    }
    progress.stop();
    expect(written.join("")).toBe(
      "restaurant-001  queued: no slot\nrestaurant-001  queued: no room\n",
    );
  });
});
