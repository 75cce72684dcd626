import { expect, test } from "bun:test";
import { drawGraph } from "./graph.ts";

const graph = {
  title: "Soak",
  timeTitle: "time (min)",
  times: [0, 1, 2, 3],
  panels: [
    {
      title: "memory <MiB>",
      lines: [{ name: "server", color: "red", values: [50, 100, null, 0] }],
    },
    { title: "lag (ms)", lines: [{ name: "mean", color: "blue", values: [0, 0, 0, 0] }] },
  ],
};

test("a graph has titled axes, a line for each row of values, and gaps where there are none", () => {
  const svg = drawGraph(graph);
  for (const title of ["Soak", "time (min)", "memory &lt;MiB&gt;", "lag (ms)", "server", "mean"]) {
    expect(svg).toContain(`>${title}<`);
  }
  const [memory, lag] = [...svg.matchAll(/<path d="([^"]+)" fill="none"/g)].map(([, d]) => d);
  // The plot is 860 wide for 4 minutes, and 200 high for 100 MiB. Its origin is at (80, 240).
  expect(memory).toBe("M80 140L295 40M725 240");
  expect(lag).toBe("M80 484L295 484L510 484L725 484");
});

test("nothing but empty axes where nothing was measured", () => {
  const svg = drawGraph({ ...graph, times: [], panels: [{ title: "memory", lines: [] }] });
  expect(svg).not.toMatch(/NaN|Infinity/);
});
